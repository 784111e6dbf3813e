"""The local engine: cells one after the other in this process, going on past what cannot run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from benchx.cell import cell_key, execute, make_record
from benchx.digests import digest_json
from benchx.errors import BenchxError, DataMissing, StoreError, WeightsMissing
from benchx.planning import Cell
from benchx.results.record import State
from benchx.workspace import Workspace

CellState = Literal["run", State]


@dataclass(frozen=True)
class Finished:
    """What became of a cell.

    Attributes:
        state: `run` = computed now, `done` = found finished in the store.
        key: of its result, where data and weights are there.
        reason: why it did not run, in one line.
        score: the primary score of a finished cell.
        error: what stopped it, for those who want to raise it.
    """

    cell: Cell
    state: CellState
    key: str | None = None
    reason: str | None = None
    score: float | None = None
    error: BenchxError | None = None


def run_cells(
    cells: Sequence[Cell], workspace: Workspace, *, retry_failed: bool, recompute: bool
) -> Iterator[Finished]:
    """Run cells in order and yield what became of each.

    A store that cannot be written stops the run; everything else is a state of its cell.

    Raises:
        StoreError: a result could not be written or read.
    """
    advance = workspace.progress.stage("cells")
    told: set[str] = set()
    for number, cell in enumerate(cells):
        advance(number, len(cells))
        finished = _run_cell(cell, workspace, retry_failed=retry_failed, recompute=recompute)
        if finished.reason is None or finished.reason not in told:
            workspace.progress.say(_line(finished))
            told.add(finished.reason or "")
        yield finished
    advance(len(cells), len(cells))


def _line(finished: Finished) -> str:
    """Say what became of a cell; a reason that holds for many cells is told once."""
    cell = finished.cell
    score = "" if finished.score is None else f" {cell.primary} {finished.score:.4f}"
    if finished.score is None and finished.state in ("run", "done"):
        score = f" (no {cell.primary} on these cases)"
    return f"{finished.state:<15} {cell.label}{score}" + (f": {finished.reason}" if finished.reason else "")


def _run_cell(cell: Cell, workspace: Workspace, *, retry_failed: bool, recompute: bool) -> Finished:
    started = time.perf_counter()
    key = None
    try:
        key = cell_key(cell, workspace)
        stored = None if recompute else workspace.store.get(key)
        if stored is not None:
            state: CellState = "done" if stored.state == "done" else "not-applicable"
            return Finished(cell, state, key, stored.reason, _primary(cell, stored.scores))
        failure = workspace.store.failure(cell.digest)
        if failure is not None and failure.key == key and not (retry_failed or recompute):
            return Finished(cell, "failed", key, f"{failure.reason} (before; try again with --retry-failed)")
        record = execute(cell, workspace)
        state = "run" if record.state == "done" else "not-applicable"
        return Finished(cell, state, key, record.reason, _primary(cell, record.scores))
    except (WeightsMissing, DataMissing) as error:
        missing: State = "weights-missing" if isinstance(error, WeightsMissing) else "data-missing"
        workspace.store.put(make_record(cell, workspace, _no_key(cell), missing, started, reason=_one_line(error)))
        return Finished(cell, missing, reason=f"{_one_line(error)}; {error.todo}", error=error)
    except StoreError:
        raise
    except BenchxError as error:
        return _failed(cell, workspace, key, error, started)
    except Exception as error:  # any fault of one cell must leave the others running
        return _failed(cell, workspace, key, _explain(error), started)


def _failed(cell: Cell, workspace: Workspace, key: str | None, error: BenchxError, started: float) -> Finished:
    """Record a failure; one before the data could be opened is always tried again."""
    reason = _one_line(error)
    workspace.store.put(make_record(cell, workspace, key or _no_key(cell), "failed", started, reason=reason))
    return Finished(cell, "failed", key, reason, error=error)


def _no_key(cell: Cell) -> str:
    """Return the key of a cell that has none, its data or weights not being known."""
    return digest_json({"cell": cell.digest, "images": None})


def _explain(error: Exception) -> BenchxError:
    """Put an unforeseen exception into three lines, its own text as the cause."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return BenchxError("out of memory", text, "use a smaller batch in the suite's protocol, or another device")
    wrapped = BenchxError(type(error).__name__, text, "run again with --debug to see where")
    wrapped.__cause__ = error
    return wrapped


def _one_line(error: BenchxError) -> str:
    return error.what + (f" ({error.why})" if error.why else "")


def _primary(cell: Cell, scores: dict[str, object] | None) -> float | None:
    value = (scores or {}).get(cell.primary)
    return value if isinstance(value, float) else None
