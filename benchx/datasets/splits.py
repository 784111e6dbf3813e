"""Who is trained on, validated on and tested on: splits by unit, and nested label fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchx.datasets.samples import Samples
from benchx.digests import digest_lines, fraction_of_hash
from benchx.errors import DatasetError

SplitKind = Literal["official", "cv5"]

VALIDATION_SHARE = 0.10
TEST_SHARE = 0.15
CV5_FOLDS = 5
CV5_VALIDATION_SHARE = 0.125


@dataclass(frozen=True)
class Fold:
    """Row numbers of one train / validation / test division, each a sorted int array.

    In `cv5` the five test parts together are the whole dataset, and `val` lies inside the four other
    folds: a protocol that needs no validation set may join it to `train`.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def make_folds(samples: Samples, kind: SplitKind) -> tuple[Fold, ...]:
    """Divide a dataset by whole units (patients where known), the same on every machine.

    `official`: the published parts. Where the source publishes no split, units whose hash of
    (dataset, unit) is below 0.15 are the test set; where it publishes no validation part, the
    next 0.10 of the hash are. So adding images moves nobody.
    `cv5`: fold = floor(5 x hash); inside the other four folds, a second hash takes one unit in eight
    for validation.

    Raises:
        DatasetError: the dataset publishes a split but its list files are not there.
    """
    units, inverse = np.unique(samples.clusters, return_inverse=True)
    if kind == "cv5":
        return _cv5(samples.dataset, units, inverse)
    official = samples.table["official"].to_numpy()
    published = set(official) - {""}
    if samples.publishes_split and not {"train", "test"} <= published:
        raise DatasetError(
            f"the official split of '{samples.dataset}' is incomplete: of it there is {sorted(published)}",
            "; ".join(samples.notes) or "the lists leave no image of the CSV for training or for testing",
            "put the published list files beside the CSV, or use split cv5",
        )
    part = official.copy()
    position = np.array([fraction_of_hash("split", samples.dataset, unit) for unit in units])[inverse]
    if not samples.publishes_split:
        part[:] = np.where(position < TEST_SHARE, "test", "train")
        position = position - TEST_SHARE
    if "val" not in published:
        part[(part == "train") & (position < VALIDATION_SHARE)] = "val"
    return (Fold(*(np.flatnonzero(part == name) for name in ("train", "val", "test"))),)


def _cv5(dataset: str, units: np.ndarray, inverse: np.ndarray) -> tuple[Fold, ...]:
    number = np.array([int(CV5_FOLDS * fraction_of_hash("cv5", dataset, unit)) for unit in units])
    folds = []
    for fold in range(CV5_FOLDS):
        held = np.array([fraction_of_hash("cv5-val", dataset, fold, unit) for unit in units])
        val = (number != fold) & (held < CV5_VALIDATION_SHARE)
        train = (number != fold) & ~val
        folds.append(Fold(*(np.flatnonzero(mask[inverse]) for mask in (train, val, number == fold))))
    return tuple(folds)


def split_digest(samples: Samples, folds: Sequence[Fold]) -> str:
    """Return the sha256 over sorted lines `fold part sample` (of the whole split, before fractions)."""
    names = samples.table["sample"].to_numpy()
    lines = [
        f"{number}\t{part}\t{name}"
        for number, fold in enumerate(folds)
        for part in ("train", "val", "test")
        for name in names[getattr(fold, part)]
    ]
    return digest_lines(sorted(lines))


def units_in_two_parts(samples: Samples, folds: Sequence[Fold]) -> list[str]:
    """Return the units (patients where known) that stand in more than one part of a fold, sorted."""
    clusters = samples.clusters
    shared: set[str] = set()
    for fold in folds:
        parts = [set(clusters[rows]) for rows in (fold.train, fold.val, fold.test)]
        shared |= parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    return sorted(shared)
