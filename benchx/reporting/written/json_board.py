"""A board as JSON.

A published score has `ours_minus_published` and that `in_uncertainties` beside it, see
`benchx.reporting.board.Column.against`.

JSON has no infinite number and no NaN. Should a board hold one, it is written as the string `Infinity`, `-Infinity` or
`NaN`, as the JSON form of protocol buffers does.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benchx.reporting.board import SCHEMA_VERSION, Board


def to_json(board: Board) -> dict[str, Any]:
    """Return the board as JSON-able values, `schema_version` first."""
    encoded = {"schema_version": SCHEMA_VERSION, **_encode(board)}
    for column, written in zip(board.columns, encoded["columns"], strict=True):
        for published, row in zip(column.published, written["published"], strict=True):
            gap, sigmas = column.against(published) or (None, None)
            row |= {"ours_minus_published": gap, "in_uncertainties": sigmas}
    return encoded


def _encode(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if dataclasses.is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_encode(one) for one in value]
    if isinstance(value, dict):
        return {name: _encode(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value
