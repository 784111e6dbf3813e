"""A declared search over fields of a protocol: a grid, or successive halving of it; every trial is kept.

Trials are states and rows in the cell's work folder, so that a killed search goes on where it stopped. The test cases
are never seen.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchx.errors import BenchxError
from benchx.protocols import Answer, Finetune, Generate, Segment, read_protocol, with_field
from benchx.training.loop import Diverged
from benchx.writing import write_whole

P = TypeVar("P", Finetune, Segment, Generate, Answer)

Attempt = Callable[[P, Path, int | None], float | None]
"""Trains by a protocol from a state file, or goes on from it, until an epoch (None = the end); returns the best
validation score so far, None where nothing can be scored."""


@dataclass(frozen=True)
class Choice(Generic[P]):
    """What a search chose.

    Attributes:
        protocol: with the chosen values; the given one where nothing is searched.
        state_file: of the chosen training, from which its model is loaded.
        trials: one row each, in the order of the grid: `trial`, `settings`, `epochs` (it was given; patience or a
            failure may have ended it before), `score` (best on validation, or None), `seconds`, `state` (`finished`,
            `halved`, or `failed: why`).
        details: for the record: what was chosen, the number of trials and `best_so_far` (score after each trial).
    """

    protocol: P
    state_file: Path
    trials: tuple[dict[str, Any], ...]
    details: dict[str, Any]


def grid(protocol: P) -> list[dict[str, Any]]:
    """Return the settings of every trial, in the order of the declared values."""
    assert protocol.search is not None
    space = protocol.search.space
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def with_settings(protocol: P, settings: dict[str, Any]) -> P:
    """Return a protocol with some of its fields set, and nothing left to search."""
    fields = protocol.model_dump(mode="json") | {"search": None}
    for path, value in settings.items():
        fields = with_field(fields, path, value)
    chosen = read_protocol(fields)
    assert isinstance(chosen, type(protocol))
    return chosen


def choose(protocol: P, work: Path, attempt: Attempt[P], advance: Callable[[int, int], None]) -> Choice[P]:
    """Try what a protocol declares and choose on validation; of equals the first.

    After each share of `halving`, and not before the first evaluation, the better half (rounded up) of the trials goes
    on; the others keep the score they had. A trial that diverges is out.

    Args:
        work: folder of the search, of one fold of a cell.
        attempt: see `Attempt`.
        advance: called with the attempts done and in all.

    Raises:
        BenchxError: every trial diverged, or every one that halving had left.
    """
    if protocol.search is None:
        return Choice(protocol, work / "state.pt", (), {})
    settings = grid(protocol)
    trials = [with_settings(protocol, one) for one in settings]
    first = min(protocol.first_evaluation, protocol.epochs)
    rungs = [max(first, round(share * protocol.epochs)) for share in protocol.search.halving] + [None]
    alive, done = list(range(len(trials))), _read(work)
    total = sum(math.ceil(len(trials) / 2**number) for number in range(len(rungs)))
    made = 0
    for number, until in enumerate(rungs):
        for index in alive:
            name = f"{number}/{index}"
            if name not in done:
                done[name] = _attempt(trials[index], _state(work, index), until, attempt)
                write_whole(work / "trials.json", json.dumps(done).encode())
            made += 1
            advance(made, total)
        alive = [index for index in alive if not done[f"{number}/{index}"]["failure"]]
        if not alive:
            raise BenchxError(
                f"of {len(trials)} trials every one that went on diverged",
                next(row["failure"] for row in done.values() if row["failure"]),
                "lower the learning rates of the search",
            )
        ranked = sorted(alive, key=lambda index: -_order(done[f"{number}/{index}"]["score"]))
        if until is not None:
            kept = sorted(ranked[: math.ceil(len(alive) / 2)])
            for index in set(alive) - set(kept):
                _state(work, index).unlink(missing_ok=True)
            alive = kept
    best = ranked[0]
    rows = [_row(index, settings[index], protocol.epochs, rungs, done) for index in range(len(trials))]
    details = {"chosen": settings[best], "trial": best, "trials": len(rows), "best_so_far": best_so_far(rows)}
    return Choice(trials[best], _state(work, best), tuple(rows), {"search": details})


def best_so_far(rows: Sequence[dict[str, Any]]) -> list[float | None]:
    """Return the best validation score after each trial, in their order; None before there is one."""
    curve: list[float | None] = []
    for row in rows:
        known = [score for score in (row["score"], curve[-1] if curve else None) if score is not None]
        curve.append(max(known) if known else None)
    return curve


def _attempt(protocol: P, state_file: Path, until: int | None, attempt: Attempt[P]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        score, failure = attempt(protocol, state_file, until), None
    except Diverged as error:
        score, failure = None, error.what
    return {"score": score, "failure": failure, "seconds": round(time.perf_counter() - started, 3)}


def _row(
    index: int, settings: dict[str, Any], epochs: int, rungs: Sequence[int | None], done: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    own = [done.get(f"{number}/{index}") for number in range(len(rungs))]
    made = [one for one in own if one is not None]
    last = made[-1]
    state = f"failed: {last['failure']}" if last["failure"] else "finished" if len(made) == len(rungs) else "halved"
    return {
        "trial": index,
        "settings": settings,
        "epochs": rungs[len(made) - 1] or epochs,
        "score": last["score"],
        "seconds": round(sum(one["seconds"] for one in made), 3),
        "state": state,
    }


def _order(score: float | None) -> float:
    return -math.inf if score is None else score


def _state(work: Path, index: int) -> Path:
    return work / f"trial{index}.pt"


def _read(work: Path) -> dict[str, dict[str, Any]]:
    path = work / "trials.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}
    return found
