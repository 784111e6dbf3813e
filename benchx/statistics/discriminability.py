"""Can a dataset tell these methods apart? The spread of their scores against the noise of a score.

The sample variance of M scores is half the mean of the squared differences over all pairs, so without true
differences its expectation is half the mean variance of the pair differences, however the scores are correlated: that
is the noise here, what F = spread^2 / noise^2 divides by. The share of the spread that is not noise, 1 - 1 / F, is
the reliability of classical test theory (intraclass correlation of a mean; Shrout and Fleiss 1979).

The rule: p > 0.05 of the F test is 'cannot' tell them apart; reliability below 0.8 is 'weakly'; otherwise it
'separates'. The F distribution is exact for equally variable, equally correlated normal scores and an approximation
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import f as f_distribution

from benchx.statistics.power import detectable_with

ALPHA = 0.05
POWER = 0.8
RELIABLE = 0.8
"""Customary lower limit of reliability for research that compares groups (Nunnally 1978, Psychometric Theory)."""


@dataclass(frozen=True)
class Discriminability:
    """Whether a column separates its methods.

    Attributes:
        spread: standard deviation (ddof 1) of the methods' scores.
        noise: standard deviation of one method's score, what all methods have in common left out.
        f: spread^2 / noise^2; infinite without noise.
        p_value: of f under equal methods.
        reliability: max(0, 1 - 1 / f), in [0, 1].
        verdict: 'separates', 'weakly' or 'cannot'.
        detectable: difference of two methods that one uncorrected test at 5 % finds with a power of 80 %, as
            `variance.detectable` of an average pair.
        methods: M.
        df: degrees of freedom of the noise.
    """

    spread: float
    noise: float
    f: float
    p_value: float
    reliability: float
    verdict: str
    detectable: float
    methods: int
    df: float


@dataclass(frozen=True)
class Pooled:
    """The verdict of one dataset over its columns (label fractions); fields as in `Discriminability`."""

    f: float
    p_value: float
    reliability: float
    verdict: str
    columns: int


def discriminability(scores: np.ndarray, difference_variance: np.ndarray, df: float) -> Discriminability:
    """Compare the spread of a column's scores with their noise.

    Args:
        scores: [M], averaged over seeds.
        difference_variance: [M, M], variance (squared standard error) of every pair's difference; NaN where a pair
            could not be compared; the diagonal is not read.
        df: degrees of freedom of those variances, say the mean over pairs.

    Raises:
        ValueError: fewer than two methods, a score that is not finite, a negative variance, no pair at all, or no
            degree of freedom.
    """
    scores, variance = np.asarray(scores, dtype=float), np.asarray(difference_variance, dtype=float)
    methods = len(scores)
    if methods < 2:
        raise ValueError(f"to tell methods apart takes two or more, there are {methods}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    if variance.shape != (methods, methods):
        raise ValueError(f"{methods} methods need {methods} x {methods} variances, not {variance.shape}")
    pairs = variance[~np.eye(methods, dtype=bool)]
    pairs = pairs[~np.isnan(pairs)]
    if not len(pairs) or (pairs < 0).any():
        raise ValueError("the variances of the pair differences are missing or negative")
    if not df > 0:
        raise ValueError(f"the noise needs a degree of freedom, there are {df}")
    spread = float(scores.std(ddof=1)) if np.ptp(scores) else 0.0
    noise = sqrt(float(pairs.mean()) / 2)
    f = (spread / noise) ** 2 if noise else (float("inf") if spread else 0.0)
    p_value, reliability, verdict = _judge(f, methods, df)
    smallest = detectable_with(noise * sqrt(2), df, POWER, ALPHA)
    return Discriminability(spread, noise, f, p_value, reliability, verdict, smallest, methods, df)


def from_published(means: np.ndarray, stds: np.ndarray, seeds: int = 3) -> Discriminability:
    """Judge a published column that gives only means and standard deviations over seeds.

    The noise variance of a mean is std^2 S / (S - 1) / S, averaged over methods, with M (S - 1) degrees of freedom;
    noise from the test cases is unknown and left out, so the verdict is on the generous side.

    Args:
        means: [M].
        stds: [M], ddof 0 over the seeds.
        seeds: S.

    Raises:
        ValueError: one seed, or as `discriminability`.
    """
    stds = np.asarray(stds, dtype=float)
    if seeds < 2:
        raise ValueError("a standard deviation over seeds needs two seeds or more")
    if stds.shape != np.shape(means) or not np.isfinite(stds).all():
        raise ValueError("every mean needs a finite standard deviation")
    methods = len(stds)
    noise_variance = float((stds**2).mean()) / (seeds - 1)
    return discriminability(means, np.full((methods, methods), 2 * noise_variance), methods * (seeds - 1))


def pooled(columns: Sequence[Discriminability]) -> Pooled:
    """Judge one dataset over its label fractions, by the mean of their F and the same rule.

    The fractions share their test cases, so their F are dependent in an unknown way. The mean is therefore compared
    with the F distribution of a single column (the fewest methods and degrees of freedom among them): exact when all
    fractions move together, conservative when they are independent (0.8 % for 5 % with three fractions, 10 methods
    and 3 seeds, by simulation, where degrees of freedom added up over fractions give 8.6 %).

    Raises:
        ValueError: no column.
    """
    if not columns:
        raise ValueError("there is no column to pool")
    f = float(np.mean([column.f for column in columns]))
    p_value, reliability, verdict = _judge(
        f, min(column.methods for column in columns), min(column.df for column in columns)
    )
    return Pooled(f, p_value, reliability, verdict, len(columns))


def _judge(f: float, methods: int, df: float) -> tuple[float, float, str]:
    """Return p value, reliability and verdict of an F."""
    p_value = float(f_distribution.sf(f, methods - 1, df))
    reliability = max(0.0, 1 - 1 / f) if f else 0.0
    if p_value > ALPHA:
        return p_value, reliability, "cannot"
    return p_value, reliability, "weakly" if reliability < RELIABLE else "separates"
