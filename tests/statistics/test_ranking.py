"""Ranks, Friedman, Nemenyi, Wilcoxon-Holm against Demsar's example, scipy, statsmodels and scikit-posthocs."""

from __future__ import annotations

from itertools import permutations, product

import autorank
import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from benchx.statistics.multiplicity import holm
from benchx.statistics.ranking import (
    bootstrap_ranks,
    cliques,
    critical_difference,
    friedman,
    friedman_from_ranks,
    nemenyi,
    ranks,
    wilcoxon_holm,
)

# Demsar 2006, Table 6: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets. In the row 'voting' the paper prints
# 0.975 twice but ranks the two values 2 and 3, so the larger one carries a fourth digit here.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
DEMSAR_RANKS = np.array([3.143, 2.000, 2.893, 1.964])


def test_demsars_mean_ranks_chi_square_f_and_critical_differences():
    np.testing.assert_allclose(ranks(DEMSAR).mean(axis=0), DEMSAR_RANKS, atol=5e-4)
    published = friedman_from_ranks(DEMSAR_RANKS, 14)
    assert published.chi2 == pytest.approx(9.28, abs=0.005)
    assert published.f == pytest.approx(3.69, abs=0.005)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=0.005)


def test_demsars_groups_at_five_and_at_ten_percent():
    # At 5 % no pair differs; at 10 % C4.5 (0) is worse than C4.5+m (1) and C4.5+m+cf (3), C4.5+cf (2) is in both
    # groups.
    found = friedman(DEMSAR)
    p = nemenyi(found.mean_ranks, found.blocks)
    assert (p > 0.05).all()
    assert {(a, b) for a, b in zip(*np.nonzero(np.triu(p <= 0.10)), strict=True)} == {(0, 1), (0, 3)}
    assert cliques(found.mean_ranks, critical_difference(4, 14)) == [[3, 1, 2, 0]]
    assert cliques(found.mean_ranks, critical_difference(4, 14, 0.10)) == [[3, 1, 2], [2, 0]]


@pytest.mark.parametrize("alpha", [0.05, 0.10])
def test_critical_values_are_those_of_demsars_table_5(alpha):
    # The table was rounded with up to one unit of the third digit lost.
    table = {
        0.05: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
        0.10: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920],
    }[alpha]
    found = [critical_difference(k, 12, alpha) / np.sqrt(k * (k + 1) / 72) for k in range(2, 11)]
    np.testing.assert_allclose(found, table, atol=1.1e-3)


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_friedman_is_scipys_and_iman_davenport_the_analysis_of_variance_of_ranks(decimals):
    scores = np.random.default_rng(decimals).normal(size=(9, 5)).round(decimals)
    found, reference = friedman(scores), stats.friedmanchisquare(*scores.T)
    assert found.chi2 == pytest.approx(reference.statistic, rel=1e-12)
    assert found.chi2_p == pytest.approx(reference.pvalue, rel=1e-12)
    table = pd.DataFrame(
        [(block, method, rank) for block, row in enumerate(ranks(scores)) for method, rank in enumerate(row)],
        columns=["block", "method", "rank"],
    )
    anova = anova_lm(ols("rank ~ C(method) + C(block)", table).fit())
    assert found.f == pytest.approx(anova.loc["C(method)", "F"], rel=1e-9)
    assert found.f_p == pytest.approx(anova.loc["C(method)", "PR(>F)"], rel=1e-9)


@pytest.mark.parametrize("row", [[3.0, 2.0, 1.0], [2.0, 1.0, 1.0], [5.0, 4.0]])
def test_where_all_blocks_agree_p_is_the_chance_of_that(row):
    orders = sorted(set(permutations(row)))
    found = friedman(np.array([row] * 3))
    agree = [all(block == blocks[0] for block in blocks) for blocks in product(orders, repeat=3)]
    assert found.f == np.inf
    assert found.f_p == pytest.approx(np.mean(agree), rel=1e-12)


def test_methods_that_tie_everywhere_are_not_told_apart():
    found = friedman(np.ones((5, 3)))
    assert (found.chi2, found.chi2_p, found.f, found.f_p) == (0.0, 1.0, 0.0, 1.0)
    assert (nemenyi(found.mean_ranks, 5) == 1).all()
    assert (wilcoxon_holm(np.ones((9, 3))).p == 1).all()


def test_nemenyi_agrees_with_scikit_posthocs_and_with_the_critical_difference():
    scores = np.random.default_rng(3).normal(size=(12, 6)) + np.linspace(0, 2.5, 6)
    found = friedman(scores)
    p = nemenyi(found.mean_ranks, found.blocks)
    np.testing.assert_allclose(p, scikit_posthocs.posthoc_nemenyi_friedman(scores).to_numpy(), atol=1e-9)
    gaps = np.abs(found.mean_ranks[:, None] - found.mean_ranks)
    np.testing.assert_array_equal(p <= 0.05, gaps >= critical_difference(6, 12))


def test_wilcoxon_holm_agrees_with_scikit_posthocs():
    scores = np.random.default_rng(4).normal(size=(14, 4)) + np.array([0, 0.2, 1, 3])
    found = wilcoxon_holm(scores)
    reference = scikit_posthocs.posthoc_wilcoxon(list(scores.T), p_adjust="holm").to_numpy()
    np.testing.assert_allclose(found.p, reference, rtol=1e-12)
    assert found.decides
    assert (found.p <= 0.05).any()


def test_too_few_datasets_cannot_decide_and_it_says_how_many_would():
    scores = np.arange(10.0) + np.random.default_rng(5).normal(scale=0.1, size=(10, 10))
    found = wilcoxon_holm(scores)
    assert found.smallest_p == 2 / 2**10
    assert not found.decides
    assert (found.p > 0.05).all()
    assert found.needed_blocks == 11
    longer = np.concatenate([scores, np.arange(10.0)[None]])
    decided = wilcoxon_holm(longer)
    assert decided.decides
    assert holm(np.full(45, decided.smallest_p))[0] <= 0.05


def test_ranks_of_ties_are_averaged_along_the_last_axis():
    scores = np.array([[[0.9, 0.5, 0.9], [0.1, 0.2, 0.3]]])
    np.testing.assert_array_equal(ranks(scores), [[[1.5, 3, 1.5], [3, 2, 1]]])


def test_rank_probabilities_share_ties_evenly():
    # Replicate 1: a, b, c. Replicate 2: b and c tie for first. Replicate 3: all tie. Replicate 4: c, b, a.
    found = bootstrap_ranks(np.array([[3, 2, 1], [0, 1, 1], [5, 5, 5], [1, 2, 3]]))
    third = 1 / 3
    expected = np.array(
        [[1 + third, third, 2 + third], [0.5 + third, 2.5 + third, third], [1.5 + third, 0.5 + third, 1 + third]]
    )
    np.testing.assert_allclose(found.probabilities, expected / 4, atol=1e-15)
    np.testing.assert_array_equal(found.best, found.probabilities[:, 0])


def test_rank_probabilities_of_random_scores_are_counted_and_sum_to_one():
    replicates = np.random.default_rng(6).normal(size=(4000, 5)) + np.linspace(0, 3, 5)
    found = bootstrap_ranks(replicates)
    ranked = stats.rankdata(-replicates, axis=1)
    counted = np.array([[np.mean(ranked[:, method] == k) for k in range(1, 6)] for method in range(5)])
    np.testing.assert_allclose(found.probabilities, counted, atol=1e-12)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1)
    for end, share in ((found.low, 0.025), (found.high, 0.975)):
        np.testing.assert_array_equal(end, np.quantile(ranked, share, axis=0, method="inverted_cdf"))


def test_methods_that_always_tie_may_hold_any_rank_and_clear_ones_hold_theirs():
    tied = bootstrap_ranks(np.zeros((50, 4)))
    assert (tied.probabilities == 0.25).all()
    assert (tied.low.tolist(), tied.high.tolist()) == ([1] * 4, [4] * 4)
    clear = bootstrap_ranks(np.tile([1.0, 3.0], (50, 1)))
    assert (clear.low.tolist(), clear.high.tolist(), clear.best.tolist()) == ([2, 1], [2, 1], [0, 1])


def test_cliques_are_the_largest_runs_and_leave_out_single_methods():
    assert cliques(np.array([1.0, 4.0, 2.0, 3.2]), 1.3) == [[0, 2], [2, 3], [3, 1]]
    assert cliques(np.array([1.0, 4.0, 7.0]), 1.0) == []
    assert cliques(np.array([2.0, 1.0]), 1.0) == []  # a gap of the critical difference is significant


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranks(np.array([1.0, np.nan])), "NaN"),
        (lambda: friedman(np.array([[1.0, 2.0]])), "2 blocks"),
        (lambda: friedman(np.ones((3, 1))), "two methods"),
        (lambda: nemenyi(np.array([1.0]), 3), "two methods"),
        (lambda: critical_difference(3, 1), "2 blocks"),
        (lambda: wilcoxon_holm(np.ones((3, 1))), "two methods"),
        (lambda: wilcoxon_holm(np.ones((0, 3))), "1 blocks"),
        (lambda: wilcoxon_holm(np.array([[1.0, np.nan]] * 3)), "NaN"),
        (lambda: bootstrap_ranks(np.ones((0, 3))), "replicates"),
    ],
)
def test_what_cannot_be_ranked_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_friedman_and_critical_difference_equal_autorank():
    scores = np.random.default_rng(3).normal(size=(12, 5)) + np.linspace(0, 1.5, 5)
    found = autorank.autorank(pd.DataFrame(scores), alpha=0.05, force_mode="nonparametric")
    ours = friedman(scores)
    assert found.pvalue == pytest.approx(ours.chi2_p, rel=1e-9)
    assert found.cd == pytest.approx(critical_difference(5, 12), rel=2e-5)  # its quantile is less exact
    np.testing.assert_allclose(found.rankdf["meanrank"].sort_index(), ours.mean_ranks, atol=1e-12)
