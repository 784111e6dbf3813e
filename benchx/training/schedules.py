"""Learning-rate schedules: factors by which the base rate is multiplied at each optimiser step."""

from __future__ import annotations

import math


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
