"""What a dry run says of cells that read images and texts together, before and after they are run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_fuser import Both, Eyes, cards

from benchx.cell import execute
from benchx.datasets import get_dataset
from benchx.estimate import Plan, forecast
from benchx.estimate_pairs import count
from benchx.methods.text.entities import entities_of
from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.protocols import read_protocol
from benchx.results.store import Store
from benchx.workspace import Workspace

EXTRACTION = {"input": {"preprocessing": "card"}, "feature_batch": 16, "precision": "fp32"}
HEAD = {"strengths": [0.1], "min_validation_positives": 3, "inner_folds": 3}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "paired": {"kind": "paired", "text": ["findings"], **EXTRACTION, **HEAD},
    "knn": {"kind": "knn", "neighbours": [3], "temperature": 0.1, **EXTRACTION},
    "few-shot": {"kind": "few-shot", "shots": [1], "draws": 2, "strength": 0.1, **EXTRACTION},
    "full": {"kind": "retrieve", "text": ["findings"], "joint": {"mode": "full"}, **EXTRACTION},
    "rerank": {
        "kind": "retrieve",
        "text": ["findings"],
        "joint": {"mode": "rerank", "first": 3, "dual_encoder": "reader"},
        **EXTRACTION,
    },
    "answer": {
        "kind": "answer",
        "input": {"preprocessing": "card"},
        "feature_batch": 16,
        "precision": "fp32",
        "encoder": "frozen",
        "questions": "ears",
        "head": "linear",
        "optimizer": "adamw",
        "weight_decay": 0.0,
        "lr": 0.01,
        "head_lr": 0.01,
        "batch_size": 8,
        "epochs": 3,
        "patience": 3,
        "schedule": "cosine",
    },
}
TASKS = {"paired": "classification", "knn": "classification", "few-shot": "few_shot", "answer": "vqa"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("forecast")
    write("covid-chestxray", root / "covid-chestxray", 24, 3, 40, lambda done, total: None)
    return root


@pytest.fixture
def workspace(data, tmp_path, monkeypatch) -> Workspace:
    dataset = get_dataset("covid-chestxray")

    def read(root: Path):
        samples = dataset.read(root)
        names = samples.table["sample"].tolist()[:20]
        asked = [(f"{name}-{number}", name, f"is it {number}", "no") for name in names for number in range(3)]
        questions = pd.DataFrame(asked, columns=["question", "sample", "text", "answer"])
        return replace(samples, questions=questions.assign(closed=True, kind=None, official=""))

    return Workspace(
        Store(tmp_path / "store"),
        cards=cards(monkeypatch),
        datasets={"asking": replace(dataset, name="asking", read=read)},
        roots={"asking": data / "covid-chestxray"},
        data_root=data,
    )


def cell(protocol: str, method: str, **changes) -> Cell:
    recipe = read_protocol(PROTOCOLS[protocol] | changes)
    settings = {
        "protocol": recipe.model_dump(mode="json"),
        "classes": ["COVID-19", "Pneumonia"],
        "uncertain": "unknown",
        "short_side": 40,
    }
    task = TASKS.get(protocol, "retrieval")
    dataset = "asking" if protocol == "answer" else "covid-chestxray"
    return Cell("s", 1, method, dataset, task, protocol, "cv5", 1.0, None, "macro_auroc", settings)


def look(workspace: Workspace, *cells: Cell) -> Plan:
    plan = forecast(cells, replace(workspace), retry_failed=False)
    assert [(one.state, one.missing) for one in plan.cells] == [("to run", None)] * len(cells)
    return plan


def features(plan: Plan) -> dict[str, int]:
    """The bytes that a plan expects, without those of pixels."""
    return {name: size for name, size in plan.disk_bytes.items() if "pixels" not in name}


@pytest.mark.parametrize("protocol", ["paired", "knn", "few-shot", "answer"])
def test_what_uses_the_image_alone_is_counted_once_by_image(workspace, protocol) -> None:
    images = len(workspace.samples(cell(protocol, "reader").reading).table)
    plan = look(workspace, cell(protocol, "reader"), cell(protocol, "reader"))
    assert list(features(plan).values()) == [4 * images * 8]
    assert re.match(r"about \d+ s", plan.lines()[0])


def test_pairs_are_counted_by_pair_and_not_again_when_they_are_there(workspace) -> None:
    before = look(workspace, cell("paired", "fuser"))
    samples = workspace.samples(cell("paired", "fuser").reading)
    title = "fuser / covid-chestxray: pairs of paired, at most"
    assert features(before) == {title: 4 * len(samples.reports) * 16}
    assert before.seconds[title] > 0
    execute(cell("paired", "fuser"), workspace)
    other = cell("paired", "fuser", strengths=[0.2])
    after = look(workspace, other)
    assert after.cells[0].cached == ("pixels", "features")
    assert not after.seconds


def test_a_method_that_reads_entities_is_timed_on_a_text_that_nobody_linked(workspace, monkeypatch) -> None:
    fuse = Both.forward

    def tokenise(self, texts):
        found = self.tokenizer(texts)
        return replace(found, entities=entities_of(texts, {}, found.mask))

    def forward(self, encoder, images, text):
        assert text.entities.shape == (len(images.pooled), 24, 3)
        return fuse(self, encoder, images, text)

    monkeypatch.setattr(Eyes, "tokenise", tokenise)
    monkeypatch.setattr(Both, "forward", forward)
    assert features(look(workspace, cell("answer", "fuser")))


def test_questions_of_a_fusion_are_pairs(workspace) -> None:
    assert count(cell("answer", "fuser"), read_protocol(PROTOCOLS["answer"]), workspace) == (20, 60)
    assert features(look(workspace, cell("answer", "fuser"))) == {
        "fuser / asking: pairs of answer, at most": 4 * 60 * 16
    }
    trained = look(workspace, cell("answer", "fuser", encoder="trained"))
    (title,) = (name for name in trained.seconds if "pixels" not in name)
    assert title == "fuser / asking: answer, at most"


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("protocol", ["full", "rerank"])
def test_joint_retrieval_reads_no_more_pairs_than_are_told(workspace, protocol, opened) -> None:
    asked = cell(protocol, "fuser")
    if opened:
        workspace.dataset(asked.reading)
    images, pairs = count(asked, read_protocol(PROTOCOLS[protocol]), workspace)
    title = f"fuser / covid-chestxray: pairs of {protocol}, at most"
    assert features(look(workspace, asked)) == {title: 4 * pairs}
    record = execute(asked, workspace)
    assert record.details["candidates"]["images"] == images
    read = record.details["joint"]["pairs"]
    assert read == pairs if protocol == "full" else read <= pairs < images * record.details["candidates"]["reports"]


def test_a_method_that_encodes_no_images_costs_nothing_that_is_counted(workspace, monkeypatch) -> None:
    monkeypatch.setattr(Eyes, "_features", lambda self, images: pytest.fail("encoded"))
    plan = look(workspace, cell("answer", "ears"))
    assert list(plan.seconds) == ["asking: pixels"]
    assert np.isfinite(plan.seconds["asking: pixels"])
