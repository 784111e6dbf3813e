"""The predictions of a stored result: read with checks, and set against the score that its record has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchx.errors import StoreError
from benchx.reporting.building.gathering import Found
from benchx.results.store import PREDICTIONS
from benchx.tasks.scoring import FAULTS

_ROUNDING = 1e-6
"""A recorded score that is farther from its predictions' is another one."""


def predictions_path(found: Found) -> Path:
    """Return where a result's predictions lie."""
    return found.store.cells / found.record.key / PREDICTIONS


def read_predictions(found: Found) -> pd.DataFrame:
    """Read a result's predictions, cases in the order of their ids.

    Raises:
        StoreError: the file or the record's details are not as the task writes them.
    """
    table = found.store.predictions(found.record.key)
    problem = FAULTS[found.record.cell["task"]](table) or _details_fault(
        found.record.details, set(table.get("fold", ()))
    )
    if problem:
        raise StoreError(
            f"the result {found.record.key[:12]} cannot be scored: {problem}",
            "benchx writes no such result, so a file was changed",
            f"remove {predictions_path(found).parent} and run the suite again",
        )
    return table.sort_values("sample", ignore_index=True)


def misrecorded(found: Sequence[Found], primary: str, scores: Sequence[float]) -> list[str]:
    """Say which results have another primary score in their record than their predictions give.

    Args:
        primary: the metric.
        scores: of every result, from its predictions.
    """
    said = []
    for one, score in zip(found, scores, strict=True):
        cell, key = one.record.cell, one.record.key[:12]
        recorded = (one.record.scores or {}).get(primary)
        if not isinstance(recorded, int | float):
            said.append(f"{key} ({cell['method']}) records no {primary}, its predictions give {score:.4f}")
        elif not abs(recorded - score) <= _ROUNDING:
            said.append(f"{key} ({cell['method']}) records {recorded:.4f}, its predictions give {score:.4f}")
    return said


def _details_fault(details: Mapping[str, Any], numbers: set[int]) -> str | None:
    folds = details.get("folds")
    if not isinstance(folds, list) or not all(isinstance(fold, dict) for fold in folds):
        return "its record lists no folds"
    if not numbers <= {fold.get("fold") for fold in folds}:
        return "its predictions are of folds that its record does not list"
    if not all(isinstance(fold.get("untrained_classes"), list) for fold in folds):
        return "its record does not say which classes were untrained"
    return None
