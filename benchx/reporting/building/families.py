"""Differences between the methods of a column, corrected within a family, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchx.reporting.board import Correction, Family, Pair
from benchx.statistics.case_error import of_macro
from benchx.statistics.letters import compact_letters
from benchx.statistics.moderation import DrawPrior, draw_prior
from benchx.statistics.multiplicity import benjamini_hochberg, holm
from benchx.statistics.power import equivalence
from benchx.statistics.variance import Estimate, difference_estimate, of_difference

_CORRECT = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}


@dataclass(frozen=True)
class Scores:
    """One method in one column.

    Attributes:
        draws: their names.
        scores: [S], of every draw.
        replicates: [S, R], every draw on the same bootstrap replicates.
        by_class: [R, C], every class, averaged over draws.
        held: [C], the fewest clusters that hold a value of each class.
        pooled: how many hold the rarer value of any class.
        clusters: of the test set.
        estimate: of the mean over draws.
    """

    method: str
    draws: tuple[str, ...]
    scores: np.ndarray
    replicates: np.ndarray
    by_class: np.ndarray
    held: np.ndarray
    pooled: int
    clusters: int
    estimate: Estimate


def same_draws(a: Scores, b: Scores) -> bool:
    """Whether two methods were run on the same draws, whose labelled subsets they then share."""
    return len(a.draws) > 1 and a.draws == b.draws


def differences(methods: Sequence[Scores], level: float) -> list[tuple[str, str, Estimate]]:
    """Return a minus b of every two methods, in the order given."""
    priors = draw_priors(methods)
    return [(a.method, b.method, difference(a, b, priors[a.draws], level)) for a, b in combinations(methods, 2)]


def draw_priors(methods: Sequence[Scores]) -> dict[tuple[str, ...], DrawPrior | None]:
    """Return what the methods on the same draws say together of how these vary, by the draws."""
    return {
        draws: draw_prior(np.stack([one.scores for one in methods if one.draws == draws]))
        for draws in {one.draws for one in methods}
    }


def difference(a: Scores, b: Scores, prior: DrawPrior | None, level: float) -> Estimate:
    """Return a minus b on the same replicates, by the one rule of boards, pairs and comparisons.

    Args:
        prior: of `draw_priors` for a's draws; it moderates the variance between draws where b shares them.
        level: of the interval.
    """
    found = difference_estimate(
        a.scores,
        a.replicates,
        b.scores,
        b.replicates,
        of_macro(
            a.by_class - b.by_class, np.minimum(a.held, b.held), min(a.pooled, b.pooled), a.clusters, "difference"
        ),
        paired_draws=same_draws(a, b),
        prior=prior,
        level=level,
    )
    return of_difference(found)


def corrected(
    columns: Sequence[Sequence[tuple[str, str, Estimate]]],
    *,
    correction: Correction,
    family: Family,
    level: float,
    margin: float | None,
) -> list[tuple[Pair, ...]]:
    """Correct the p values of all columns' pairs, within every column or over the whole board."""
    p_values = [np.array([estimate.p_value for _, _, estimate in pairs]) for pairs in columns]
    if family == "board":
        sizes = np.cumsum([len(p) for p in p_values])[:-1]
        adjusted = np.split(_CORRECT[correction](np.concatenate(p_values)), sizes) if p_values else []
    else:
        adjusted = [_CORRECT[correction](p) for p in p_values]
    alpha = 1 - level
    return [
        tuple(
            Pair(
                a,
                b,
                estimate,
                float(p),
                bool(p <= alpha),
                None if margin is None else equivalence(estimate, margin, alpha).equivalent,
            )
            for (a, b, estimate), p in zip(pairs, ps, strict=True)
        )
        for pairs, ps in zip(columns, adjusted, strict=True)
    ]


def letters(methods: Sequence[str], pairs: Sequence[Pair]) -> dict[str, str]:
    """Return the compact letter display of a column's methods, given best first; no letter where nothing is tested."""
    if not pairs:
        return dict.fromkeys(methods, "")
    place = {method: index for index, method in enumerate(methods)}
    different = np.zeros((len(methods), len(methods)), bool)
    for pair in pairs:
        a, b = place[pair.a], place[pair.b]
        different[a, b] = different[b, a] = pair.different
    return compact_letters(methods, different)
