from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from benchx.datasets.readers import nih
from benchx.datasets.splits import make_folds, split_digest, units_in_two_parts
from benchx.errors import DatasetError

PATIENTS = 400
ROWS = [(p, f, "Mass" if p % 3 == 0 else "No Finding") for p in range(1, PATIENTS + 1) for f in range(1 + p % 3)]


@pytest.fixture
def samples(write_nih):
    return nih.read(write_nih(ROWS, test=range(1, 101), side=4))


def test_official_keeps_the_published_test_and_takes_validation_by_patient(samples):
    (fold,) = make_folds(samples, "official")
    patients = samples.table["patient"].astype(int).to_numpy()
    assert set(patients[fold.test]) == set(range(1, 101))
    assert units_in_two_parts(samples, (fold,)) == []
    assert len(fold.train) + len(fold.val) + len(fold.test) == len(ROWS)
    assert 0.05 < len(np.unique(patients[fold.val])) / 300 < 0.16


def test_the_hash_is_the_documented_one(samples):
    (fold,) = make_folds(samples, "official")
    patients = samples.table["patient"].to_numpy()
    for row in np.concatenate([fold.train, fold.val]):
        digest = hashlib.sha256(f"split/nih/{patients[row]}".encode()).digest()
        assert (int.from_bytes(digest[:8], "big") / 2**64 < 0.1) == (row in fold.val)


def test_cv5_tests_everyone_once_and_keeps_patients_together(samples):
    folds = make_folds(samples, "cv5")
    assert len(folds) == 5
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(ROWS)))
    assert units_in_two_parts(samples, folds) == []
    for fold in folds:
        assert len(fold.train) + len(fold.val) + len(fold.test) == len(ROWS)
        assert 0.12 < len(fold.test) / len(ROWS) < 0.28


def test_new_images_move_nobody(write_nih, samples):
    more = nih.read(write_nih([*ROWS, (9001, 0, "Mass"), (9002, 0, "Mass")], test=range(1, 101), side=4, name="more"))
    for kind in ("official", "cv5"):
        for before, after in zip(make_folds(samples, kind), make_folds(more, kind), strict=True):
            for part in ("train", "val", "test"):
                old = set(samples.table["sample"][getattr(before, part)])
                assert old == set(more.table["sample"][getattr(after, part)]) & set(samples.table["sample"])


def test_without_a_published_split_the_hash_gives_15_and_10_percent(samples):
    (fold,) = make_folds(dataclasses.replace(samples, publishes_split=False), "official")
    patients = samples.table["patient"].to_numpy()
    assert 0.10 < len(np.unique(patients[fold.test])) / PATIENTS < 0.20
    assert 0.06 < len(np.unique(patients[fold.val])) / PATIENTS < 0.15
    assert units_in_two_parts(samples, (fold,)) == []


def test_a_patient_in_both_official_lists_is_reported(samples):
    row = int(np.flatnonzero(samples.table["patient"] == "2")[0])
    samples.table.loc[row, "official"] = "train"
    folds = make_folds(samples, "official")
    assert units_in_two_parts(samples, folds) == ["2"]


@pytest.mark.parametrize("lists", [["test_list.txt"], ["train_val_list.txt"], ["test_list.txt", "train_val_list.txt"]])
def test_missing_lists_stop_official_but_not_cv5(write_nih, lists):
    root = write_nih(ROWS, test=[1], side=4)
    for name in lists:
        (root / name).unlink()
    samples = nih.read(root)
    with pytest.raises(DatasetError, match="official split of 'nih' is incomplete"):
        make_folds(samples, "official")
    assert len(make_folds(samples, "cv5")) == 5


def test_the_digest_tells_splits_apart_and_nothing_else(samples):
    official, folds = make_folds(samples, "official"), make_folds(samples, "cv5")
    assert split_digest(samples, official) == split_digest(samples, make_folds(samples, "official"))
    assert split_digest(samples, official) != split_digest(samples, folds)


def test_too_few_patients_for_a_hash_split_is_said(samples):
    for patient in ("1", "2", "3", "4", "5"):
        rows = np.flatnonzero(samples.table["patient"] == patient)
        few = dataclasses.replace(samples.take(rows), publishes_split=False)
        with pytest.raises(DatasetError, match="too small for a split by hash: 1 patients"):
            make_folds(few, "official")
