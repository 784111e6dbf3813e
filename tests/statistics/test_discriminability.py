"""Whether a column separates its methods: against the analysis of variance, and under equal methods."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchx.statistics.discriminability import discriminability, from_published, pooled


def test_seeds_only_it_is_the_one_way_analysis_of_variance():
    runs = np.random.default_rng(0).normal(size=(8, 4)) + np.linspace(0, 1, 8)[:, None]
    variance = np.full((8, 8), 2 * runs.var(axis=1, ddof=1).mean() / 4)
    found, reference = discriminability(runs.mean(axis=1), variance, 8 * 3), stats.f_oneway(*runs)
    assert found.f == pytest.approx(reference.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-10)
    assert found.reliability == pytest.approx(1 - 1 / found.f, rel=1e-12)


def test_a_published_standard_deviation_of_ddof_0_gives_the_same():
    runs = np.random.default_rng(1).normal(size=(6, 3))
    found = from_published(runs.mean(axis=1), runs.std(axis=1), seeds=3)
    reference = stats.f_oneway(*runs)
    assert found.f == pytest.approx(reference.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-10)


def test_the_noise_is_half_the_mean_variance_of_the_pairs_that_were_compared():
    variance = np.array([[np.nan, 0.04, 0.08], [0.04, 0.0, np.nan], [0.08, np.nan, 9.0]])
    found = discriminability(np.array([0.1, 0.5, 0.9]), variance, 50)
    assert found.noise == pytest.approx(np.sqrt(0.03))
    assert found.spread == pytest.approx(0.4)
    smallest = (stats.t.ppf(0.975, 50) + stats.t.ppf(0.8, 50)) * np.sqrt(0.06)
    assert found.detectable == pytest.approx(smallest, rel=1e-12)


def test_noise_common_to_all_methods_does_not_count():
    # Scores of 4 equal methods share a test set: variance 1 of the shared part, 0.01 of each method's own.
    rng = np.random.default_rng(2)
    variance = np.full((4, 4), 2 * 0.01)
    scores = rng.normal(size=(2000, 1)) + rng.normal(scale=0.1, size=(2000, 4))
    refused = [discriminability(row, variance, 1e6).p_value <= 0.05 for row in scores]
    assert 0.035 < np.mean(refused) < 0.065


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [(0.0, "cannot"), (1.5, "cannot"), (3.0, "weakly"), (6.0, "separates")],
)
def test_two_methods_are_told_apart_by_more_than_their_noise(gap, verdict):
    # F = gap^2 / 2 here; with (1, 1000) degrees of freedom 5 % lies at 3.85 and a reliability of 0.8 at F = 5.
    assert discriminability(np.array([0.0, gap]), np.full((2, 2), 2.0), 1000).verdict == verdict


def test_without_noise_any_spread_separates_and_none_cannot():
    without = discriminability(np.array([0.7, 0.8]), np.zeros((2, 2)), 9)
    assert (without.verdict, without.f, without.p_value, without.reliability) == ("separates", np.inf, 0.0, 1.0)
    constant = discriminability(np.array([0.1, 0.1, 0.1]), np.zeros((3, 3)), 9)
    assert (constant.verdict, constant.f, constant.p_value, constant.spread) == ("cannot", 0.0, 1.0, 0.0)


def test_equal_methods_are_called_separate_as_rarely_as_stated():
    # Published columns of 10 equal methods with 3 seeds: 5 % give p <= 0.05, and far fewer after pooling three
    # fractions.
    rng = np.random.default_rng(3)
    runs = rng.normal(size=(1500, 3, 10, 3))
    boards = [[from_published(column.mean(axis=1), column.std(axis=1)) for column in board] for board in runs]
    single = np.mean([column.p_value <= 0.05 for board in boards for column in board])
    assert 0.04 < single < 0.06
    assert np.mean([pooled(board).p_value <= 0.05 for board in boards]) < 0.05


def test_pooling_copies_of_one_column_changes_nothing():
    column = from_published(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.4, 0.6]))
    merged = pooled([column, column])
    assert (merged.f, merged.p_value, merged.verdict, merged.columns) == (column.f, column.p_value, column.verdict, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discriminability(np.array([1.0]), np.zeros((1, 1)), 3), "two or more"),
        (lambda: discriminability(np.array([1.0, np.nan]), np.ones((2, 2)), 3), "not finite"),
        (lambda: discriminability(np.array([1.0, 2.0]), np.ones((3, 3)), 3), "2 x 2"),
        (lambda: discriminability(np.array([1.0, 2.0]), np.full((2, 2), np.nan), 3), "missing"),
        (lambda: discriminability(np.array([1.0, 2.0]), np.full((2, 2), -1.0), 3), "negative"),
        (lambda: discriminability(np.array([1.0, 2.0]), np.ones((2, 2)), 0), "degree of freedom"),
        (lambda: from_published(np.ones(3), np.ones(3), seeds=1), "two seeds"),
        (lambda: from_published(np.ones(3), np.array([1.0, np.nan, 1.0])), "finite"),
        (lambda: pooled([]), "no column"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
