"""Check the trials of a search: all that the protocol declares, and the choice that follows from them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from benchx.planning import Cell
from benchx.publishing.verdict import counted, shown
from benchx.results.store import TRIALS

MAX_BYTES = 16 << 20
"""Of the trials of one cell."""

_STATE = r"^(finished|halved|failed: [^\r\n]{0,500})$"


class _Trial(BaseModel):
    """A row of `benchx.training.search.Choice.trials`, and the fold it was made on."""

    model_config = ConfigDict(strict=True, extra="forbid")

    fold: Annotated[int, Field(ge=0)]
    trial: Annotated[int, Field(ge=0)]
    settings: dict[str, Any]
    epochs: Annotated[int, Field(ge=1)]
    score: FiniteFloat | None
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    state: Annotated[str, Field(pattern=_STATE)]


class _Search(BaseModel):
    """What the details of a fold tell of its search."""

    model_config = ConfigDict(strict=True, extra="forbid")

    chosen: dict[str, Any]
    trial: int
    trials: int
    best_so_far: list[FiniteFloat | None]


def trial_problems(content: bytes | None, details: Mapping[str, Any], cell: Cell) -> list[str]:
    """Return what is wrong with the trials of a finished cell. A search over prompts trains nothing and has none.

    Args:
        content: of the file of trials; None where there is none.
        details: of its record, whose folds are in order.
    """
    trained = cell.settings["protocol"]["kind"] != "zero-shot"
    search = cell.settings["protocol"].get("search") if trained else None
    if content is None:
        return [] if search is None else [f"its protocol declares a search, and there is no {TRIALS}"]
    if search is None:
        return [f"there is a {TRIALS}, though its protocol declares no search"]
    space = search["space"]
    grid = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    try:
        trials = _read(content)
        told = {one["fold"]: _Search.model_validate(one.get("search")) for one in details["folds"]}
    except ValidationError as error:
        first = error.errors()[0]
        return [f"its trials do not read: {'.'.join(map(str, first['loc'])) or 'a search'}: {first['msg']}"]
    except (ValueError, RecursionError) as error:
        return [f"its trials do not read: {error}"]
    if unknown := sorted({one.fold for one in trials} - set(told)):
        return [f"there are trials of fold {shown(unknown[0])}, of which the details do not tell"]
    found = []
    for fold, one in told.items():
        found += [f"fold {fold}: {why}" for why in _of_fold([row for row in trials if row.fold == fold], one, grid)]
    return found


def _read(content: bytes) -> list[_Trial]:
    if len(content) > MAX_BYTES:
        raise ValueError(f"they take {len(content)} bytes, at most {MAX_BYTES} are read")
    return [_Trial.model_validate_json(line) for line in content.splitlines()]


def _of_fold(trials: list[_Trial], told: _Search, grid: list[dict[str, Any]]) -> list[str]:
    """Compare the trials of a fold with the declared grid and with what the details tell."""
    if [one.trial for one in trials] != list(range(len(grid))):
        return [f"{counted(len(trials), 'trial')}, not the {len(grid)} of the declared grid in their order"]
    if other := [one.trial for one, settings in zip(trials, grid, strict=True) if _other(one.settings, settings)]:
        return [f"trial {other[0]} has other settings than the declared grid"]
    finished = [one for one in trials if one.state == "finished"]
    if not finished:
        return ["no trial finished"]
    best = max(finished, key=lambda one: (-float("inf") if one.score is None else one.score, -one.trial))
    curve = itertools.accumulate((one.score for one in trials), _better)
    found = []
    if (told.trial, told.trials) != (best.trial, len(grid)) or _other(told.chosen, best.settings):
        found.append(f"trial {shown(told.trial)} was chosen, the best that finished is {best.trial}")
    if told.best_so_far != list(curve):
        found.append("the course of the best score does not follow from the trials")
    return found


def _better(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _other(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)
