"""Measure one cell in two stores: both scores, their difference, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.samples import UNITS
from benchx.errors import UsageError
from benchx.metrics.classification import macro_auroc
from benchx.reporting.building.appraisal import appraise, cases_digest
from benchx.reporting.building.columns import scores_of
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.families import difference
from benchx.reporting.building.predictions import misrecorded, read_predictions
from benchx.reporting.compare.comparison import Row
from benchx.reporting.compare.matching import CellName, Side, check_comparable
from benchx.reporting.compare.notes import cost_of, notes_of
from benchx.tasks.predictions import scores_and_labels
from benchx.tasks.scoring import MEASURES

REPLICATES = 2000
"""As on a board, whose replicates in the stores' caches are then used again."""


def measure(name: CellName, base: Side, head: Side, draws: DrawsByCases, level: float) -> Row:
    """Measure a cell that both stores have; a row with a difference has its verdict still to come.

    It is measured on the draws that both have; where they share none, on all as independent ones.

    Raises:
        UsageError: data, split, settings, metric or test cases differ.
        StoreError: predictions cannot be read or scored.
    """
    shared = [draw for draw in base.done if draw in head.done]
    left, right = (
        [side.done[draw] for draw in shared] if shared else list(side.done.values()) for side in (base, head)
    )
    record = left[0].record
    check_comparable(name, record, right[0].record)
    primary = record.cell["primary"]
    before, after = ([read_predictions(found) for found in side] for side in (left, right))
    _check_cases(name, before, after)
    a_scores, b_scores = (_scores(record.cell, tables) for tables in (before, after))
    unit = record.provenance.unit or "image"
    row = Row(
        name,
        "inconclusive",
        primary,
        data=record.provenance.data or "real",
        unit=UNITS[unit],
        units=int(before[0]["cluster"].nunique()),
        draws=tuple(shared),
        lost=tuple(draw for draw in base.done if draw not in head.done) if shared else (),
        base=_mean(a_scores),
        head=_mean(b_scores),
        notes=(
            *notes_of(base, head, shared),
            *(f"BASE: {said}" for said in misrecorded(left, primary, a_scores)),
            *(f"HEAD: {said}" for said in misrecorded(right, primary, b_scores)),
        ),
        cost=cost_of(left, right),
    )
    if shared and all(_same_scores(record.cell, a, b) for a, b in zip(before, after, strict=True)):
        return replace(row, verdict="same", identical=True)
    if row.base is None or row.head is None:
        lacking = [title for title, score in (("BASE", row.base), ("HEAD", row.head)) if score is None]
        return replace(row, reason=f"no {primary} in {' and '.join(lacking)}")
    if row.units < 2:
        return replace(row, reason=f"all {len(before[0])} test cases are of one {unit}: no interval")
    if not shared and min(len(left), len(right)) == 1:
        return replace(row, reason="no draw in common, and one draw says nothing of others: run the same seeds")
    settings = {"replicates": REPLICATES, "dataset": name.dataset}
    b, a = (
        scores_of(
            side,
            appraise(side, primary, lambda table: draws.of(name.dataset, name.task, table), settings, level),
            level,
        )
        for side in (right, left)
    )
    return replace(row, difference=difference(b, a, None, level))


def _check_cases(name: CellName, before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> None:
    expected = cases_digest(name.task, before[0])
    for side, tables in (("BASE", before), ("HEAD", after)):
        for table in tables:
            if (digest := cases_digest(name.task, table)) != expected:
                raise UsageError(
                    f"{name.label}: {len(before[0])} test cases ({expected[:12]}) in BASE, {len(table)} others "
                    f"({digest[:12]}) in {side}",
                    "data and split have the same digest, so one of the files was changed",
                    "run the suite again into an empty store",
                )


def _mean(scores: Sequence[float]) -> float | None:
    """Return the mean over draws, None where one has no score."""
    return None if np.isnan(scores).any() else fmean(scores)


def _scores(cell: Mapping[str, Any], tables: Sequence[pd.DataFrame]) -> list[float]:
    if cell["primary"] == "macro_auroc":
        return np.array([macro_auroc(*scores_and_labels(table)[:2]) for table in tables], np.float64).tolist()
    return [MEASURES[cell["task"]][cell["primary"]].of(table) for table in tables]


def _same_scores(cell: Mapping[str, Any], a: pd.DataFrame, b: pd.DataFrame) -> bool:
    if cell["primary"] == "macro_auroc":
        return np.array_equal(scores_and_labels(a)[0], scores_and_labels(b)[0], equal_nan=True)
    terms = MEASURES[cell["task"]][cell["primary"]].terms
    return np.array_equal(terms(a), terms(b))
