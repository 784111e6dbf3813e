"""What the tests of `benchx pair` share: how a pair is compared, and its predictions read again."""

from __future__ import annotations

import numpy as np
from made_stores import CLASSIFICATION

from benchx.reporting.building.leaderboard import Rules
from benchx.reporting.pair.columns import ComparedPair, PairColumn, compare_pair
from benchx.reporting.pair.sides import PairTest
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.predictions import scores_and_labels

SUITE = read_suite(CLASSIFICATION)
FEW = Rules(replicates=300, margin=0.05)
SKILLS = {"mrm": 2.2, "gloria": 0.8, "random-resnet50": 0.8}
CASES_ONLY = ("percentile", "BCa", "stratified percentile", "DeLong (Obuchowski)", "permutation")


def one_column(cell, dataset="rsna", fraction=0.1):
    return cell.dataset == dataset and cell.fraction == fraction


def compared(store: Store, a="mrm", b="gloria", rules=FEW, datasets=()) -> ComparedPair:
    return compare_pair(SUITE, [store], a, b, rules, lambda done, total: None, datasets)


def column_of(store: Store, **options) -> PairColumn:
    (column,) = compared(store, **options).columns
    return column


def rows_of(column: PairColumn) -> dict[str, PairTest]:
    return {one.test: one for one in column.tests}


def reasons(store: Store, **options) -> dict[str, str]:
    return {one.test: one.reason for one in column_of(store, **options).tests}


def draws_of(store: Store, method: str, dataset="rsna", fraction=0.1):
    """Tables of a method's draws as the board orders them."""
    found = [
        one
        for one in store.records()
        if one.cell["method"] == method and (one.cell["dataset"], one.cell["fraction"]) == (dataset, fraction)
    ]
    found.sort(key=lambda one: one.cell["seed"] or 0)
    return [store.predictions(one.key) for one in found]


def stacked(tables):
    parsed = [scores_and_labels(table) for table in tables]
    return np.stack([scores for scores, _, _ in parsed]), parsed[0][1]
