"""Retrieval by methods that read image and text together, against a plain loop over all pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_fuser import Both, Eyes, cards

from benchx.cell import cell_key, execute
from benchx.errors import UsageError
from benchx.images.geometry import prepare
from benchx.methods.cards.schema import Card
from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.protocols import Retrieve
from benchx.reporting.exposure import seen_by
from benchx.results.store import Store
from benchx.tasks.retrieval import joint
from benchx.tasks.retrieval.pool import gather
from benchx.tasks.retrieval.ranking import rank
from benchx.tasks.retrieval.scores import fault
from benchx.workspace import Workspace

FULL = {"mode": "full"}
EVERYTHING = {"mode": "rerank", "first": 10_000}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("joint")
    write("covid-chestxray", root / "covid-chestxray", 24, 3, 40, lambda done, total: None)
    return root


@pytest.fixture
def workspace(data, tmp_path, monkeypatch) -> Workspace:
    return Workspace(Store(tmp_path / "store"), cards=cards(monkeypatch), data_root=data)


def cell(method: str = "fuser", **protocol) -> Cell:
    recipe = {
        "kind": "retrieve",
        "input": {"preprocessing": "card"},
        "feature_batch": 16,
        "precision": "fp32",
        "text": ["findings"],
    }
    settings = {
        "protocol": Retrieve.model_validate(recipe | protocol).model_dump(mode="json"),
        "classes": ["COVID-19", "Pneumonia"],
        "uncertain": "unknown",
        "short_side": 40,
    }
    return Cell(
        "s", 1, method, "covid-chestxray", "retrieval", "retrieve", "cv5", 1.0, None, "i2t_recall_at_1", settings
    )


def matches(workspace: Workspace, method: str, images: np.ndarray, texts: list[str]) -> np.ndarray:
    """How well every image and every text belong together, read one by one."""
    encoder, pixels = workspace.load_encoder(method, 32, text=True), workspace.dataset(cell(method).reading).pixels
    spec = workspace.card(method).images
    with torch.inference_mode():
        seen = [encoder.encode(prepare(pixels.images(np.array([image])), spec)) for image in images]
        read = {text: encoder.encode_text([text]) for text in set(texts)}
        return np.array([[float(encoder.match(image, read[text])) for text in texts] for image in seen])


def test_the_full_matrix_gives_the_ranks_of_a_plain_loop(workspace) -> None:
    record = execute(cell(joint=FULL), workspace)
    table = workspace.store.predictions(record.key)
    assert fault(table) is None
    samples = workspace.dataset(cell().reading).samples
    names = samples.table["sample"].tolist()
    texts = [samples.reports[name].findings for name in names]
    reports = [name.removeprefix("text:") for name in table["sample"] if name.startswith("text:")]
    own = [samples.reports[name].findings for name in reports]
    scores = matches(workspace, "fuser", np.arange(len(names)), own)
    right = np.array([[text == other for other in own] for text in texts])
    ranks = dict(zip(table["sample"], table["i2t_rank"].fillna(table["t2i_rank"]), strict=True))
    slack = 1e-5  # batches of another size move a last digit
    for which, found, good in ((names, scores, right), ([f"text:{one}" for one in reports], scores.T, right.T)):
        for name, line, mine in zip(which, found, good, strict=True):
            lowest, highest = ((line[~mine] >= line[mine].max() + shift).sum() + 1 for shift in (slack, -slack))
            assert lowest <= ranks[name] <= highest
    pairs = len(names) * len(set(own))
    assert record.details["joint"] == {"mode": "full", "pairs": pairs}
    assert record.details["reranked"] == {"first": 0, "why": "every image is read with every text"}
    assert "i2t_class_hit_at_1" in record.scores


@pytest.mark.parametrize(("method", "dual"), [("unifier", None), ("unifier", "reader"), ("fuser", "reader")])
def test_ordering_all_candidates_anew_is_the_full_matrix(workspace, method, dual) -> None:
    full = execute(cell(method, joint=FULL, exclude_own=True), workspace)
    anew = execute(cell(method, joint=EVERYTHING | {"dual_encoder": dual}, exclude_own=True), workspace)
    assert anew.key != full.key
    assert anew.scores == full.scores
    assert anew.details["joint"]["dual_encoder"] == (dual or method)
    assert anew.details["joint"]["pairs"] == full.details["joint"]["pairs"]
    first, second = (workspace.store.predictions(one.key) for one in (full, anew))
    for name in first.columns.drop("top"):
        assert first[name].equals(second[name])


@pytest.mark.parametrize("first", [3, 12])
def test_only_the_first_candidates_change_places(workspace, first) -> None:
    before = workspace.store.predictions(execute(cell("unifier"), workspace).key)
    record = execute(cell("unifier", joint={"mode": "rerank", "first": first}), workspace)
    after = workspace.store.predictions(record.key)
    assert fault(after) is None
    assert record.details["reranked"] == {"first": first}
    found = record.details["candidates"]
    assert 0 < record.details["joint"]["pairs"] <= first * (found["images"] + 2 * found["reports"])
    for way in ("i2t", "t2i"):
        old, new = (table[f"{way}_rank"].dropna().to_numpy() for table in (before, after))
        np.testing.assert_array_equal(new[old > first], old[old > first])
        assert (new[old <= first] <= first).all()
    names = [table["top"].str.split("|") for table in (before, after)]
    for old, new in zip(*names, strict=True):
        assert new[first:] == old[first:]
        assert first > 10 or set(new[:first]) == set(old[:first])
    assert not names[0].equals(names[1])


@pytest.mark.parametrize("asked", [FULL, EVERYTHING])
def test_a_method_that_says_the_same_of_every_pair_has_the_worst_ranks(workspace, asked, monkeypatch) -> None:
    monkeypatch.setattr(Both, "match", lambda self, fused: fused.new_zeros(len(fused)))
    record = execute(cell("unifier", joint=asked), workspace)
    table = workspace.store.predictions(record.key)
    samples = workspace.dataset(cell().reading).samples
    texts = [samples.reports[name].findings for name in table["sample"] if not name.startswith("text:")]
    own = [samples.reports[name.removeprefix("text:")].findings for name in table["sample"] if name.startswith("text:")]
    expected = [sum(other != text for other in own) + 1 for text in texts]
    np.testing.assert_array_equal(table["i2t_rank"].dropna(), expected)
    expected = [sum(other != text for other in texts) + 1 for text in own]
    np.testing.assert_array_equal(table["t2i_rank"].dropna(), expected)


def test_one_image_and_images_without_a_report(workspace, tmp_path) -> None:
    asked = cell(joint=FULL)
    protocol = Retrieve.model_validate(asked.settings["protocol"])
    samples = workspace.dataset(asked.reading).samples
    names = samples.table["sample"].tolist()
    one = gather(samples, np.array([4]), np.zeros(1, np.int8), ("findings",))
    found, said = rank(asked, protocol, workspace, one, None, tmp_path / "one")
    assert said["joint"] == {"mode": "full", "pairs": 1}
    assert [found[way].ranking.ranks.tolist() for way in ("i2t", "t2i")] == [[1], [1]]
    silent = replace(samples, reports={name: samples.reports[name] for name in names[::2]})
    few = gather(silent, np.arange(len(names)), np.zeros(len(names), np.int8), ("findings",))
    found, said = rank(asked, protocol, workspace, few, None, tmp_path / "few")
    scores = matches(workspace, "fuser", np.arange(len(names))[::2], list(few.texts))
    assert found["i2t"].ranking.top.rows.shape[0] == len(scores) == (len(names) + 1) // 2
    assert said["joint"]["pairs"] == len(scores) * len(set(few.texts))
    listed = np.take_along_axis(scores, found["i2t"].ranking.top.rows, 1)
    np.testing.assert_allclose(listed, -np.sort(-scores, axis=1)[:, : listed.shape[1]], rtol=0, atol=1e-5)


def test_a_killed_reading_goes_on_from_the_work_folder(workspace, monkeypatch) -> None:
    whole = execute(cell(joint=FULL), workspace)
    seen, see = [], Eyes._features

    def killed(self, images):
        seen.append(len(images))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return see(self, images)

    again = replace(workspace, store=Store(workspace.store.cache.parent / "again"))
    monkeypatch.setattr(Eyes, "_features", killed)
    with pytest.raises(KeyboardInterrupt):
        execute(cell(joint=FULL), again)
    record = execute(cell(joint=FULL), again)
    assert record.scores == whole.scores
    assert sum(seen) == len(workspace.dataset(cell().reading).samples.table) + seen[1]
    assert not list(again.store.work.glob("*"))


@pytest.mark.parametrize(
    ("method", "asked", "says"),
    [
        ("fuser", None, "'fuser' does not embed whole images among texts (it reads an image and a text together)"),
        ("fuser", EVERYTHING, "'fuser' does not embed whole images among texts (re-ranking begins with such"),
        ("unmatched", FULL, "'unmatched' does not tell whether an image and a text belong together"),
        ("reader", FULL, "'reader' does not read images and texts together"),
        ("eyes", FULL, "'eyes' reads no text"),
    ],
)
def test_what_a_method_cannot_do_is_not_applicable(workspace, method, asked, says) -> None:
    record = execute(cell(method, joint=asked), workspace)
    assert record.state == "not-applicable"
    assert record.reason.startswith(says)


@pytest.mark.parametrize(
    ("dual", "says"),
    [
        ("nobody", "unknown method 'nobody'"),
        ("eyes", "joint.dual_encoder 'eyes' reads no text"),
        ("ears", "joint.dual_encoder 'ears' encodes no images"),
        ("unmatched", "'unmatched' does not embed whole images among texts"),
    ],
)
def test_a_dual_encoder_that_cannot_rank_is_an_error(workspace, dual, says) -> None:
    with pytest.raises(UsageError, match=says):
        execute(cell(joint=EVERYTHING | {"dual_encoder": dual}), workspace)


def test_too_many_pairs_are_refused_before_any_is_read(workspace, monkeypatch) -> None:
    monkeypatch.setattr(joint, "PAIRS", 99)
    monkeypatch.setattr(Eyes, "_features", lambda self, images: pytest.fail("read"))
    with pytest.raises(UsageError, match=r"images and \d+ texts are [\d,]+ pairs"):
        execute(cell(joint=FULL), workspace)


def test_whatever_changes_the_first_ranking_changes_the_key_and_what_it_saw_is_recorded(data, tmp_path, monkeypatch):
    methods = cards(monkeypatch)
    reader = methods["reader"]
    seen = {"dataset": "covid-chestxray", "what": "images", "source": "a test"}
    other = reader.model_copy(update={"input": reader.input.model_copy(update={"mean": (0.1,)})})
    exposed = Card.model_validate(reader.model_dump() | {"exposure": [seen]})
    one = cell(joint={"mode": "rerank", "first": 3, "dual_encoder": "reader"})
    full = cell(joint=FULL | {"dual_encoder": "reader"})

    def opened(card: Card) -> Workspace:
        return Workspace(Store(tmp_path / "store"), cards=methods | {"reader": card}, data_root=data)

    assert cell_key(one, opened(reader)) == cell_key(one, opened(exposed)) != cell_key(one, opened(other))
    assert cell_key(full, opened(reader)) == cell_key(full, opened(other))
    record = execute(one, opened(exposed))
    assert record.details["other_methods"]["reader"]["exposure"] == [seen]
    assert seen_by(record, "covid-chestxray") == ("images (by reader)",)
    assert seen_by(record, "nih") == ()
