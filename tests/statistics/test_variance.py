"""Variance components against worked numbers, scipy's t tests and statsmodels' TOST and power."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from benchx.statistics.power import cases_needed, detectable, equivalence
from benchx.statistics.variance import Estimate, difference_estimate, mean_estimate, with_draws


def certain(scores: np.ndarray, replicates: int = 50) -> np.ndarray:
    """Replicates of a test set so large that resampling it changes nothing."""
    return np.repeat(np.asarray(scores, float)[:, None], replicates, axis=1)


def spread(value: float, se: float, clusters: int) -> np.ndarray:
    """[1, R] replicates as a bootstrap over clusters gives them where the standard error is exactly `se`."""
    noise = np.random.default_rng(0).normal(size=400)
    return value + se * np.sqrt((clusters - 1) / clusters) * ((noise - noise.mean()) / noise.std(ddof=1))[None]


def simulated(
    draws: int, seed: int, case: float = 0.01, draw: float = 0.02, interaction: float = 0.005
) -> tuple[np.ndarray, np.ndarray]:
    """Scores [S] and replicates [S, 3000] with these standard deviations."""
    rng = np.random.default_rng(seed)
    scores = 0.8 + draw * rng.normal(size=draws) + interaction * rng.normal(size=draws)
    return scores, scores[:, None] + case * rng.normal(size=3000) + interaction * rng.normal(size=(draws, 3000))


def iid_difference(n: int, seed: int, shift: float = 0.05) -> tuple[np.ndarray, np.ndarray, Estimate]:
    """Two paired samples, and their mean difference as an estimate of one draw with the t test's standard error."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(shift, 1, n), rng.normal(0, 1, n)
    value, se = (a - b).mean(), (a - b).std(ddof=1) / np.sqrt(n)
    return a, b, mean_estimate(np.array([value]), spread(value, se, n), n)


def test_worked_by_hand() -> None:
    # Means over draws 0.72, 0.73, 0.71: variance 1e-4, times 11/10 for 11 clusters. Between draws 0.04^2 / 2 = 8e-4, of
    # which the interaction is the mean of 0.02^2/2, 0.02^2/2, 0 = 4e-4/3. So the draws' own is 2e-3/3, half of it
    # counts: 1.33e-3/3 in all.
    found = mean_estimate(np.array([0.70, 0.74]), np.array([[0.69, 0.72, 0.69], [0.75, 0.74, 0.73]]), clusters=11)
    assert found.value == pytest.approx(0.72, abs=1e-15)
    assert found.case_variance == pytest.approx(1.1e-4, rel=1e-10)
    assert found.between_variance == pytest.approx(8e-4, rel=1e-10)
    assert found.interaction_variance == pytest.approx(4e-4 / 3, rel=1e-10)
    assert found.draw_variance == pytest.approx(2e-3 / 3, rel=1e-10)
    assert found.se**2 == pytest.approx(1.33e-3 / 3, rel=1e-10)
    # the draws' share is 4e-4 of 13.3e-4 / 3 = 12/13.3, so 1/df = (1.3/13.3) / 10 + (12/13.3) / 1 = 12.13 / 13.3
    df = 13.3 / 12.13
    assert found.df == pytest.approx(df, rel=1e-10)
    half = stats.t.ppf(0.975, df) * np.sqrt(1.33e-3 / 3)
    np.testing.assert_allclose([found.low, found.high], [0.72 - half, 0.72 + half], rtol=1e-10)
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.72 / np.sqrt(1.33e-3 / 3), df), rel=1e-10)
    assert (found.draws, found.case_df, found.draw_df) == (2, 10, 1)


@pytest.mark.parametrize("draws", [2, 3, 5, 30])
def test_without_case_noise_it_is_the_t_test_over_draws(draws: int) -> None:
    a, b = np.random.default_rng(draws).normal(0.8, 0.02, (2, draws))
    found, expected = mean_estimate(a, certain(a), 40, level=0.9), stats.ttest_1samp(a, 0)
    interval = expected.confidence_interval(0.9)
    np.testing.assert_allclose([found.p_value, found.low, found.high], [expected.pvalue, *interval], rtol=1e-9)
    assert found.df == pytest.approx(draws - 1, rel=1e-10)
    paired, expected = difference_estimate(a, certain(a), b, certain(b), 40, paired_draws=True), stats.ttest_rel(a, b)
    interval = expected.confidence_interval()
    np.testing.assert_allclose([paired.p_value, paired.low, paired.high], [expected.pvalue, *interval], rtol=1e-9)


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 5), (5, 3), (12, 4)])
def test_independent_draws_without_case_noise_are_welchs_test(first: int, second: int) -> None:
    rng = np.random.default_rng(first)
    a, b = rng.normal(0.8, 0.02, first), rng.normal(0.79, 0.05, second)
    found = difference_estimate(a, certain(a), b, certain(b), 40, paired_draws=False)
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert found.df == pytest.approx(expected.df, rel=1e-10)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    np.testing.assert_allclose([found.low, found.high], expected.confidence_interval(), rtol=1e-9)
    assert found.se == pytest.approx(np.sqrt(found.draw_variance / found.draws), rel=1e-12)


def test_one_draw_is_the_t_test_over_patients() -> None:
    a, b, found = iid_difference(30, 1)
    expected = stats.ttest_rel(a, b)
    assert (found.draws, found.draw_variance, found.draw_df) == (1, None, None)
    assert found.df == 29
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    np.testing.assert_allclose([found.low, found.high], expected.confidence_interval(), rtol=1e-10)


def test_components_are_found_again() -> None:
    found = mean_estimate(*simulated(3000, 2), clusters=500)
    assert found.draw_variance == pytest.approx(0.02**2, rel=0.1)
    assert found.interaction_variance == pytest.approx(0.005**2, rel=0.05)
    assert found.case_variance == pytest.approx(0.01**2, rel=0.1)
    unbiased = [mean_estimate(*simulated(5, 100 + run, draw=0.03), 500).draw_variance for run in range(400)]
    assert np.mean(unbiased) == pytest.approx(0.03**2, rel=0.12)  # standard error of the mean 3.6 %


def test_interaction_alone_is_no_draw_variance() -> None:
    found = [mean_estimate(*simulated(5, seed, draw=0, interaction=0.01), 500) for seed in range(200)]
    variance = np.array([estimate.draw_variance for estimate in found])
    assert 0.4 < (variance == 0).mean() < 0.75
    assert variance.mean() < 0.35 * 0.01**2


def test_shared_subsets_are_taken_out_by_pairing() -> None:
    rng = np.random.default_rng(3)
    subset = rng.normal(0, 0.05, 5)
    a, b = 0.8 + subset + rng.normal(0, 0.005, 5), 0.78 + subset + rng.normal(0, 0.005, 5)
    paired = difference_estimate(a, certain(a), b, certain(b), 100, paired_draws=True)
    independent = difference_estimate(a, certain(a), b, certain(b), 100, paired_draws=False)
    assert paired.value == pytest.approx(independent.value, abs=1e-15)
    assert paired.se < independent.se / 4
    assert paired.p_value < 0.05 < independent.p_value


def test_common_cases_are_taken_out_whether_draws_are_paired_or_not() -> None:
    noise = spread(0, 0.03, 100)
    a, b = np.array([0.8]), np.array([0.7, 0.71])
    found = difference_estimate(a, a[:, None] + noise, b, b[:, None] + noise, 100, paired_draws=False)
    assert found.case_variance == 0
    assert found.draws == 2
    # The side with one draw varies as the other does: 1/2 + 1 times its variance between draws.
    assert found.se == pytest.approx(np.sqrt(0.01**2 / 2 * 1.5), rel=1e-9)
    assert found.df == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("paired", [True, False])
def test_a_difference_changes_only_its_sign_when_turned_round(paired: bool) -> None:
    one, two = simulated(4, 4), simulated(4, 5)
    there = difference_estimate(*one, *two, 80, paired_draws=paired)
    back = difference_estimate(*two, *one, 80, paired_draws=paired)
    np.testing.assert_allclose(
        [there.value, there.low, there.high, there.se, there.df, there.p_value],
        [-back.value, -back.high, -back.low, back.se, back.df, back.p_value],
        rtol=1e-9,
    )


def test_methods_that_are_the_same_or_certain() -> None:
    scores, replicates = simulated(3, 6)
    for paired in (True, False):
        same = difference_estimate(scores, certain(scores), scores, certain(scores), 10, paired_draws=paired)
        assert (same.value, same.p_value) == (0, 1)
    same = difference_estimate(scores, replicates, scores, replicates, 10, paired_draws=True)
    assert (same.value, same.low, same.high, same.se, same.p_value) == (0, 0, 0, 0, 1)
    constant = np.full(3, 0.1)  # three times 0.1 does not sum to 0.3 in binary
    found = difference_estimate(
        constant, certain(constant), constant[:1], certain(constant[:1]), 10, paired_draws=False
    )
    assert (found.value, found.se, found.p_value) == (0, 0, 1)
    better = difference_estimate(
        np.array([0.9]), certain([0.9]), np.array([0.8]), certain([0.8]), 10, paired_draws=True
    )
    assert (better.low, better.high, better.p_value) == (better.value, better.value, 1)
    assert detectable(better) == 0
    assert cases_needed(better, 0.05) == 2
    assert equivalence(better, 0.2).equivalent
    assert not equivalence(better, 0.05).equivalent
    assert equivalence(better, 0.05).non_inferior


@settings(max_examples=80, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7000001, 1.0]), min_size=1, max_size=4),
    steps=st.sampled_from([0.0, 1e-14, 1e-3, 0.5]),
    clusters=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_whatever_comes_out_is_finite_and_in_order(scores: list[float], steps: float, clusters: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.array(scores)
    replicates = values[:, None] + steps * rng.integers(-1, 2, (len(values), 7))
    found = mean_estimate(values, replicates, clusters)
    assert found.low <= found.value <= found.high
    assert 0 <= found.p_value <= 1
    lowest = found.case_df if found.draw_df is None else min(found.case_df, found.draw_df)
    highest = found.case_df if found.draw_df is None else max(found.case_df, found.draw_df)
    assert lowest * (1 - 1e-12) <= found.df <= highest * (1 + 1e-12)
    assert Estimate(**json.loads(json.dumps(asdict(found), allow_nan=False))) == found


def test_what_a_sixth_seed_buys() -> None:
    five = mean_estimate(*simulated(5, 7), clusters=300)
    again = with_draws(five, 5)
    np.testing.assert_allclose(list(asdict(again).values()), list(asdict(five).values()), rtol=1e-12)
    six = with_draws(five, 6)
    common = five.case_variance - five.interaction_variance / 5
    assert six.case_variance == pytest.approx(common + five.interaction_variance / 6, rel=1e-12)
    assert six.se**2 == pytest.approx(six.case_variance + five.draw_variance / 6, rel=1e-12)
    assert six.se < five.se
    assert six.df > five.df
    assert six.high - six.low < five.high - five.low
    many = with_draws(five, 10**7)
    assert many.se == pytest.approx(np.sqrt(common), rel=1e-4)  # patients are left


def test_more_seeds_of_two_independent_sides() -> None:
    one, two = simulated(4, 8), simulated(8, 9)
    found = difference_estimate(*one, *two, 300, paired_draws=False)
    assert found.draws == 4
    a, b = mean_estimate(*one, 300), mean_estimate(*two, 300)
    assert found.draw_variance / 4 == pytest.approx(a.draw_variance / 4 + b.draw_variance / 8, rel=1e-12)
    twice = with_draws(found, 8)
    assert twice.draw_variance / 8 == pytest.approx(a.draw_variance / 8 + b.draw_variance / 16, rel=1e-12)


@pytest.mark.parametrize("n", [12, 40, 400])
def test_power_is_that_of_statsmodels(n: int) -> None:
    a, b, found = iid_difference(n, n)
    deviation = (a - b).std(ddof=1)
    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8) * deviation
    assert detectable(found) == pytest.approx(expected, rel=0.01)
    margin = 0.4 * deviation
    assert cases_needed(found, margin) == pytest.approx(TTestPower().solve_power(0.4, alpha=0.05, power=0.8), abs=2)


def test_cases_needed_is_the_smallest_number_and_draws_set_a_floor() -> None:
    scores, replicates = simulated(5, 11, case=0.03, draw=0.01)
    found = mean_estimate(scores, replicates, clusters=100)
    endless = (stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * np.sqrt(found.draw_variance / 5)
    assert cases_needed(found, endless * 0.99) is None
    assert cases_needed(found, endless * 1.05) > 100
    assert cases_needed(found, detectable(found)) == pytest.approx(100, abs=1)
    one_draw = mean_estimate(np.array([0.5]), spread(0.5, 0.03, 100), 100)
    assert cases_needed(one_draw, 0.001) == pytest.approx(100 * (2.8016 * 30) ** 2, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.02, 0.3, 2])
def test_equivalence_is_schuirmanns_test(seed: int, margin: float) -> None:
    a, b, found = iid_difference(60, 20 + seed, shift=0.2)
    p_value, (_, p_lower, _), (_, p_upper, _) = ttost_paired(a, b, -margin, margin)
    tested = equivalence(found, margin)
    np.testing.assert_allclose([tested.p_lower, tested.p_upper], [p_lower, p_upper], rtol=1e-9, atol=1e-10)
    assert tested.equivalent == (p_value < 0.05)
    assert tested.non_inferior == (p_lower < 0.05)


def test_what_cannot_be_estimated_is_refused() -> None:
    scores, replicates = simulated(3, 12)
    found = mean_estimate(scores, replicates, 20)
    with pytest.raises(ValueError, match="two clusters"):
        mean_estimate(scores, replicates, 1)
    with pytest.raises(ValueError, match="finite"):
        mean_estimate(np.array([0.5, np.nan, 0.5]), replicates, 20)
    with pytest.raises(ValueError, match="finite"):
        mean_estimate(scores, np.where(replicates == replicates.max(), np.inf, replicates), 20)
    with pytest.raises(ValueError, match="two replicates"):
        mean_estimate(scores, replicates[:, :1], 20)
    for bad in (scores[:2], scores[None], scores[:0]):
        with pytest.raises(ValueError, match=r"scores \[S\]"):
            mean_estimate(bad, replicates, 20)
    with pytest.raises(ValueError, match="level"):
        mean_estimate(scores, replicates, 20, level=95)
    with pytest.raises(ValueError, match="paired, but"):
        difference_estimate(scores, replicates, scores[:2], replicates[:2], 20, paired_draws=True)
    with pytest.raises(ValueError, match="replicates"):
        difference_estimate(scores, replicates, scores, replicates[:, 1:], 20, paired_draws=True)
    with pytest.raises(ValueError, match="one draw"):
        with_draws(mean_estimate(scores[:1], replicates[:1], 20), 5)
    with pytest.raises(ValueError, match="two draws"):
        with_draws(found, 1)
    with pytest.raises(ValueError, match="power"):
        detectable(found, power=1)
    for refused in (lambda: cases_needed(found, 0), lambda: equivalence(found, float("nan"))):
        with pytest.raises(ValueError, match="margin"):
            refused()
    with pytest.raises(ValueError, match="alpha"):
        equivalence(found, 0.1, alpha=0)
