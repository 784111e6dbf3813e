"""The rule: which difference is a regression, which is nothing, and what an undecided one lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchx.reporting.compare.rule import judge, need
from benchx.statistics.power import cases_needed, detectable, equivalence
from benchx.statistics.variance import Estimate, difference_estimate

MARGIN, LEVEL = 0.01, 0.95


def estimate(value, se, df=100.0, clusters=None):
    """An estimate with a given error; where nothing varies nothing can be tested, so p = 1."""
    half = float(stats.t.ppf(0.975, df)) * se
    p = float(2 * stats.t.sf(abs(value) / se, df)) if se else 1.0
    return Estimate(
        value=value, low=value - half, high=value + half, se=se, df=df, level=LEVEL, p_value=p,
        case_variance=se**2, case_df=df, clusters=clusters or int(df) + 1, draw_variance=None, draws=1, draw_df=None,
        between_variance=None, interaction_variance=None, prior_df=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (-0.05, 0.010, "regressed"),
        (+0.05, 0.010, "improved"),
        (-0.02, 0.008, "regressed"),  # shown to be lower, and not shown to lie within the margin
        (-0.004, 0.001, "same"),  # shown to be lower, and shown to be negligible
        (+0.004, 0.001, "same"),
        (0.0, 0.001, "same"),
        (-0.02, 0.020, "inconclusive"),
        (0.0, 0.020, "inconclusive"),
        (-0.009, 0.001, "regressed"),  # lower for sure, and as likely as not by less than the margin: not negligible
        (-0.05, 0.0, "inconclusive"),
        (0.0, 0.0, "same"),
    ],
)
def test_one_cell(value, se, verdict):
    assert judge([estimate(value, se)], MARGIN, LEVEL)[0].verdict == verdict


def test_without_a_margin_nothing_is_negligible():
    found = judge([estimate(-1e-4, 1e-6), estimate(0.0, 0.001), estimate(0.0, 0.0)], 0.0, LEVEL)
    assert [one.verdict for one in found] == ["regressed", "inconclusive", "same"]


def test_the_family_decides():
    drop = estimate(-0.025, 0.010)  # p = 0.014
    assert judge([drop], MARGIN, LEVEL)[0].verdict == "regressed"
    assert judge([drop, *[estimate(0.0, 0.02)] * 9], MARGIN, LEVEL)[0].verdict == "inconclusive"


def test_no_cell_is_no_family():
    assert judge([], MARGIN, LEVEL) == []


@pytest.mark.parametrize("seed", range(20))
def test_corrections_are_those_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    family = [estimate(*pair) for pair in zip(rng.normal(0, 0.02, 15), rng.uniform(0.001, 0.02, 15), strict=True)]
    family += family[:3]  # ties
    found = judge(family, MARGIN, LEVEL)
    two_sided = [2 * stats.t.sf(abs(one.value) / one.se, one.df) for one in family]
    # Two one-sided t tests, written out: the larger p value is that of the margin nearer to the value.
    inside = [stats.t.sf((MARGIN - abs(one.value)) / one.se, one.df) for one in family]
    reject, expected, *_ = multipletests(two_sided, alpha=0.05, method="holm")
    negligible, expected_inside, *_ = multipletests(inside, alpha=0.05, method="holm")
    np.testing.assert_allclose([one.p_different for one in found], expected, rtol=1e-10)
    np.testing.assert_allclose([one.p_negligible for one in found], expected_inside, rtol=1e-10)
    for one, difference, lower_or_higher, nothing in zip(found, family, reject, negligible, strict=True):
        if nothing:
            assert one.verdict == "same"
        elif lower_or_higher:
            assert one.verdict == ("improved" if difference.value > 0 else "regressed")
        else:
            assert one.verdict == "inconclusive"


values = st.floats(-0.2, 0.2, allow_subnormal=False)
errors = st.floats(1e-4, 0.1)


@settings(deadline=None)
@given(st.lists(st.tuples(values, errors), min_size=1, max_size=6), st.sampled_from([0.0, 0.005, 0.05]))
def test_swapping_the_sides_swaps_improved_and_regressed(pairs, margin):
    mirror = {"improved": "regressed", "regressed": "improved"}
    there = judge([estimate(value, se) for value, se in pairs], margin, LEVEL)
    back = judge([estimate(-value, se) for value, se in pairs], margin, LEVEL)
    assert [mirror.get(one.verdict, one.verdict) for one in there] == [one.verdict for one in back]


@pytest.mark.parametrize("margin", [-0.1, float("nan")])
def test_a_margin_below_zero_is_an_error(margin):
    with pytest.raises(ValueError, match="margin"):
        judge([estimate(0.1, 0.1)], margin, LEVEL)


def test_what_is_needed_would_do():
    undecided = estimate(0.002, 0.02, df=199.0)
    found = need(undecided, MARGIN, LEVEL, tests=4)
    assert found.target == MARGIN
    assert found.draws is None
    assert found.clusters == cases_needed(undecided, MARGIN, alpha=0.05 / 4)
    # With so many patients the standard error shrinks by the root of their ratio: then the margin is detectable.
    shrunk = estimate(0.002, 0.02 * np.sqrt(200 / found.clusters), df=found.clusters - 1.0)
    assert detectable(shrunk, alpha=0.05 / 4) <= MARGIN
    assert equivalence(replace(shrunk, value=0.0), MARGIN).equivalent


def test_where_the_margin_is_found_already_a_smaller_difference_is_looked_for():
    between = estimate(0.005, 0.0035, df=299.0)
    assert judge([between], MARGIN, LEVEL)[0].verdict == "inconclusive"
    found = need(between, MARGIN, LEVEL, tests=1)
    assert found.target == MARGIN / 2
    assert found.clusters > 300


def test_what_is_needed_are_more_clusters_than_there_are_however_few_hold_a_positive():
    """The degrees of freedom are those of a rare class, the number of patients is not: df = 9 among 500."""
    rare = estimate(0.005, 0.003, df=9.0, clusters=500)
    found = need(rare, MARGIN, LEVEL, tests=1)
    assert found.target == MARGIN / 2
    assert found.clusters > 500


def test_draws_that_differ_much_are_what_is_needed():
    rng = np.random.default_rng(0)
    scores = np.array([0.60, 0.70, 0.80])
    replicates = scores[:, None] + rng.normal(0, 0.001, 500)
    noisy = difference_estimate(scores, replicates, scores[::-1], replicates[::-1] + 0.0, 100, paired_draws=False)
    found = need(noisy, 0.08, LEVEL, tests=1)
    assert found.clusters is None
    assert 3 < found.draws < 100
    hopeless = need(noisy, 0.001, LEVEL, tests=1)
    assert (hopeless.clusters, hopeless.draws) == (None, None)


def test_nothing_is_needed_where_nothing_is_unsure():
    with pytest.raises(ValueError, match="nothing is needed"):
        need(estimate(0.0, 0.0), MARGIN, LEVEL, 1)
    with pytest.raises(ValueError, match="nothing is needed"):
        need(estimate(0.0, 0.1), 0.0, LEVEL, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("true", "wrong"), [(0.0, ("regressed", "improved")), (-MARGIN, ("same",))])
def test_a_wrong_verdict_anywhere_is_as_rare_as_promised(true, wrong):
    """2000 comparisons of 8 cells with known standard errors: 5 % may hold any wrong verdict (3 sigma: 6.5 %)."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        errors = rng.uniform(0.001, 0.02, 8)
        family = [estimate(rng.normal(true, se), se, df=1e6) for se in errors]
        hits += any(one.verdict in wrong for one in judge(family, MARGIN, LEVEL))
    assert 0 < hits / 2000 < 0.065
