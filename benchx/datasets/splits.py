"""Who is trained on, validated on and tested on: splits by unit, and nested label fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchx.datasets.benchx_lists import SUBSETS
from benchx.datasets.files import refuse_unknown
from benchx.datasets.samples import UNITS, Samples
from benchx.digests import digest_lines, fraction_of_hash
from benchx.errors import DatasetError

SplitKind = Literal["official", "official-unseen", "cv5", "benchx-2024"]

VALIDATION_SHARE = 0.10
TEST_SHARE = 0.15
CV5_FOLDS = 5
CV5_VALIDATION_SHARE = 0.125


@dataclass(frozen=True)
class Fold:
    """Row numbers of one train / validation / test division, each a sorted int array.

    In `cv5` the five test parts together are the whole dataset, and `val` lies inside the four other
    folds: a protocol that needs no validation set may join it to `train`.

    Attributes:
        subsets: by label fraction, the rows of `train` that a published split fixes for it.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    subsets: Mapping[float, np.ndarray] = field(default_factory=dict)


def make_folds(samples: Samples, kind: SplitKind, lists: Mapping[str, Sequence[str]] | None = None) -> tuple[Fold, ...]:
    """Divide a dataset by whole units (patients where known), the same on every machine.

    `official`: the published parts. Where the source publishes no split, units whose hash of
    (dataset, unit) is below 0.15 are the test set; where it publishes no validation part, the
    next 0.10 of the hash are. So adding images moves nobody.
    `official-unseen`: the same test set, and nothing of its units for training or validation; nothing of the
    validation's units for training. For sources that publish splits with images on both sides.
    `cv5`: fold = floor(5 x hash); inside the other four folds, a second hash takes one unit in eight
    for validation.
    `benchx-2024`: the parts and the label fractions that BenchX lists; images that it does not list are not used.

    Args:
        lists: sample ids by part, for `benchx-2024`, see `benchx_lists.read_lists`.

    Raises:
        DatasetError: the dataset publishes a split but its list files are not there; it publishes none and is too
            small for one; a listed id is unknown, or stands in two parts.
    """
    if kind == "benchx-2024":
        if lists is None:
            raise ValueError("split benchx-2024 needs its lists")
        return (_listed(samples, lists),)
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
    if not {"train", "test"} <= set(part):
        raise DatasetError(
            f"'{samples.dataset}' is too small for a split by hash: {len(units)} {UNITS[samples.unit]}",
            f"{TEST_SHARE:.0%} are for testing and {VALIDATION_SHARE:.0%} for validation; none is left for one part",
            "use split cv5, or more data",
        )
    train, val, test = (np.flatnonzero(part == name) for name in ("train", "val", "test"))
    if kind == "official-unseen":
        val = val[~np.isin(inverse[val], inverse[test])]
        train = train[~np.isin(inverse[train], inverse[np.concatenate([val, test])])]
        if not len(train):
            raise DatasetError(
                f"every training case of '{samples.dataset}' is of {UNITS[samples.unit]} that are tested",
                "without them nothing is left to train on",
                "use split cv5",
            )
    return (Fold(train, val, test),)


def _cv5(dataset: str, units: np.ndarray, inverse: np.ndarray) -> tuple[Fold, ...]:
    number = np.array([int(CV5_FOLDS * fraction_of_hash("cv5", dataset, unit)) for unit in units])
    folds = []
    for fold in range(CV5_FOLDS):
        held = np.array([fraction_of_hash("cv5-val", dataset, fold, unit) for unit in units])
        in_val = (number != fold) & (held < CV5_VALIDATION_SHARE)
        in_train = (number != fold) & ~in_val
        train, val, test = (np.flatnonzero(mask[inverse]) for mask in (in_train, in_val, number == fold))
        folds.append(Fold(train, val, test))
    return tuple(folds)


def _listed(samples: Samples, lists: Mapping[str, Sequence[str]]) -> Fold:
    row_of = {name: row for row, name in enumerate(samples.table["sample"])}
    for part, listed in lists.items():
        refuse_unknown(listed, row_of, f"BenchX's list {part}.txt of '{samples.dataset}'", f"{samples.root}")
    rows = {part: np.unique([row_of[name] for name in listed]).astype(int) for part, listed in lists.items()}
    whole = np.concatenate([rows["train"], rows["val"], rows["test"]])
    if len(np.unique(whole)) < len(whole):
        raise DatasetError(
            f"BenchX's lists of '{samples.dataset}' have an image in two parts",
            "an image cannot be trained on and tested on",
            "fetch the lists again: benchx data splits fetch",
        )
    subsets = {fraction: rows[part] for fraction, part in SUBSETS.items()}
    return Fold(rows["train"], rows["val"], rows["test"], subsets)


def split_digest(samples: Samples, folds: Sequence[Fold]) -> str:
    """Return the sha256 over sorted lines `fold part sample`: of the whole split, and of published fractions."""
    names = samples.table["sample"].to_numpy()
    lines = []
    for number, fold in enumerate(folds):
        parts = {"train": fold.train, "val": fold.val, "test": fold.test}
        parts |= {f"train {fraction:g}": rows for fraction, rows in fold.subsets.items()}
        lines += [f"{number}\t{part}\t{name}" for part, rows in parts.items() for name in names[rows]]
    return digest_lines(sorted(lines))


def units_in_two_parts(samples: Samples, folds: Sequence[Fold]) -> list[str]:
    """Return the units (patients where known) that stand in more than one part of a fold, sorted."""
    clusters = samples.clusters
    shared: set[str] = set()
    for fold in folds:
        parts = [set(clusters[rows]) for rows in (fold.train, fold.val, fold.test)]
        shared |= parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    return sorted(shared)
