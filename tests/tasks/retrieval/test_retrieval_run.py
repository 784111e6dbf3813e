"""Retrieval cells end to end with a small untrained method, against a plain loop over images and texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_reader import small_reader
from torch.nn.functional import cosine_similarity

from benchx.cell import execute
from benchx.errors import WeightsMissing
from benchx.images.geometry import prepare
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import EncoderChoice, ScorerPart
from benchx.methods.encoders.base import Encoder
from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.protocols import Retrieve
from benchx.results.store import Store
from benchx.tasks.retrieval.scores import MEASURES, fault, score
from benchx.workspace import Workspace

CLASSES = {"covid-chestxray": ["COVID-19", "Pneumonia"], "iu-xray": []}
SUITE = """
name: found
version: 1
description: retrieval alone
short_side: 72
fractions: [0.1, 1.0]
cut_validation: true
seeds: [0, 1]
datasets:
  covid-chestxray:
    split: cv5
    tasks: {retrieval: {protocols: [retrieve], primary: t2i_recall_at_10}}
protocols:
  retrieve:
    {kind: retrieve, input: {preprocessing: card}, feature_batch: 16, precision: fp32, text: [findings], rerank: 20}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("retrieval")
    write("covid-chestxray", root / "covid-chestxray", 32, 3, 72, lambda done, total: None)
    write("iu-xray", root / "iu-xray", 40, 5, 72, lambda done, total: None)
    small_reader(root)
    return root


@pytest.fixture
def workspace(place, monkeypatch) -> Workspace:
    monkeypatch.setenv("BENCHX_WEIGHTS", str(place))
    cards = {"small-reader": read_card(str(place / "small-reader.yaml"))}
    return Workspace(Store(place / "store"), cards=cards, data_root=place, weights_root=place)


def cell(dataset="covid-chestxray", method="small-reader", primary="i2t_recall_at_1", split="cv5", **protocol) -> Cell:
    recipe = {
        "kind": "retrieve",
        "input": {"preprocessing": "card"},
        "feature_batch": 16,
        "precision": "fp32",
        "text": ["findings", "impression"],
    }
    settings = {
        "protocol": Retrieve.model_validate(recipe | protocol).model_dump(mode="json"),
        "classes": CLASSES.get(dataset, []),
        "uncertain": "unknown",
        "short_side": 72,
    }
    return Cell("s", 1, method, dataset, "retrieval", "retrieve", split, 1.0, None, primary, settings)


def similarities(workspace: Workspace, one: Cell, texts: list[str]) -> np.ndarray:
    """Cosines of every image with every text."""
    dataset = workspace.dataset(one.reading)
    encoder, spec = workspace.load_encoder("small-reader", 64, text=True), workspace.card("small-reader").images
    with torch.inference_mode():
        embeddings = torch.cat([encoder.encode_text([text]).embedding for text in texts])
        every = prepare(dataset.pixels.images(np.arange(len(dataset.samples.table))), spec)
        images = encoder.project(encoder.encode(every))
        return np.array([cosine_similarity(image[None], embeddings).numpy() for image in images])


def test_ranks_both_ways_are_those_of_a_plain_loop(workspace) -> None:
    record = execute(cell(), workspace)
    table = workspace.store.predictions(record.key).set_index("sample")
    samples = workspace.dataset(cell().reading).samples
    names, patients = samples.table["sample"].tolist(), samples.table["patient"].tolist()
    texts = [samples.reports[name].findings for name in names]
    reports = list(dict.fromkeys(zip(patients, texts, strict=True)))
    cosines = similarities(workspace, cell(), [text for _, text in reports])
    slack = 1e-5  # batches of another size move a last digit
    for number, (name, text) in enumerate(zip(names, texts, strict=True)):
        right = np.array([one == text for _, one in reports])
        best = cosines[number][right].max()
        lowest, highest = ((cosines[number][~right] >= best + shift).sum() + 1 for shift in (slack, -slack))
        assert lowest <= table.loc[name, "i2t_rank"] <= highest
    for number, (patient, text) in enumerate(reports):
        first = next(one for one, *who in zip(names, patients, texts, strict=True) if tuple(who) == (patient, text))
        right = np.array([one == text for one in texts])
        best = cosines[right, number].max()
        lowest, highest = ((cosines[~right, number] >= best + shift).sum() + 1 for shift in (slack, -slack))
        assert lowest <= table.loc[f"text:{first}", "t2i_rank"] <= highest
    assert len(table) == len(names) + len(reports)


def test_a_record_tells_its_candidates_and_chance_and_its_table_gives_its_scores(workspace) -> None:
    record = execute(cell(), workspace)
    table = workspace.store.predictions(record.key)
    samples = workspace.dataset(cell().reading).samples
    assert fault(table) is None
    assert score(table) == record.scores
    assert record.scores["n"] == len(table)
    for name, measure in MEASURES.items():
        assert record.scores[name] == pytest.approx(measure.of(table), abs=1e-12)
    images = len(samples.table)
    assert record.details["candidates"] == {
        "images": images,
        "reports": len(table) - images,
        "texts": len({report.findings for report in samples.reports.values()}),
    }
    assert set(record.details["chance"]) <= set(record.scores)
    assert 0 < record.details["chance"]["i2t_recall_at_1"] < record.details["chance"]["i2t_recall_at_10"] < 1
    assert record.details["without_text"] == 0
    assert [fold["images"]["test"] for fold in record.details["folds"]] == [
        len(fold.test) for fold in workspace.folds(cell().reading).folds
    ]
    tops = table["top"].str.split("|")
    assert set(tops[:images].explode()) <= set(table["sample"][images:])
    assert set(tops[images:].explode()) <= set(table["sample"][:images])
    assert (tops.str.len() == 10).all()
    assert table["group:view"][images:].isna().all()
    clusters = dict(zip(table["sample"], table["cluster"], strict=True))
    assert all(clusters[name] == clusters[name.removeprefix("text:")] for name in table["sample"][images:])
    hidden = record.model_dump_json() + table.to_csv()
    assert not any(report.findings in hidden for report in samples.reports.values())


def test_two_views_share_a_report_and_without_classes_there_are_no_matches(workspace) -> None:
    one = cell("iu-xray", split="official")
    record = execute(one, workspace)
    assert not any("class" in name for name in record.scores)
    assert record.details["candidates"]["images"] > record.details["candidates"]["reports"]
    again = execute(cell("iu-xray", primary="i2t_class_hit_at_1", split="official"), workspace)
    assert (again.state, again.key, "i2t_class_hit_at_1" in again.scores) == ("done", record.key, False)


def test_oracle_embeddings_find_everything_and_the_excluded_report_is_no_match(workspace, monkeypatch) -> None:
    from benchx.tasks.retrieval import ranking

    def oracle(cell, protocol, workspace, pool, encoder):
        codes = {text: number for number, text in enumerate(dict.fromkeys(pool.texts))}
        texts = np.random.default_rng(0).normal(size=(len(codes), 32))[[codes[text] for text in pool.texts]]
        return texts[pool.to_reports.rows[pool.to_reports.starts[:-1]]], texts

    monkeypatch.setattr(ranking, "embed", oracle)
    record = execute(cell(), workspace)
    for way in ("i2t", "t2i"):
        assert record.scores[f"{way}_recall_at_1"] == record.scores[f"{way}_mrr"] == record.scores[f"{way}_ndcg"] == 1
        assert record.scores[f"{way}_median_rank"] == 1
    assert record.scores["i2t_class_hit_at_1"] == 1
    without = execute(cell(exclude_own=True), workspace)
    assert without.scores["i2t_class_hit_at_1"] < 1
    assert without.details["chance"]["i2t_class_hit_at_1"] < record.details["chance"]["i2t_class_hit_at_1"]


def test_a_method_with_its_own_similarity_orders_the_first_anew(workspace, monkeypatch) -> None:
    plain = execute(cell(rerank=40), workspace)
    why = "the method's own similarity is the cosine of the embeddings"
    assert plain.details["reranked"] == {"first": 0, "why": why}
    before = workspace.store.predictions(plain.key)
    card = workspace.card("small-reader")
    monkeypatch.setitem(workspace.cards, "small-reader", card.model_copy(update={"scorer": ScorerPart(name="gloria")}))
    workspace._weights.clear()
    # An own similarity that turns every order around.
    monkeypatch.setattr(
        Encoder,
        "similarity",
        lambda self, images, text: -cosine_similarity(self.project(images), text.embedding)[None],
    )
    record = execute(cell(rerank=40), workspace)
    assert record.details["reranked"] == {"first": 40}
    after = workspace.store.predictions(record.key)
    assert fault(after) is None
    right = _numbers_of_right(workspace, before["sample"])
    for way in ("i2t", "t2i"):
        rank, moved = (one[f"{way}_rank"].to_numpy()[right == 1] for one in (before, after))
        rank, moved = rank[~np.isnan(rank)], moved[~np.isnan(rank)]
        np.testing.assert_array_equal(moved[rank > 40], rank[rank > 40])
        # Two similarities that differ by a last digit may change places.
        off = np.abs(moved - np.where(rank <= 40, 41 - rank, rank))
        assert off.max() <= 1
        assert (off == 0).mean() > 0.9
        assert (rank <= 40).any()
        assert (rank > 40).any()


def _numbers_of_right(workspace: Workspace, names) -> np.ndarray:
    """How many right items each row of a table has."""
    samples = workspace.dataset(cell().reading).samples
    texts = {name: report.findings for name, report in samples.reports.items()}
    patients = dict(zip(samples.table["sample"], samples.table["patient"], strict=True))
    images = Counter(texts[name] for name in samples.table["sample"])
    reports = Counter(text for _, text in {(patients[name], text) for name, text in texts.items()})
    return np.array([images[texts[name[5:]]] if name.startswith("text:") else reports[texts[name]] for name in names])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": None, "scorer": None}, "'small-reader' reads no text"),
        ({"encoder": EncoderChoice(name="resnet50", arguments={"stages": 3})}, "does not embed whole images"),
    ],
)
def test_a_method_without_a_shared_space_is_not_applicable(workspace, monkeypatch, change, says) -> None:
    card = workspace.card("small-reader").model_copy(update=change)
    monkeypatch.setitem(workspace.cards, "small-reader", card)
    record = execute(cell(split="official"), workspace)
    assert record.state == "not-applicable"
    assert says in record.reason


def test_a_tokenizer_that_is_not_there_is_named(workspace, place, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BENCHX_WEIGHTS", str(tmp_path))
    here = replace(workspace, store=Store(tmp_path / "store"))
    with pytest.raises(WeightsMissing, match="no tokenizer of small/letters"):
        execute(cell(), here)


def test_the_command_line_runs_it_and_a_board_ranks_it(benchx, place, tmp_path, monkeypatch) -> None:
    (tmp_path / "found.yaml").write_text(SUITE)
    monkeypatch.setenv("BENCHX_WEIGHTS", str(place))
    options = ("--data-root", place, "--store", tmp_path / "store", "--device", "cpu")
    code, out, err = benchx("run", "--suite", "found.yaml", "--method", place / "small-reader.yaml", *options)
    assert code == 0, out + err
    (record,) = Store(tmp_path / "store").records()
    assert (record.state, record.cell["seed"], record.cell["fraction"]) == ("done", None, 1.0)
    assert record.scores["t2i_recall_at_10"] == pytest.approx(record.details["chance"]["t2i_recall_at_10"], abs=0.15)


@pytest.mark.slow
def test_real_case_descriptions_are_found_at_chance_by_an_untrained_method(workspace, shared, tmp_path) -> None:
    here = replace(
        workspace, store=Store(tmp_path), data_root=None, roots={"covid-chestxray": shared / "data" / "covid-chestxray"}
    )
    record = execute(cell(), here)
    assert record.details["candidates"]["images"] == 214
    assert record.details["candidates"]["texts"] == 177
    for way in ("i2t", "t2i"):
        for name in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg"):
            level = record.details["chance"][f"{way}_{name}"]
            assert record.scores[f"{way}_{name}"] == pytest.approx(level, abs=0.05), (way, name)
