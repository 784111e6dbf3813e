"""Check a record's details: what a task tells of every fold, and whether it fits the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from benchx.planning import Cell
from benchx.publishing.columns import classes_of
from benchx.publishing.pseudonyms import REPORT
from benchx.publishing.rescoring import split_folds
from benchx.publishing.verdict import counted, shown

Count = Annotated[int, Field(ge=0)]


class _Parts(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    train: Count
    val: Count
    test: Count


class _Fold(BaseModel):
    """What `benchx.tasks.folds.describe` counts, and what some tasks add; what a protocol adds is its own.

    Attributes:
        studies: of report generation, whose cases they are.
        questions: of question answering, whose cases they are.
        thresholds: of classification, see `benchx.tasks.operating_points`.
        f1_thresholds: of zero-shot classification, by which its calls are made.
    """

    model_config = ConfigDict(strict=True, extra="allow")

    fold: Count
    images: _Parts
    units: _Parts
    untrained_classes: list[str]
    studies: _Parts | None = None
    questions: _Parts | None = None
    thresholds: dict[str, dict[str, FiniteFloat | None]] = Field(default_factory=dict)
    f1_thresholds: dict[str, FiniteFloat | None] = Field(default_factory=dict)


class _Details(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    folds: list[_Fold]


def details_problems(details: Mapping[str, Any], table: pd.DataFrame, cell: Cell) -> list[str]:
    """Return what is wrong with the details of a record.

    Args:
        table: its predictions.
    """
    try:
        read = _Details.model_validate(details).folds
    except ValidationError as error:
        first = error.errors()[0]
        return [f"details.{'.'.join(map(str, first['loc']))}: {first['msg']}"]
    folds = split_folds(cell)
    if sorted(one.fold for one in read) != list(range(folds)):
        return [f"details list the folds {shown([one.fold for one in read])}, the split has {folds}"]
    found = []
    # A report of retrieval is a query beside its images, which alone are counted.
    images = table[~table["sample"].str.startswith(REPORT)] if cell.task == "retrieval" else table
    for one in read:
        cases = images[images["fold"] == one.fold]
        counts, what = {
            "report_generation": (one.studies, "studies"),
            "vqa": (one.questions, "questions"),
        }.get(cell.task, (one.images, "images"))
        if counts is None:
            found.append(f"details of fold {one.fold} do not count its {what}")
        elif counts.test != len(cases):
            found.append(
                f"details count {shown(counts.test)} test {what} in fold {one.fold}, the predictions {len(cases)}"
            )
        if one.units.test != cases["cluster"].nunique():
            found.append(
                f"details count {counted(one.units.test, 'test unit')} in fold {one.fold},"
                f" the predictions {cases['cluster'].nunique()}"
            )
        named = {*one.untrained_classes, *one.thresholds, *one.f1_thresholds}
        if unknown := sorted(named - set(classes_of(cell))):
            found.append(f"details of fold {one.fold} name '{unknown[0]}', which is no class of the cell")
        elif cell.task == "zero_shot":
            found += [
                f"calls of '{name}' in fold {one.fold} do not follow from the threshold of the details"
                for name in classes_of(cell)
                if not _follow(cases, name, one.f1_thresholds.get(name))
            ]
    return found


def _follow(cases: pd.DataFrame, name: str, threshold: float | None) -> bool:
    """Whether a class is called exactly where its score is above the threshold, and nowhere without one."""
    scores = cases[f"score:{name}"].to_numpy(np.float64)
    expected = np.full(len(cases), np.nan) if threshold is None else (scores > threshold).astype(np.float64)
    return np.array_equal(cases[f"call:{name}"].to_numpy(np.float64), expected, equal_nan=True)
