"""The rule by which a cell of HEAD is judged against the same cell of BASE, and what it would take to judge it.

The difference is HEAD minus BASE on the same resampled test cases. With alpha = 1 - level, M the margin, and both
p values corrected by Holm (1979) over all cells that were tested:

    different    the two-sided test of 'no difference' has a corrected p of at most alpha
    negligible   two one-sided tests (Schuirmann 1987) of 'differs by M or more' have a corrected p of at most alpha
    same         negligible, whether different or not; or a difference of 0 without any error
    regressed    different, lower, not negligible
    improved     different, higher, not negligible
    inconclusive neither different nor negligible

So among cells in which nothing changed, the chance of any false `regressed` or `improved` is at most alpha; among
cells that changed by M or more, so is the chance of any false `same`. A real drop that is not shown to be below M is
a regression; a change that may be large and may be nothing is inconclusive, never the same. With M = 0 nothing is
negligible. Swapping BASE and HEAD swaps `improved` and `regressed` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchx.statistics.multiplicity import first_threshold, holm
from benchx.statistics.power import cases_needed, draws_needed, equivalence
from benchx.statistics.variance import Estimate

Tested = Literal["improved", "same", "regressed", "inconclusive"]


@dataclass(frozen=True)
class Judgement:
    """What a tested cell is.

    Attributes:
        p_different: of no difference, two-sided, corrected.
        p_negligible: of a difference of the margin or more, corrected.
    """

    verdict: Tested
    p_different: float
    p_negligible: float


@dataclass(frozen=True)
class Need:
    """What would find a difference of `target` with 80 % power at the family's first threshold.

    Attributes:
        target: the margin; half of it, or a quarter, where the cases at hand would find the margin already and the
            difference lies somewhere below it. Without a margin, the difference observed.
        clusters: of test cases; None where no number would.
        draws: on the present cases; None where nothing was drawn twice, or 100 draws are too few.
    """

    target: float
    clusters: int | None
    draws: int | None


def judge(differences: Sequence[Estimate], margin: float, level: float) -> list[Judgement]:
    """Judge all tested cells of a comparison, which are one family.

    Args:
        differences: HEAD minus BASE, higher is better.
        margin: >= 0, in units of the score.
        level: tests reject at 1 - level.

    Raises:
        ValueError: a negative margin, or a level outside (0, 1).
    """
    if not margin >= 0:
        raise ValueError(f"the margin must not be negative, it is {margin}")
    alpha = 1 - level
    different = holm(np.array([one.p_value for one in differences], float))
    negligible = holm(np.array([_equivalence_p(one, margin, alpha) for one in differences], float))
    return [
        Judgement(_verdict(one, p <= alpha, q <= alpha), float(p), float(q))
        for one, p, q in zip(differences, different, negligible, strict=True)
    ]


def need(difference: Estimate, margin: float, level: float, tests: int) -> Need:
    """Return what an inconclusive cell lacks.

    Args:
        difference: with a standard error above 0.
        margin: >= 0.
        level: as in `judge`.
        tests: size of the family.

    Raises:
        ValueError: the standard error, or margin and value together, are 0.
    """
    target = margin or abs(difference.value)
    if not (difference.se > 0 and target > 0):
        raise ValueError("without an error, or without a difference to look for, nothing is needed")
    alpha = first_threshold(tests, 1 - level)
    clusters = cases_needed(difference, target, alpha=alpha)
    while clusters is not None and clusters <= difference.clusters:
        target /= 2
        clusters = cases_needed(difference, target, alpha=alpha)
    return Need(target, clusters, draws_needed(difference, target, alpha=alpha))


def _verdict(difference: Estimate, different: bool, negligible: bool) -> Tested:
    if negligible or difference.value == difference.se == 0:
        return "same"
    if not different:
        return "inconclusive"
    return "improved" if difference.value > 0 else "regressed"


def _equivalence_p(difference: Estimate, margin: float, alpha: float) -> float:
    if margin == 0:
        return 1.0
    tests = equivalence(difference, margin, alpha)
    return max(tests.p_lower, tests.p_upper)
