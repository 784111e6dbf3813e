"""The model-index is read by the hub's own library as it was meant."""

from __future__ import annotations

import math

import pytest
import typer
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from made_results import METHOD
from typer.testing import CliRunner

from benchx.cli.publishing import register
from benchx.publishing.model_index import model_index, to_yaml
from benchx.publishing.selection import select


def test_the_hubs_parser_reads_every_result(suite, store):
    index = yaml.safe_load(to_yaml(model_index(select(suite, store, METHOD), store, "https://example.org/b")))[
        "model-index"
    ]
    name, results = model_index_to_eval_results(index)
    assert name == METHOD
    assert [(one.dataset_config, one.metric_type) for one in results] == [
        ("frozen, 10 % of the labels", "roc_auc"),
        ("frozen, 10 % of the labels", "average_precision"),
        ("frozen, 10 % of the labels", "f1"),
        ("frozen, 100 % of the labels", "roc_auc"),
        ("frozen, 100 % of the labels", "average_precision"),
        ("frozen, 100 % of the labels", "f1"),
    ]
    scores = [record.scores["macro_auroc"] for record in store.records() if record.cell["fraction"] == 0.1]
    assert len(scores) == 2
    assert results[0].metric_value == pytest.approx(math.fsum(scores) / 2, abs=1e-15)
    assert results[0].metric_args["seeds"] == [0, 1]
    assert results[3].metric_args["seeds"] == "deterministic"
    assert (results[0].task_type, results[0].dataset_type, results[0].dataset_split) == (
        "image-classification",
        "nih",
        "test",
    )
    assert results[0].dataset_name.endswith("(simulated images)")
    assert results[0].source_url == "https://example.org/b"
    assert eval_results_to_model_index(name, results) == index


def test_a_model_card_with_it_is_valid_and_keeps_strange_names(suite, store):
    selection = select(suite, store, METHOD)
    strange = model_index(selection, store)
    strange["model-index"][0]["name"] = "a: [b] # 'c' \"d\" <script>"
    card = ModelCard(f"---\n{to_yaml(strange)}---\n# A model\n")
    assert card.data.model_name == "a: [b] # 'c' \"d\" <script>"
    assert len(card.data.eval_results) == 6
    assert "&id" not in to_yaml(strange)
    assert all(result.source_url is None for result in card.data.eval_results)


def test_the_command_prints_or_writes_it(store, tmp_path, monkeypatch):
    app = typer.Typer()
    register(app)
    (tmp_path / "tiny.yaml").write_text(
        "extends: phantom\nonly: [nih]\nname: tiny\nfractions: [0.1, 1.0]\nseeds: [0, 1]\ndatasets:\n"
        "  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}\n"
    )
    call = ["model-index", "--suite", str(tmp_path / "tiny.yaml"), "--method", METHOD, "--store", str(store.path)]
    printed = CliRunner().invoke(app, call)
    assert printed.exit_code == 0, printed.output
    written = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "index.yaml")])
    assert written.exit_code == 0, written.output
    assert yaml.safe_load(printed.output) == yaml.safe_load((tmp_path / "index.yaml").read_text())
