"""What a difference with its error could show: detectable size, patients and draws needed, equivalence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scipy import stats

from benchx.statistics.variance import Components, Estimate, check_probability, standard_error, with_draws

MOST_DRAWS = 100


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests.

    Attributes:
        p_lower: of the hypothesis that the value is at most -margin.
        p_upper: of the hypothesis that the value is at least +margin.
        equivalent: both are rejected.
        non_inferior: the first is rejected.
    """

    p_lower: float
    p_upper: float
    equivalent: bool
    non_inferior: bool


def detectable(estimate: Estimate, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest true difference that a two-sided test finds with this power, see `detectable_with`."""
    return detectable_with(estimate.se, estimate.df, power, alpha)


def detectable_with(se: float, df: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return what a two-sided test with this standard error finds with this power: (t_{1-alpha/2} + t_power) se.

    The multiplier is Bloom's (1995, Evaluation Review 19:547), an approximation to the noncentral t within 1 % from ten
    degrees of freedom on.

    Raises:
        ValueError: power or alpha outside (0, 1).
    """
    return _multiplier(df, power, alpha) * se


def cases_needed(estimate: Estimate, margin: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return how many clusters (patients) would make a difference of `margin` detectable; None: no number would.

    The case variance, with the interaction in it, shrinks with the number of clusters; the draw variance does not.

    Args:
        estimate: of a difference.
        margin: > 0, in units of the score.
        power: in (0, 1).
        alpha: two-sided level, in (0, 1).

    Raises:
        ValueError: a margin that is not positive, or power or alpha outside (0, 1).
    """
    if not margin > 0:
        raise ValueError(f"the margin must be positive, not {margin}")

    def enough(clusters: int) -> bool:
        se, df = standard_error(_with_clusters(estimate, clusters))
        return _multiplier(df, power, alpha) * se <= margin

    high = 2
    while not enough(high):
        high *= 2
        if high > 2**50:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def draws_needed(estimate: Estimate, margin: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Return how many draws on the same test cases would make a difference of `margin` detectable; None: not 100.

    Args:
        estimate: of a difference.
        margin: > 0, in units of the score.
        power: in (0, 1).
        alpha: two-sided level, in (0, 1).
    """
    if estimate.draw_df is None:
        return None
    more = range(estimate.draws + 1, MOST_DRAWS + 1)
    return next((draws for draws in more if detectable(with_draws(estimate, draws), power, alpha) <= margin), None)


def equivalence(estimate: Estimate, margin: float, alpha: float = 0.05) -> Equivalence:
    """Test whether a difference lies inside (-margin, margin), by two one-sided tests.

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657. Non-inferiority of the first method is the
    lower of the two tests; a larger value must mean better.

    Raises:
        ValueError: a margin that is not positive, or alpha outside (0, 1).
    """
    if not margin > 0:
        raise ValueError(f"the margin must be positive, not {margin}")
    check_probability("alpha", alpha)
    p_lower = _one_sided(estimate.value + margin, estimate)
    p_upper = _one_sided(margin - estimate.value, estimate)
    return Equivalence(p_lower, p_upper, max(p_lower, p_upper) < alpha, p_lower < alpha)


def _with_clusters(estimate: Estimate, clusters: int) -> Components:
    shrink = estimate.clusters / clusters
    case_df = max((estimate.case_df + 1) / shrink - 1, 1e-3)
    found = replace(estimate, case_variance=estimate.case_variance * shrink, case_df=case_df)
    if estimate.draw_variance is None or estimate.between_variance is None:
        return found
    noise = estimate.between_variance - estimate.draw_variance
    return replace(found, between_variance=estimate.draw_variance + noise * shrink)


def _one_sided(distance: float, estimate: Estimate) -> float:
    """Return the p value of the hypothesis that the distance, with the estimate's error, is not above 0."""
    if estimate.se == 0:
        return float(distance <= 0)
    return float(stats.t.sf(distance / estimate.se, estimate.df))


def _multiplier(df: float, power: float, alpha: float) -> float:
    check_probability("power", power)
    check_probability("alpha", alpha)
    return float(stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df))
