"""Compare predictions with one's own copy of the data: the split, the test cases, their clusters and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchx.datasets.benchx_lists import read_lists
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold, make_folds, split_digest
from benchx.errors import DatasetError, NotApplicable
from benchx.planning import Cell, Reading
from benchx.publishing.cases import LABELLED, expected_cases
from benchx.publishing.columns import classes_of
from benchx.publishing.pseudonyms import REPORT, case_names, cluster_names
from benchx.publishing.question_flags import compare_flags
from benchx.publishing.verdict import counted
from benchx.results.record import Provenance
from benchx.workspace import Workspace


@dataclass(frozen=True)
class Truth:
    """A dataset as its owner has it, read as a cell reads it; no image is opened.

    Attributes:
        salt: of the pseudonyms by which a bundle names the cases, None where it gives their ids.
        folds, split: of the whole dataset, and their digest; empty where the split cannot be made.
        note: why not.
    """

    samples: Samples
    salt: str | None
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
    folds: tuple[Fold, ...] = ()
    note = ""
    try:
        lists = read_lists(reading.dataset, workspace.splits_root) if reading.split == "benchx-2024" else None
        folds = make_folds(samples.cases, reading.split, lists)
    except DatasetError as error:
        note = f"{error.what} ({error.why})"
    return Truth(samples, salt, folds, split_digest(samples.cases, folds) if folds else "", note)


@dataclass(frozen=True)
class Comparison:
    """What came of comparing predictions with the truth.

    Attributes:
        differences: errors.
        left_out: what only its author can know to be true, in one line each.
        labelled: the table with the true labels, of the tasks that are scored by these; as it is where cases or
            classes are unknown.
    """

    differences: list[str]
    left_out: list[str]
    labelled: pd.DataFrame


def compare(table: pd.DataFrame, cell: Cell, provenance: Provenance, truth: Truth) -> Comparison:
    """Compare a cell's predictions with the truth: its cases, their clusters and folds, and the labels of images.

    What a table counts of masks and reports is not computed again; of a segmentation it is checked that something is
    outlined where the table says so. What it says of questions is computed again, but for whether they were answered
    and what only the method's own vocabulary can tell. Where images were left out as unreadable, as many test cases may
    lack a prediction. The digest of the split is then that of the images that were read, and cannot be compared, nor
    can the reports of retrieval, which may be named by an image, or what training knew of a question.
    """
    samples = truth.samples
    known = samples.mask_classes if cell.task == "segmentation" else samples.classes
    wanted = cell.settings["classes"] if classes_of(cell) else ()
    if absent := [name for name in wanted if name not in known]:
        return Comparison([f"class '{absent[0]}' is not in your files"], [], table)
    if cell.task == "retrieval" and not truth.folds:
        return Comparison([], [], table)
    try:
        expected = expected_cases(cell, samples, truth.folds)
    except NotApplicable as why:
        return Comparison([f"it cannot be scored on your files: {why.what}"], [], table)
    names, clusters = expected["sample"].tolist(), expected["cluster"].tolist()
    if truth.salt is not None:
        names = case_names(cell, truth.salt, names, clusters)
    if cell.task == "retrieval" and provenance.unreadable:
        kept = ~table["sample"].str.startswith(REPORT).to_numpy()
        compared, expected = table[kept], expected[expected["row"] >= 0]
        names = names[: len(expected)]
    else:
        compared = table
    place_of = {name: place for place, name in enumerate(names)}
    places = np.array([place_of.get(name, -1) for name in compared["sample"]], dtype=int)
    if (unknown := int((places < 0).sum())) > 0:
        return Comparison([f"not in your files: {unknown} of {counted(len(places), 'test case')}"], [], table)
    most = provenance.unreadable * _cases_of_an_image(cell, samples)
    found, left_out = _split(compared["fold"].to_numpy(), places, expected["fold"].to_numpy(), most, provenance, truth)
    true = expected["cluster"].to_numpy()[places]
    if truth.salt is not None:
        true = cluster_names(compared["sample"].tolist(), true)
    if (wrong := int((true != compared["cluster"].to_numpy()).sum())) > 0:
        found.append(f"another cluster than in your files: {counted(wrong, 'test case')}")
    rows = expected["row"].to_numpy()[places]
    if cell.task == "segmentation":
        found += _outlines(compared, cell, rows, samples)
    if cell.task == "vqa":
        other, unknown_flags = compare_flags(compared, places, cell, samples, truth.folds, provenance.unreadable)
        found, left_out = found + other, left_out + unknown_flags
    if cell.task not in LABELLED:
        return Comparison(found, left_out, table)
    labels = samples.class_labels(tuple(wanted))[rows]
    labelled = table.copy()
    for index, name in enumerate(wanted):
        column = f"label:{name}"
        if column in table and not np.array_equal(table[column].to_numpy(), labels[:, index], equal_nan=True):
            found.append(f"the labels of '{name}' are not those of your files")
        labelled[column] = labels[:, index]
    return Comparison(found, left_out, labelled)


def _cases_of_an_image(cell: Cell, samples: Samples) -> int:
    """Return how many test cases one image can take with it: of questions those about it."""
    if cell.task != "vqa" or samples.questions is None:
        return 1
    return int(samples.questions["sample"].value_counts().max())


def _outlines(table: pd.DataFrame, cell: Cell, rows: np.ndarray, samples: Samples) -> list[str]:
    """Return the classes that a table finds where nothing is outlined. One that it misses may be too small to see."""
    names = samples.table["sample"].to_numpy()[rows]
    outlined = [{region.label for region in samples.regions.get(name, ())} for name in names]
    union = classes_of(cell) != tuple(cell.settings["classes"])
    found = []
    for name in classes_of(cell):
        meant = set(cell.settings["classes"]) if union else {name}
        there = np.array([bool(meant & some) for some in outlined])
        if wrong := int(((table[f"label:{name}"] == 1).to_numpy() & ~there).sum()):
            found.append(f"'{name}' is not outlined in your files: {counted(wrong, 'test case')}")
    return found


def _split(
    folds: np.ndarray, places: np.ndarray, expected: np.ndarray, most: int, provenance: Provenance, truth: Truth
) -> tuple[list[str], list[str]]:
    """Compare the folds of the predicted cases (by their places) with those of all cases, of which `most` may lack."""
    found = []
    if truth.folds and provenance.unreadable == 0 and provenance.split != truth.split:
        found.append("the sha256 of the split is not that of your files")
    lacking = total = 0
    for number in range(len(truth.folds)):
        predicted, test = set(places[folds == number].tolist()), set(np.flatnonzero(expected == number).tolist())
        if surplus := len(predicted - test):
            found.append(f"not on the test cases of fold {number}: {counted(surplus, 'prediction')}")
        lacking, total = lacking + len(test - predicted), total + len(test)
    if not lacking:
        return found, []
    what = f"without a prediction: {lacking} of {counted(total, 'test case')}"
    said = f"{counted(provenance.unreadable, 'image')} said to be unreadable"
    if provenance.unreadable > len(truth.samples.table) or lacking > most:
        return [*found, f"{what}, with {said}"], []
    return found, [f"{what}; {said}"]
