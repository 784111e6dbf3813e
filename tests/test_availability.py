"""Which datasets are there: states, and what a run and a board say of those that are not."""

from __future__ import annotations

import json

import pytest

from benchx.availability import states
from benchx.datasets import DATASETS
from benchx.datasets.sharing import sharing_images
from benchx.errors import UsageError
from benchx.listing import datasets_in_full, exposure


def _by_name(found):
    return {one.dataset: one for one in found}


def test_every_state_is_told_apart(tmp_path, write_nih):
    root = write_nih([(1, 0, "Mass"), (2, 0, "No Finding")], test=[2])
    found = _by_name(states(None, tmp_path, {}))
    assert set(found) == set(DATASETS)
    assert (found["nih"].state, found["nih"].images, found["nih"].missing) == ("verified", 2, 0)
    assert found["rsna"].state == "not there"
    assert "kaggle.com" in found["rsna"].detail
    assert "registration" in found["rsna"].detail
    (root / "images" / "00000001_000.png").unlink()
    found = _by_name(states("chestxray", tmp_path, {}))
    assert {"nih", "rsna", "siim", "vindr", "covidx", "iu-xray"} <= set(found)
    assert (found["nih"].state, found["nih"].missing, found["nih"].detail) == (
        "files missing",
        1,
        "00000001_000.png",
    )
    (root / "Data_Entry_2017_v2020.csv").write_text("nothing\n1\n")
    assert _by_name(states("chestxray", tmp_path, {}))["nih"].state == "unreadable"


def test_an_unknown_suite_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown suite"):
        states("chestxrays", tmp_path, {})


def test_the_list_in_full_leaves_nothing_out():
    rows = datasets_in_full()
    assert [row["dataset"] for row in rows] == list(DATASETS)
    for row in rows:
        told = ("title", "tasks", "size", "access", "licence", "source", "citation", "family")
        assert all(row[name] for name in told)
    json.dumps(rows)


def test_overlaps_name_known_datasets_and_hold_both_ways():
    for dataset in DATASETS.values():
        for overlap in dataset.overlaps:
            assert overlap.dataset in DATASETS
            assert overlap.source
            assert dataset.name in sharing_images(overlap.dataset)
    assert "nih" in sharing_images("rsna")


def test_exposure_is_one_row_per_method_and_one_column_per_dataset():
    rows = {row["method"]: row for row in exposure()}
    assert rows["medklip"]["mimic-cxr"] == "images, reports"
    assert rows["medklip"]["nih"] is None
    assert rows["imagenet-resnet50"]["elsewhere"] == ["imagenet-1k"]
    assert all(set(DATASETS) <= set(row) for row in rows.values())
