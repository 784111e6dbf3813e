"""One interval for test cases and seeds: variance components, t quantiles, power and equivalence.

A score is measured with S draws (seeds, label subsets) on one test set of K clusters (patients). More patients would
shrink one part of its error, more draws the other:

    variance = case variance (cluster bootstrap of the score averaged over draws) + draw variance / S

The variance between draws also holds the interaction of draw and test case, which the bootstrap counts already; it is
taken out, as in the method of moments for a crossed random design.

Degrees of freedom: with w the share of the draws in the variance (interaction included, since it is estimated from the
same S numbers) and c those of the test cases (`benchx.statistics.case_error`), 1/df = (1 - w) / c + w / (S - 1). To
first order in 1/df this is Cochran's rule, the weighted mean of the two t quantiles (1964, Biometrics 20:191).
Satterthwaite's rule (1946, Biometrics Bulletin 2:110) weighs by squares: where draws dominate but happen to lie close
together it takes almost c. With normal errors,
S = 3 and a draw variance of four times one draw's case variance it covers 92 to 94 % and rejects five to ten times too
often at a level of 0.001; the rule here covers 95 to 96 % and rejects twice too often at that level. The price: where
the interaction is half of the case variance and the draws differ in nothing else, it covers 97 %. With S = 2 and a
dominant draw variance it covers 91 to 94 %, no more. Where the two sides of a difference have independent draws,
Satterthwaite's rule joins the two (Welch's df).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import special, stats

from benchx.statistics.case_error import CaseError, of_mean
from benchx.statistics.moderation import DrawPrior

_ROUNDING = 1e-12  # relative to the largest score: what differs by less is the same


@dataclass(frozen=True)
class Components:
    """Where the error of a score comes from.

    Attributes:
        case_variance: of the score averaged over draws, from resampling the test cases' clusters, corrected.
        case_df: its degrees of freedom, see `benchx.statistics.case_error`.
        clusters: K.
        draw_variance: between draws, one draw's, test-case noise taken out, >= 0; both sides' sum in a difference of
            independent draws. None: nothing was drawn more than once.
        draws: S; the smaller number where two sides differ (the variances are then scaled to it).
        draw_df: degrees of freedom of the variance between draws; None as above.
        between_variance: between draws as observed (or moderated), interaction included; None as above.
        interaction_variance: one draw's interaction of draw and test case, a part of the case variance; None as above.
        prior_df: the part of draw_df that other methods lent, see `benchx.statistics.moderation`.
    """

    case_variance: float
    case_df: float
    clusters: int
    draw_variance: float | None
    draws: int
    draw_df: float | None
    between_variance: float | None
    interaction_variance: float | None
    prior_df: float


@dataclass(frozen=True)
class Estimate(Components):
    """A score, or a difference of scores, with its interval; all numbers finite, in the units of the score.

    Attributes:
        value: the score, averaged over draws.
        low: lower end of the interval.
        high: upper end of the interval.
        se: standard error.
        df: degrees of freedom of the t quantiles, > 0.
        level: nominal coverage, in (0, 1).
        p_value: two-sided, of the hypothesis that the value is 0; it means something for differences only. 1 where
            nothing varies, since then nothing can be tested.
    """

    value: float
    low: float
    high: float
    se: float
    df: float
    level: float
    p_value: float


def mean_estimate(
    scores: np.ndarray, replicates: np.ndarray, clusters: int | CaseError, level: float = 0.95
) -> Estimate:
    """Return the mean over draws with an interval for new test cases and new draws.

    Args:
        scores: float [S], each draw's score on all cases.
        replicates: float [S, R], each draw's score on the same R resampled test sets.
        clusters: how many clusters the test set has (patients, or images where those are unknown), or what the
            bootstrap variance has to be corrected by where it is not of a mean over them.
        level: nominal coverage.

    Raises:
        ValueError: shapes that do not fit, fewer than two clusters or replicates, or a number that is not finite.
    """
    scores, replicates = _checked(scores, replicates, level)
    return _summed(
        [(scores, replicates)], scores.mean(), replicates.mean(axis=0), np.abs(scores).max(), clusters, level
    )


def difference_estimate(
    a_scores: np.ndarray,
    a_replicates: np.ndarray,
    b_scores: np.ndarray,
    b_replicates: np.ndarray,
    clusters: int | CaseError,
    *,
    paired_draws: bool,
    prior: DrawPrior | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return a - b, two methods on the same test cases.

    Args:
        a_scores: float [Sa].
        a_replicates: float [Sa, R].
        b_scores: float [Sb].
        b_replicates: float [Sb, R], of the same resampled test sets.
        clusters: as in mean_estimate.
        paired_draws: draw s of a and draw s of b share what was drawn (the label subset), so that their difference is
            taken draw by draw. Otherwise the draws are independent; a side with one draw is then taken to vary between
            draws as the other one does.
        prior: what the column's other methods say of the variance between paired draws; it is then the weighted mean of
            that and of this pair's own.
        level: nominal coverage.

    Raises:
        ValueError: as in mean_estimate; also other test sets on the two sides, or paired draws of different number.
    """
    a_scores, a_replicates = _checked(a_scores, a_replicates, level)
    b_scores, b_replicates = _checked(b_scores, b_replicates, level)
    if a_replicates.shape[1] != b_replicates.shape[1]:
        raise ValueError(f"the sides have {a_replicates.shape[1]} and {b_replicates.shape[1]} replicates")
    largest = max(np.abs(a_scores).max(), np.abs(b_scores).max())
    sides = [(a_scores, a_replicates), (b_scores, b_replicates)]
    if paired_draws:
        if len(a_scores) != len(b_scores):
            raise ValueError(f"draws are paired, but there are {len(a_scores)} and {len(b_scores)}")
        sides = [(a_scores - b_scores, a_replicates - b_replicates)]
    value = a_scores.mean() - b_scores.mean()
    replicated = a_replicates.mean(axis=0) - b_replicates.mean(axis=0)
    return _summed(sides, value, replicated, largest, clusters, level, prior if paired_draws else None)


def of_score(estimate: Estimate) -> Estimate:
    """Return the estimate of a score in [0, 1] with its interval made on the logit scale, so that it stays inside.

    Near 1 the errors of an AUROC are skewed, and a symmetric interval misses on the far side. Standard error (delta
    method, as for the logit transform in Pepe 2003, section 5.2) and degrees of freedom are the same; at 0 and 1 the
    symmetric interval is cut.
    """
    value, half = estimate.value, (estimate.high - estimate.low) / 2
    if not 0 < value < 1:
        return replace(estimate, low=max(0.0, estimate.low), high=min(1.0, estimate.high))
    width = half / (value * (1 - value))
    low, high = (float(special.expit(special.logit(value) + sign * width)) for sign in (-1, 1))
    return replace(estimate, low=min(low, value), high=max(high, value))


def of_difference(estimate: Estimate) -> Estimate:
    """Return the estimate of a difference of scores with its interval cut to [-1, 1]."""
    return replace(estimate, low=max(-1.0, estimate.low), high=min(1.0, estimate.high))


def with_draws(estimate: Estimate, draws: int) -> Estimate:
    """Return what the same components would give with another number of draws (what would a sixth seed buy?).

    Args:
        estimate: of at least two draws.
        draws: >= 2; where the sides of a difference had different numbers, their ratio is kept.

    Raises:
        ValueError: the estimate has no draw component, or fewer than two draws are asked for.
    """
    if estimate.draw_df is None or estimate.interaction_variance is None:
        raise ValueError("one draw says nothing about other draws")
    if draws < 2:
        raise ValueError(f"at least two draws are needed, not {draws}")
    interaction = min(estimate.case_variance, estimate.interaction_variance / estimate.draws)
    components = replace(
        estimate,
        case_variance=estimate.case_variance + interaction * (estimate.draws / draws - 1),
        draws=draws,
        draw_df=(estimate.draw_df - estimate.prior_df) * (draws - 1) / (estimate.draws - 1) + estimate.prior_df,
    )
    return _inferred(components, estimate.value, estimate.level)


def _summed(
    sides: list[tuple[np.ndarray, np.ndarray]],
    value: float,
    replicated: np.ndarray,
    largest: float,
    clusters: int | CaseError,
    level: float,
    prior: DrawPrior | None = None,
) -> Estimate:
    """Join the variance of `replicated` [R] with those between draws; a side is scores [S] with replicates [S, R]."""
    rounding = _ROUNDING * largest
    case = clusters if isinstance(clusters, CaseError) else of_mean(clusters)
    case_variance = case.factor * _variance(replicated, rounding) + case.added
    components = Components(case_variance, case.df, case.clusters, None, 1, None, None, None, 0.0)
    repeated = [(scores, replicates) for scores, replicates in sides if len(scores) > 1]
    if repeated:
        counts = np.array([len(scores) for scores, _ in repeated])
        between = np.array([_variance(scores, rounding) for scores, _ in repeated])
        interaction = np.array([(all_ - scores[:, None]).var(axis=0, ddof=1).mean() for scores, all_ in repeated])
        degrees = counts - 1.0
        if prior is not None:
            between = (degrees * between + prior.df * prior.between_variance) / (degrees + prior.df)
            degrees = degrees + prior.df
        draws = int(counts.min())
        shares = 1 / counts + (len(sides) - len(repeated))  # a side of one draw varies as the other does
        parts = between * shares
        components = replace(
            components,
            draw_variance=float(draws * (np.maximum(0, between - interaction) * shares).sum()),
            draws=draws,
            draw_df=float(parts.sum() ** 2 / (parts**2 / degrees).sum()) if parts.any() else float(degrees.min()),
            between_variance=float(draws * parts.sum()),
            interaction_variance=float(draws * (interaction * shares).sum()),
            prior_df=prior.df if prior is not None else 0.0,
        )
    return _inferred(components, float(value) if abs(value) > rounding else 0.0, level)


def _variance(values: np.ndarray, rounding: float) -> float:
    return 0.0 if np.ptp(values) <= rounding else float(values.var(ddof=1))


def standard_error(components: Components) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom."""
    if components.draw_variance is None or components.between_variance is None or components.draw_df is None:
        return float(np.sqrt(components.case_variance)), components.case_df
    variance = components.case_variance + components.draw_variance / components.draws
    share = min(1.0, components.between_variance / components.draws / variance) if variance else 0.0
    return float(np.sqrt(variance)), 1 / ((1 - share) / components.case_df + share / components.draw_df)


def _inferred(components: Components, value: float, level: float) -> Estimate:
    se, df = standard_error(components)
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    p_value = float(2 * stats.t.sf(abs(value) / se, df)) if se else 1.0
    return Estimate(
        **{field.name: getattr(components, field.name) for field in fields(Components)},
        value=value,
        low=value - half,
        high=value + half,
        se=se,
        df=df,
        level=level,
        p_value=p_value,
    )


def check_probability(name: str, value: float) -> None:
    """Raise a ValueError unless a value lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value}")


def _checked(scores: np.ndarray, replicates: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    scores, replicates = np.asarray(scores, float), np.asarray(replicates, float)
    if scores.ndim != 1 or replicates.ndim != 2 or len(scores) != len(replicates) or len(scores) == 0:
        raise ValueError(f"scores [S] and replicates [S, R] are needed, not {scores.shape} and {replicates.shape}")
    if replicates.shape[1] < 2:
        raise ValueError("a variance needs at least two replicates")
    if not (np.isfinite(scores).all() and np.isfinite(replicates).all()):
        raise ValueError("scores and replicates must be finite: NaN or infinity found")
    check_probability("level", level)
    return scores, replicates
