"""A board as JSON and back, exactly.

JSON has no infinite number and no NaN. Where a board holds one (the F of Iman and Davenport is infinite when all blocks
agree), it is written as the string `Infinity`, `-Infinity` or `NaN`, as the JSON form of protocol buffers does.
"""

from __future__ import annotations

import dataclasses
import math
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from benchx.errors import StoreError
from benchx.reporting.board import SCHEMA_VERSION, Board

_NOT_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_json(board: Board) -> dict[str, Any]:
    """Return the board as JSON-able values, `schema_version` first."""
    return {"schema_version": SCHEMA_VERSION, **_encode(board)}


def from_json(value: dict[str, Any]) -> Board:
    """Return the board of JSON-able values.

    Raises:
        StoreError: another schema version, or fields that are missing, unknown or of another kind.
    """
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise StoreError(
            f"this board has schema version {version!r}",
            f"this benchx reads version {SCHEMA_VERSION}",
            "make the board again: benchx leaderboard --suite S --store DIR",
        )
    board = _decode(Board, {name: one for name, one in value.items() if name != "schema_version"}, "board")
    assert isinstance(board, Board)
    return board


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
        return next(name for name, one in _NOT_FINITE.items() if one == value or (one != one and value != value))
    return value


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_fields(kind, value, where)
    if origin in (Union, UnionType):
        (inner,) = (one for one in arguments if one is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_decode(arguments[0], one, f"{where}[{place}]") for place, one in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _decode(arguments[1], one, f"{where}.{name}") for name, one in value.items()}
    if origin is Literal and value in arguments:
        return value
    if kind is float and isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise _malformed(where, f"it holds {type(value).__name__} where {getattr(kind, '__name__', kind)} belongs")


def _decode_fields(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _malformed(where, "it is not an object")
    hints = get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    if names != set(value):
        raise _malformed(where, f"fields missing or unknown: {', '.join(sorted(names ^ set(value)))}")
    return kind(**{name: _decode(hints[name], one, f"{where}.{name}") for name, one in value.items()})


def _malformed(where: str, why: str) -> StoreError:
    return StoreError(f"not a board: {where}", why, "make it again: benchx leaderboard --suite S --store DIR")
