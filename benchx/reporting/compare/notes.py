"""What a reader should know beside a verdict: what was left out, what else changed, what it cost, what would decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import Any

from benchx.reporting.building.gathering import Found
from benchx.reporting.compare.comparison import Cost
from benchx.reporting.compare.matching import Side
from benchx.reporting.compare.rule import Need

WORTH_TELLING = 1.2
"""Ratio of HEAD's cost to BASE's."""

_SECONDS, _BYTES = 1.0, 50e6
"""Smaller changes of cost are not told, whatever their ratio."""

LONGEST = 300
"""Characters of a reason, which may be any error message."""


def cost_of(base: Sequence[Found], head: Sequence[Found]) -> Cost:
    """Compare what two sides of a cell took."""
    before, after = ([found.record.provenance for found in side] for side in (base, head))
    seconds = [sum(one.wall_seconds for one in side) for side in (before, after)]
    peaks = [max(one.peak_memory_bytes for one in side) for side in (before, after)]
    machines = [{(one.device, one.threads) for one in side} for side in (before, after)]
    comparable = machines[0] == machines[1] and len(base) == len(head)
    return Cost(
        base_seconds=seconds[0],
        head_seconds=seconds[1],
        base_bytes=peaks[0],
        head_bytes=peaks[1],
        comparable=comparable,
        slower=comparable and _grown(seconds[0], seconds[1], _SECONDS),
        larger=comparable and _grown(peaks[0], peaks[1], _BYTES),
    )


def notes_of(base: Side, head: Side, shared: Sequence[str]) -> tuple[str, ...]:
    """Say what of a cell's two sides differs beside the scores, and what was left out."""
    notes = []
    if not shared:
        notes.append(f"no draw in common: BASE has {_listed(base.done)}, HEAD has {_listed(head.done)}")
    elif len(shared) == 1 and shared[0] != "deterministic":
        notes.append(f"one draw ({shared[0]}): the interval covers the test cases only")
    if shared and set(base.done) != set(head.done):
        for title, side, other in (("BASE", base, head), ("HEAD", head, base)):
            if only := [draw for draw in side.done if draw not in other.done]:
                notes.append(f"only {title} has draw {_listed(only)}, left out")
    before, after = (next(iter(side.done.values())).record.provenance for side in (base, head))
    if before.weights != after.weights:
        notes.append("other weights")
    elif before.method != after.method:
        notes.append("another card or numerics version")
    if before.precision != after.precision:
        notes.append(f"precision {before.precision} in BASE, {after.precision} in HEAD")
    for title, side in (("BASE", base), ("HEAD", head)):
        if side.outdated:
            notes.append(f"{side.outdated} older results in {title} are left out")
    return tuple(notes)


def unfinished_reason(draw: str, state: str, reason: str | None) -> str:
    """Say why a draw has no result, an error message cut to one line of some length."""
    said = f"{draw}: {state}: {' '.join((reason or 'no reason recorded').split())}"
    return said if len(said) <= LONGEST else said[: LONGEST - 3] + "..."


def what_would_do(need: Need, unit: str, draws: int) -> str:
    """Say what would decide an inconclusive cell.

    Args:
        unit: of the test cases, in the plural.
        draws: that were made.
    """
    found = f"would find a difference of {need.target:.2g}"
    if need.clusters is not None:
        clusters = f"about {_rounded_up(need.clusters):,} test {unit} {found}"
        return clusters if need.draws is None else f"{clusters}, so would {need.draws} draws on these"
    if need.draws is not None:
        return f"{need.draws} draws {found}; with {draws} draws no number of {unit} does"
    return f"more draws and more test {unit} are needed: with {draws} draws no number of {unit} {found}"


def cost_texts(cost: Cost) -> list[str]:
    """Say what costs at least 1.2 times as much as before."""
    said = []
    if cost.slower:
        ratio = cost.head_seconds / cost.base_seconds
        said.append(f"wall time x {ratio:.1f} ({cost.base_seconds:.0f} s to {cost.head_seconds:.0f} s)")
    if cost.larger:
        ratio = cost.head_bytes / cost.base_bytes
        said.append(f"peak memory x {ratio:.1f} ({cost.base_bytes / 1e6:.0f} MB to {cost.head_bytes / 1e6:.0f} MB)")
    return said


def _grown(before: float, after: float, least: float) -> bool:
    return before > 0 and after >= WORTH_TELLING * before and after - before > least


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names))


def _rounded_up(count: int) -> int:
    """Round up to two significant digits."""
    step = 10 ** max(0, floor(log10(count)) - 1)
    return ceil(count / step) * step
