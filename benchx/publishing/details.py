"""Check a record's details: what a classification task tells of every fold, and whether it fits the predictions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from benchx.publishing.verdict import counted, shown

Count = Annotated[int, Field(ge=0)]


class _Parts(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    train: Count
    val: Count
    test: Count


class _Fold(BaseModel):
    """What `benchx.tasks.classification.problem.run` keeps of every fold; what a protocol adds is its own."""

    model_config = ConfigDict(strict=True, extra="allow")

    fold: Count
    images: _Parts
    units: _Parts
    untrained_classes: list[str]
    thresholds: dict[str, dict[str, FiniteFloat | None]] = Field(default_factory=dict)


class _Details(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    folds: list[_Fold]


def details_problems(
    details: Mapping[str, Any], table: pd.DataFrame, classes: Collection[str], folds: int
) -> list[str]:
    """Return what is wrong with the details of a classification record.

    Args:
        table: its predictions.
        classes: of its cell.
        folds: how many its split has.
    """
    try:
        read = _Details.model_validate(details).folds
    except ValidationError as error:
        first = error.errors()[0]
        return [f"details.{'.'.join(map(str, first['loc']))}: {first['msg']}"]
    if sorted(one.fold for one in read) != list(range(folds)):
        return [f"details list the folds {shown([one.fold for one in read])}, the split has {folds}"]
    found = []
    for one in read:
        cases = table[table["fold"] == one.fold]
        if one.images.test != len(cases):
            found.append(
                f"details count {counted(one.images.test, 'test image')} in fold {one.fold},"
                f" the predictions {len(cases)}"
            )
        if one.units.test != cases["cluster"].nunique():
            found.append(
                f"details count {counted(one.units.test, 'test unit')} in fold {one.fold},"
                f" the predictions {cases['cluster'].nunique()}"
            )
        if unknown := sorted({*one.untrained_classes, *one.thresholds} - set(classes)):
            found.append(f"details of fold {one.fold} name '{unknown[0]}', which is no class of the cell")
    return found
