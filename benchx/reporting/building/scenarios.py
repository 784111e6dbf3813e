"""What if: the mean ranks under other datasets, metrics, draws, search budgets, and without contaminated methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb
from statistics import fmean
from typing import Any

import numpy as np

from benchx.reporting.board import Column, Scenario
from benchx.reporting.building.columns import Assessed
from benchx.reporting.rows import Row
from benchx.reporting.wording import METRICS
from benchx.results.record import Record
from benchx.statistics.aggregation import block_order
from benchx.statistics.ranking import ranks
from benchx.words import plural

OTHER_METRICS = {
    "classification": ("macro_auroc", "macro_auprc"),
    "few_shot": ("macro_auroc_at_1", "macro_auroc_at_4", "macro_auroc_at_16"),
    "vqa": ("accuracy", "accuracy_open", "accuracy_closed"),
    "zero_shot": ("macro_auprc",),
    "segmentation": ("dice", "mdice"),
    "retrieval": (),
    "report_generation": ("bleu_4", "rouge_l", "radgraph_f1"),
}
"""By which a standing is drawn up again, where every result has it."""

BUDGETS = (3, 1)
"""Trials of a search that is smaller than the one that was run."""

Score = Callable[[Column, Row], float | None]


def scenarios(columns: Sequence[Column], assessed: Sequence[Assessed], methods: Sequence[str]) -> tuple[Scenario, ...]:
    """Return the mean ranks as run, and under everything that can be varied with what is stored.

    Args:
        columns: of one task and protocol.
        assessed: the same columns with their records.
        methods: those with a result in every column.
    """
    found = [_scenario("as run", "as run", columns, methods, _as_run)]
    names = list(dict.fromkeys(column.dataset for column in columns))
    if len(names) > 1:
        for name in names:
            rest = [column for column in columns if column.dataset != name]
            found.append(_scenario("without a dataset", f"without {name}", rest, methods, _as_run))
    for metric in OTHER_METRICS[columns[0].task]:
        if any(column.primary != metric for column in columns):
            found.append(_scenario("other metric", METRICS[metric], columns, methods, _by_metric(metric)))
    for draw in _draws(columns):
        found.append(_scenario("one draw", f"draw {draw} alone", columns, methods, _of_draw(draw)))
    records = {
        (column.name, method): [one.record for one in draws]
        for column, each in zip(columns, assessed, strict=True)
        for method, draws in each.gathered.by_method.items()
    }
    for budget in BUDGETS:
        name = f"{plural(budget, 'trial')} of the search"
        found.append(_scenario("smaller search", name, columns, methods, _with_budget(records, budget)))
    clean = [m for m in methods if not any(_contaminated(column, m) for column in columns)]
    if 2 <= len(clean) < len(methods):
        name = "without contaminated methods"
        found.append(_scenario(name, name, columns, clean, _as_run))
    return tuple(one for one in found if one is not None)


def expected_score(
    validation: Sequence[float | None], test: Sequence[float | None], preferred: Sequence[float], budget: int
) -> float | None:
    """Return the mean test score of the trial that validation chooses among `budget` random ones of all.

    The idea of Dodge et al. (EMNLP 2019), without replacement and exact: the k-th best of n trials on validation is
    chosen if it is among the drawn and no better one is. Of equal validation scores the preferred one is taken, as the
    search itself does.

    Args:
        validation, test: scores of the n trials; a trial without a validation score ranks last.
        preferred: of every trial a number, the largest of equals is taken: the L2 strength of a head.

    Returns:
        None where a test score is unknown, or there are fewer trials than the budget.
    """
    trials = len(test)
    if len(validation) != trials or trials < budget or any(score is None for score in test):
        return None
    scores = [-1.0 if score is None else score for score in validation]
    order = sorted(range(trials), key=lambda trial: (scores[trial], preferred[trial]), reverse=True)
    chance = [comb(trials - 1 - place, budget - 1) / comb(trials, budget) for place in range(trials)]
    return sum(p * float(test[i] or 0.0) for p, i in zip(chance, order, strict=True))


def _scenario(kind: str, name: str, columns: Sequence[Column], methods: Sequence[str], score: Score) -> Scenario | None:
    """Rank the methods by another score; None where a score is not known."""
    rows = [[column.row(method) for method in methods] for column in columns]
    scores = [
        [None if row is None else score(column, row) for row in some]
        for column, some in zip(columns, rows, strict=True)
    ]
    if any(value is None for some in scores for value in some):
        return None
    order = block_order(ranks(np.array(scores, np.float64)), [column.family for column in columns])
    return Scenario(kind, name, dict(zip(methods, map(float, order.mean(axis=0)), strict=True)))


def _as_run(_: Column, row: Row) -> float:
    return row.score.value


def _by_metric(metric: str) -> Score:
    def score(column: Column, row: Row) -> float | None:
        return row.score.value if column.primary == metric else row.secondary.get(metric)

    return score


def _draws(columns: Sequence[Column]) -> list[str]:
    """Return the names of the draws, where something is drawn."""
    names = [draw.name for column in columns if column.drawn != "nothing" for row in column.rows for draw in row.draws]
    return list(dict.fromkeys(names))


def _of_draw(name: str) -> Score:
    def score(column: Column, row: Row) -> float | None:
        if column.drawn == "nothing":
            return row.score.value
        return next((draw.score for draw in row.draws if draw.name == name), None)

    return score


def _with_budget(records: dict[tuple[str, str], list[Record]], budget: int) -> Score:
    """Return the score with a smaller search: a mean over folds and draws of what it would have chosen."""

    def score(column: Column, row: Row) -> float | None:
        found = [
            expected_score(fold.get("selection_curve", ()), fold.get("trial_scores", ()), preferred, budget)
            for record in records[column.name, row.method]
            for preferred in (_preferred(record.cell["settings"]["protocol"]),)
            for fold in record.details["folds"]
        ]
        return None if not found or None in found else fmean(value for value in found if value is not None)

    return score


def _preferred(protocol: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what decides between equal trials: the strongest penalty, or the fewest neighbours."""
    return tuple(protocol.get("strengths", ())) or tuple(-k for k in sorted(set(protocol.get("neighbours", ()))))


def _contaminated(column: Column, method: str) -> bool:
    row = column.row(method)
    return row is not None and bool(row.contaminated)
