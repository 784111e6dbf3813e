"""The test cases of a cell as they follow from one's own copy of its dataset; no image is opened."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.planning import Cell
from benchx.tasks.report_generation.cases import read_cases
from benchx.tasks.report_texts import text_of
from benchx.tasks.retrieval.pool import candidate_rows, gather

NO_FOLD = -1
LABELLED = ("classification", "few_shot", "zero_shot")
"""Tasks whose truth is the labels of an image."""


def same_cases(cell: Cell) -> Hashable:
    """Return what the test cases of a cell depend on: cells that share it have the same."""
    protocol = cell.settings["protocol"]
    task = "labels" if cell.task in LABELLED else cell.task
    return cell.reading, task, tuple(protocol.get("text", ())), protocol.get("views"), protocol.get("candidates")


def expected_cases(cell: Cell, samples: Samples, folds: Sequence[Fold]) -> pd.DataFrame:
    """Return the cases that a cell may be scored on.

    Args:
        folds: of the dataset; none where its split cannot be made.

    Returns:
        Columns `sample`, `cluster`, `fold` in whose test part the case is, `NO_FOLD` where in none, and `row`, its
        image's row number in the samples, -1 for a report, a study or a question.

    Raises:
        NotApplicable: nothing can be retrieved in these files.
    """
    protocol = cell.settings["protocol"]
    if cell.task == "report_generation":
        return _studies(cell, samples, folds)
    if cell.task == "retrieval":
        return _images_and_reports(cell, samples, folds)
    if cell.task == "vqa":
        samples = samples.cases
    names = samples.table["sample"].astype(str).to_numpy()
    tested = np.full(len(names), NO_FOLD)
    for number, fold in enumerate(folds):
        tested[fold.test] = number
    if cell.task == "segmentation":
        tested[[name not in samples.regions for name in names]] = NO_FOLD
    if protocol["kind"] == "paired":
        tested[[not text_of(samples.reports.get(name), protocol["text"]) for name in names]] = NO_FOLD
    if cell.task == "vqa":
        return _frame(names, samples.clusters, tested, np.full(len(names), -1))
    return _frame(names, samples.clusters, tested, np.arange(len(names)))


def _studies(cell: Cell, samples: Samples, folds: Sequence[Fold]) -> pd.DataFrame:
    protocol = cell.settings["protocol"]
    cases = read_cases(samples, protocol["text"], protocol["views"])
    tested = np.full(len(cases.names), NO_FOLD)
    for number, fold in enumerate(folds):
        tested[cases.among(fold.test)] = number
    return _frame(cases.names, cases.clusters, tested, np.full(len(tested), -1))


def _images_and_reports(cell: Cell, samples: Samples, folds: Sequence[Fold]) -> pd.DataFrame:
    protocol = cell.settings["protocol"]
    pool = gather(samples, *candidate_rows(samples, folds, protocol["candidates"]), protocol["text"])
    names, clusters = samples.table["sample"].astype(str).to_numpy()[pool.images], samples.clusters[pool.images]
    images = _frame(names, clusters, pool.folds, pool.images)
    reports = _frame(np.array(pool.names), clusters[pool.first], pool.folds[pool.first], np.full(len(pool.first), -1))
    return pd.concat([images, reports], ignore_index=True)


def _frame(names: np.ndarray, clusters: np.ndarray, folds: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"sample": names.astype(object), "cluster": clusters, "fold": folds, "row": rows})
