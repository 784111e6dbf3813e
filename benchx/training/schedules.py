"""Learning-rate schedules: factors by which the base rate is multiplied at each optimiser step."""

from __future__ import annotations

import math
from collections.abc import Sequence

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_LOWEST = 0.8, 1, 1e-6
"""Of `plateau`: as in the report generation of BenchX; the lowest rate is absolute."""

WARMUP_FROM = 1e-6
"""The first factor of the warm-up of `polynomial`, as in MMSegmentation's configurations of BenchX."""


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """Return the factor in [0, 1] of a linear warm-up followed by half a cosine (Loshchilov and Hutter 2017).

    Args:
        step: optimiser steps already taken; the first step trains at 1 / warmup, not at 0.
        warmup: steps until the full rate.
        total: steps until 0, where the factor stays: a cosine that went on would rise again.
    """
    if step < warmup:
        return (step + 1) / warmup
    if step >= total:
        return 0.0
    return (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def unclamped_cosine(step: int, warmup: int, total: int) -> float:
    """Return the factor in [0, 1] of BenchX's schedule, whose cosine goes on after `total` and rises again.

    Its first step trains at a rate of 0. Source: the WarmupCosine scheduler of BenchX's code.
    """
    if step < warmup:
        return step / warmup
    return max(0.0, (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2)


def polynomial(step: int, warmup: int, total: int) -> float:
    """Return the factor in [0, 1] of a linear warm-up from `WARMUP_FROM`, and of a straight line down to 0.

    MMEngine's LinearLR followed by PolyLR of power 1. Both reach their end in their last step, not after it: the last
    step of the warm-up and the first after it train at the full rate, the last of all at 0.
    """
    if step < warmup:
        return WARMUP_FROM + (1 - WARMUP_FROM) * step / max(1, warmup - 1)
    return max(0.0, 1 - (step - warmup) / max(1, total - warmup - 1))


def constant(step: int, warmup: int, total: int) -> float:
    """Return 1, after a linear warm-up."""
    return (step + 1) / warmup if step < warmup else 1.0


def reductions(scores: Sequence[float | None]) -> int:
    """Return how often the rate of `plateau` was reduced after these validation scores.

    It is reduced when a score is the second in a row that is not better than the best before it (torch's
    ReduceLROnPlateau with mode max, threshold 1e-4 absolute and patience 1); a missing score counts as not better.
    """
    best, bad, count = -math.inf, 0, 0
    for score in scores:
        if score is not None and score > best + 1e-4:
            best, bad = score, 0
        else:
            bad += 1
        if bad > PLATEAU_PATIENCE:
            bad, count = 0, count + 1
    return count


STEPWISE = {
    "cosine": warmup_cosine,
    "cosine-unclamped": unclamped_cosine,
    "polynomial": polynomial,
    "plateau": constant,
}
"""By name, the factor at (step, warmup, total); `plateau` also reduces it, see `reductions`."""
