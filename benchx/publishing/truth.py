"""Compare predictions with one's own copy of the data: the split, the test cases, their clusters and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchx.datasets.benchx_lists import read_lists
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold, make_folds, split_digest
from benchx.errors import DatasetError
from benchx.planning import Cell, Reading
from benchx.publishing.pseudonyms import cluster_names, pseudonyms
from benchx.publishing.verdict import counted
from benchx.results.record import Provenance
from benchx.workspace import Workspace


@dataclass(frozen=True)
class Truth:
    """A dataset as its owner has it, read as a cell reads it; no image is opened.

    Attributes:
        names: the samples as a bundle names them: their ids, or pseudonyms.
        folds, split: of the whole dataset, and their digest; empty where the split cannot be made.
        note: why not.
    """

    samples: Samples
    names: Sequence[str]
    hidden: bool
    folds: tuple[Fold, ...]
    split: str
    note: str


def read_truth(reading: Reading, workspace: Workspace, salt: str | None) -> Truth:
    """Read the official files of a dataset.

    Args:
        workspace: says where data and split lists lie.
        salt: of the pseudonyms, where the bundle holds them for this dataset.

    Raises:
        DatasetError: the files are not there or do not read.
    """
    samples = workspace.samples(reading)
    names = samples.table["sample"].astype(str).tolist()
    if salt is not None:
        names = pseudonyms(salt, reading.dataset, names)
    folds: tuple[Fold, ...] = ()
    note = ""
    try:
        lists = read_lists(reading.dataset, workspace.splits_root) if reading.split == "benchx-2024" else None
        folds = make_folds(samples, reading.split, lists)
    except DatasetError as error:
        note = f"{error.what} ({error.why})"
    return Truth(samples, names, salt is not None, folds, split_digest(samples, folds) if folds else "", note)


@dataclass(frozen=True)
class Comparison:
    """What came of comparing predictions with the truth.

    Attributes:
        differences: errors.
        left_out: what only its author can know to be true, in one line each.
        labelled: the table with the true labels; as it is where cases or classes are unknown.
    """

    differences: list[str]
    left_out: list[str]
    labelled: pd.DataFrame


def compare(table: pd.DataFrame, cell: Cell, provenance: Provenance, truth: Truth) -> Comparison:
    """Compare a cell's predictions with the truth.

    Where images were left out as unreadable, as many test cases may lack a prediction. The digest of the split is then
    that of the images that were read, and cannot be compared.
    """
    samples = truth.samples
    row_of = {name: row for row, name in enumerate(truth.names)}
    rows = np.array([row_of.get(name, -1) for name in table["sample"]], dtype=int)
    if (unknown := int((rows < 0).sum())) > 0:
        return Comparison([f"not in your files: {unknown} of {counted(len(rows), 'test case')}"], [], table)
    classes = tuple(cell.settings["classes"])
    if absent := [name for name in classes if name not in samples.classes]:
        return Comparison([f"class '{absent[0]}' is not in your files"], [], table)
    found, left_out = _split(table["fold"].to_numpy(), rows, provenance, truth) if truth.folds else ([], [])
    clusters = samples.clusters[rows]
    expected = cluster_names(table["sample"].tolist(), clusters) if truth.hidden else clusters
    if (wrong := int((expected != table["cluster"].to_numpy()).sum())) > 0:
        found.append(f"another cluster than in your files: {counted(wrong, 'test case')}")
    labels = samples.class_labels(classes)[rows]
    labelled = table.copy()
    for index, name in enumerate(classes):
        column = f"label:{name}"
        if column in table and not np.array_equal(table[column].to_numpy(), labels[:, index], equal_nan=True):
            found.append(f"the labels of '{name}' are not those of your files")
        labelled[column] = labels[:, index]
    return Comparison(found, left_out, labelled)


def _split(folds: np.ndarray, rows: np.ndarray, provenance: Provenance, truth: Truth) -> tuple[list[str], list[str]]:
    found = []
    if provenance.unreadable == 0 and provenance.split != truth.split:
        found.append("the sha256 of the split is not that of your files")
    lacking = total = 0
    for number, fold in enumerate(truth.folds):
        predicted, test = set(rows[folds == number].tolist()), set(fold.test.tolist())
        if surplus := len(predicted - test):
            found.append(f"not on the test cases of fold {number}: {counted(surplus, 'prediction')}")
        lacking, total = lacking + len(test - predicted), total + len(test)
    if not lacking:
        return found, []
    what = f"without a prediction: {lacking} of {counted(total, 'test case')}"
    said = f"{counted(provenance.unreadable, 'image')} said to be unreadable"
    if provenance.unreadable > len(truth.names) or lacking > provenance.unreadable:
        return [*found, f"{what}, with {said}"], []
    return found, [f"{what}; {said}"]
