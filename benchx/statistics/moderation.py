"""What the other methods of a column say of the variance between draws, where three draws say too little themselves.

With S = 3 a variance between draws has two degrees of freedom, and among the 45 pairs of ten methods some are small by
chance: where the draws dominate, such pairs look different, and Holm's correction does not help. So the variance of
every pair is moderated (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3:3): a weighted mean of
its own and of the column's, weights being degrees of freedom. The prior weight is fixed and small instead of estimated,
so that one method whose draws vary much more than the others' does little harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRIOR_DF = 3
"""Weight of the column's variance, in degrees of freedom."""


@dataclass(frozen=True)
class DrawPrior:
    """The variance between draws of a difference, pooled over methods, and the degrees of freedom it counts for."""

    between_variance: float
    df: float


def draw_prior(scores: np.ndarray) -> DrawPrior | None:
    """Pool the variance between draws over methods that were run on the same draws.

    Twice the residual mean square of the two-way layout method x draw: what a draw does to all methods alike is no part
    of their differences.

    Args:
        scores: [M, S].

    Returns:
        None where there is nothing to pool: fewer than three methods, or one draw.
    """
    methods, draws = scores.shape
    weight = min(PRIOR_DF, (draws - 1) * (methods - 2))
    if methods < 3 or draws < 2:
        return None
    residual = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    return DrawPrior(float(2 * (residual**2).sum() / ((methods - 1) * (draws - 1))), float(weight))
