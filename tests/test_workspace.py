"""How a workspace reads a dataset for a cell: BenchX's lists and readings, and what uncertain labels count as."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import benchx
from benchx.datasets import benchx_lists
from benchx.datasets.benchx_lists import PARTS, Lists
from benchx.errors import DataMissing, DatasetError
from benchx.phantom.writers import write
from benchx.planning import Reading
from benchx.results.store import Store
from benchx.workspace import Workspace

SUITE = """
extends: phantom
only: [nih, rsna]
name: lists
short_side: 80
fractions: [0.1, 1.0]
seeds: [0, 1]
datasets:
  rsna: null
  nih: {split: benchx-2024, tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}
protocols: {frozen: {input: {size: 64}, strengths: [0.01, 1.0]}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in ("nih", "chexpert", "covidx"):
        write(name, root / name, 40, 0, 64, lambda done, total: None)
    return root


@pytest.fixture
def lists(data, tmp_path, monkeypatch):
    """BenchX-like lists of the phantom NIH images, declared as the published ones."""
    names = sorted(path.name for path in (data / "nih" / "images").iterdir())
    test = [name for name in names if int(name[:8]) % 4 == 0]
    val = [name for name in names if int(name[:8]) % 4 == 1]
    train = [name for name in names if int(name[:8]) % 4 > 1]
    texts = dict(zip(PARTS, ("\n".join(part) for part in (train, val, test, train[:9], train[9:])), strict=True))
    (tmp_path / "lists" / "NIH").mkdir(parents=True)
    for part, text in texts.items():
        (tmp_path / "lists" / "NIH" / f"{part}.txt").write_text(text)
    sums = {part: hashlib.sha256(text.encode()).hexdigest() for part, text in texts.items()}
    monkeypatch.setitem(benchx_lists.LISTS, "nih", Lists("NIH", sums))
    return tmp_path / "lists"


def test_a_suite_on_benchx_lists_trains_and_tests_on_them(data, lists, tmp_path):
    suite = tmp_path / "lists.yaml"
    suite.write_text(SUITE)
    run = {"data_root": data, "store": tmp_path / "store", "device": "cpu"}
    summary = benchx.run(str(suite), ["random-efficientnet-lite0"], splits=lists, **run)
    assert summary.counts == {"run": 2}
    assert [one.cell.seed for one in summary.finished] == [None, None]
    store = Store(tmp_path / "store")
    listed = (lists / "NIH" / "test.txt").read_text().split("\n")
    small, whole = (store.get(one.key) for one in summary.finished)
    for record in (small, whole):
        assert set(store.predictions(record.key)["sample"]) == set(listed)
    assert small.details["folds"][0]["images"]["train"] == whole.details["folds"][0]["images"]["train"] - 9
    assert (whole.provenance.preprocessing, whole.provenance.precision, whole.provenance.compiled) == (
        "card",
        "fp32",
        False,
    )
    assert whole.provenance.input["size"] == 64
    assert small.details["folds"][0]["images"]["val"] == whole.details["folds"][0]["images"]["val"]

    gone = benchx.run(str(suite), ["random-efficientnet-lite0"], splits=tmp_path / "nowhere", recompute=True, **run)
    assert gone.counts == {"data-missing": 2}
    assert "benchx data splits fetch" in gone.finished[0].reason


def test_a_fraction_that_benchx_does_not_list_is_not_applicable(data, lists, tmp_path):
    suite = tmp_path / "lists.yaml"
    suite.write_text(SUITE.replace("[0.1, 1.0]", "[0.5]"))
    summary = benchx.run(
        str(suite), ["random-efficientnet-lite0"], data_root=data, store=tmp_path / "s", device="cpu", splits=lists
    )
    assert summary.counts == {"not-applicable": 1}
    assert "no list for 50 % of nih" in summary.finished[0].reason


def test_a_listed_image_that_was_left_out_is_not_unknown(data, lists, tmp_path):
    place = tmp_path / "nih"
    write("nih", place, 40, 0, 64, lambda done, total: None)
    first = sorted((place / "images").iterdir())[0]
    first.unlink()
    reading = Reading("nih", "benchx-2024", "unknown", 64)
    strict = Workspace(Store(tmp_path / "a"), roots={"nih": place}, splits_root=lists)
    with pytest.raises(DatasetError, match="1 of .* images of 'nih' are not in"):
        strict.folds(reading)
    lenient = Workspace(Store(tmp_path / "b"), roots={"nih": place}, splits_root=lists, skip_unreadable=True)
    (fold,) = lenient.folds(reading).folds
    assert len(fold.train) + len(fold.val) + len(fold.test) == len(lenient.samples(reading).table) - 1


def test_uncertain_labels_count_as_the_suite_says(data, tmp_path):
    workspace = Workspace(Store(tmp_path), data_root=data)
    labels = {
        policy: workspace.samples(Reading("chexpert", "official", policy, 64)).labels
        for policy in ("unknown", "positive", "negative")
    }
    uncertain = np.isnan(labels["unknown"])
    assert uncertain.any()
    assert (labels["positive"][uncertain] == 1).all()
    assert (labels["negative"][uncertain] == 0).all()
    for policy in ("positive", "negative"):
        np.testing.assert_array_equal(labels[policy][~uncertain], labels["unknown"][~uncertain])


def test_faults_of_benchx_are_read_for_its_split_only(data, tmp_path):
    workspace = Workspace(Store(tmp_path), data_root=data)
    ours = workspace.samples(Reading("covidx", "official", "unknown", 64))
    theirs = workspace.samples(Reading("covidx", "benchx-2024", "unknown", 64))
    assert len(theirs.table) <= len(ours.table) - 3
    assert workspace.pixel_folder(ours, Reading("covidx", "official", "unknown", 64)) != workspace.pixel_folder(
        theirs, Reading("covidx", "benchx-2024", "unknown", 64)
    )
    with pytest.raises(DataMissing, match="no folder|is not there"):
        Workspace(Store(tmp_path), data_root=tmp_path).samples(Reading("siim", "official", "unknown", 64))
