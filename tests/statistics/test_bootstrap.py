"""Replicates of scores against explicit resampling, and intervals against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from benchx.metrics.classification import average_precision, macro_auroc
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.bootstrap import (
    bca_interval,
    macro_auroc_replicates,
    mean_replicates,
    metric_replicates,
    percentile_interval,
    sums_replicates,
)
from benchx.statistics.resampling import Draws, draw_clusters, leave_out

NAN = float("nan")


def names(count: int) -> list[str]:
    return [f"p{number:05d}" for number in range(count)]


def sample(n: int, c: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, c)) < np.linspace(0.2, 0.6, c)).astype(float)
    labels[0], labels[1] = 0, 1
    scores = (rng.normal(size=(n, c)) + labels).round(1)
    return scores, labels, [f"p{patient}" for patient in rng.integers(0, n // 2, n)]


def test_macro_auroc_is_that_of_the_repeated_rows() -> None:
    scores, labels, clusters = sample(80, 3, 0)
    labels[::7, 1] = NAN
    draws = draw_clusters(clusters, 70, 1, labels)
    repeated = [np.repeat(np.arange(80), draws.weights(replicate)) for replicate in range(70)]
    expected = [macro_auroc(scores[rows], labels[rows]) for rows in repeated]
    np.testing.assert_allclose(macro_auroc_replicates(scores, labels, draws), expected, rtol=0, atol=1e-14)


def test_a_class_that_cannot_be_scored_does_not_matter_and_one_that_a_replicate_lacks_does() -> None:
    scores, labels, clusters = sample(60, 2, 2)
    draws = draw_clusters(clusters, 50, 3, labels)
    ours = macro_auroc_replicates(
        np.column_stack([scores, scores[:, 0]]), np.column_stack([labels, np.ones(60)]), draws
    )
    np.testing.assert_array_equal(ours, macro_auroc_replicates(scores, labels, draws))
    labels[:, 0] = np.arange(60) == 5
    plain = draw_clusters(clusters, 50, 3)
    lacking = plain.counts[:, plain.member[5]] == 0
    assert 0 < lacking.sum() < 50
    np.testing.assert_array_equal(np.isnan(macro_auroc_replicates(scores, labels, plain)), lacking)
    with pytest.raises(ValueError, match="no class has both values"):
        macro_auroc_replicates(scores, np.ones((60, 2)), draws)


def test_a_gap_on_the_same_draws_is_narrower_than_on_others() -> None:
    scores, labels, clusters = sample(200, 2, 4)
    close = scores + 0.1 * np.random.default_rng(5).normal(size=scores.shape)
    draws, others = (draw_clusters(clusters, 300, seed, labels) for seed in (6, 7))
    first = macro_auroc_replicates(scores, labels, draws)
    paired, unpaired = (first - macro_auroc_replicates(close, labels, drawn) for drawn in (draws, others))
    assert paired.std() < unpaired.std() / 5
    np.testing.assert_array_equal(first - macro_auroc_replicates(scores, labels, draws), np.zeros(300))


@pytest.mark.parametrize("replicates", [1, 256, 300])
def test_mean_is_that_of_the_repeated_rows(replicates: int) -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=120)
    draws = draw_clusters([str(number) for number in rng.integers(0, 30, 120)], replicates, 9)
    expected = [np.mean(np.repeat(values, draws.weights(replicate))) for replicate in range(replicates)]
    np.testing.assert_allclose(mean_replicates(values, draws), expected, rtol=0, atol=1e-13)


def test_mean_of_equal_values_is_that_value_in_every_replicate() -> None:
    draws = draw_clusters(["a", "b", "b", "c", "d"], 300, 0)
    np.testing.assert_array_equal(mean_replicates(np.full(5, 0.7), draws), np.full(300, 0.7))


def test_mean_of_no_case_is_nan_and_of_an_unfinished_one_is_refused() -> None:
    draws = Draws(np.array([[0, 2], [1, 1]], np.uint8), np.array([0, 0]), 0)
    np.testing.assert_array_equal(mean_replicates(np.array([1.0, 2.0]), draws), [NAN, 1.5])
    for value in (NAN, np.inf):
        with pytest.raises(ValueError, match="finite"):
            mean_replicates(np.array([1.0, value]), draws)
    with pytest.raises(ValueError, match="for 2 cases"):
        mean_replicates(np.zeros(3), draws)


def corpus_ratio(sums: np.ndarray) -> np.ndarray:
    """A score that is no mean: the geometric mean of two pooled ratios, NaN without a case."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(sums[..., 0] / sums[..., 1] * sums[..., 2] / sums[..., 3])


@pytest.mark.parametrize("replicates", [1, 256, 300])
def test_a_score_of_sums_is_that_of_the_repeated_rows(replicates: int) -> None:
    rng = np.random.default_rng(20)
    terms = np.column_stack([rng.random(90), rng.integers(1, 9, 90), rng.random(90), rng.integers(1, 9, 90)])
    draws = draw_clusters([str(number) for number in rng.integers(0, 25, 90)], replicates, 21)
    repeated = [np.repeat(np.arange(90), draws.weights(replicate)) for replicate in range(replicates)]
    expected = [corpus_ratio(terms[rows].sum(axis=0)) for rows in repeated]
    np.testing.assert_allclose(sums_replicates(terms, corpus_ratio, draws), expected, rtol=1e-13)


def test_the_ratio_of_sums_and_counts_is_the_mean() -> None:
    rng = np.random.default_rng(22)
    values = rng.normal(size=120)
    draws = draw_clusters([str(number) for number in rng.integers(0, 30, 120)], 300, 23)
    found = sums_replicates(np.column_stack([values, np.ones(120)]), lambda sums: sums[..., 0] / sums[..., 1], draws)
    np.testing.assert_allclose(found, mean_replicates(values, draws), rtol=0, atol=1e-13)


def test_equal_cases_show_no_variance_and_no_case_no_score() -> None:
    draws = draw_clusters(["a", "b", "b", "c", "d", "e"], 300, 0)
    equal = np.column_stack([np.full(6, 0.1), np.ones(6)])
    found = sums_replicates(equal, lambda sums: sums[..., 0] / sums[..., 1], draws)
    assert np.ptp(found) == 0
    assert found[0] == pytest.approx(0.1, abs=1e-15)
    equal[:-1] = 0
    found = sums_replicates(equal, lambda sums: np.where(sums[..., 1] > 0, 0.1, NAN), draws)
    np.testing.assert_array_equal(np.isnan(found), draws.counts[:, 4] == 0)


def test_terms_that_cannot_be_summed_are_refused() -> None:
    draws = draw_clusters(["a", "b", "c"], 5, 0)
    for terms, said in (
        (np.full((3, 2), NAN), "finite"),
        (np.ones((2, 2)), "for 3 cases"),
        (np.ones(3), "for 3 cases"),
    ):
        with pytest.raises(ValueError, match=said):
            sums_replicates(terms, lambda sums: sums[..., 0], draws)


def test_any_metric_gets_how_often_each_case_counts() -> None:
    scores, labels, clusters = sample(60, 1, 10)
    draws = draw_clusters(clusters, 20, 11, labels)
    found = metric_replicates(lambda weights: average_precision(scores[:, 0], labels[:, 0], weights), draws)
    for replicate in range(20):
        rows = np.repeat(np.arange(60), draws.weights(replicate))
        assert found[replicate] == pytest.approx(average_precision(scores[rows, 0], labels[rows, 0]), abs=1e-13)
    found = metric_replicates(lambda weights: weights @ labels[:, 0] / weights.sum(), draws)
    np.testing.assert_allclose(found, mean_replicates(labels[:, 0], draws), rtol=0, atol=1e-14)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_intervals_are_those_of_scipy_on_its_replicates(level: float) -> None:
    """scipy's own bootstrap distribution given to ours; skewed data, so that BCa moves by far more than 1e-12."""
    values = np.random.default_rng(12).exponential(size=40) ** 2
    draws = leave_out(names(40))
    jackknife = mean_replicates(values, draws)
    for method in ("percentile", "BCa"):
        theirs = bootstrap((values,), np.mean, n_resamples=999, confidence_level=level, method=method, rng=0)
        interval = theirs.confidence_interval
        replicates = theirs.bootstrap_distribution
        plain = percentile_interval(replicates, level)
        ours = plain if method == "percentile" else bca_interval(replicates, values.mean(), jackknife, level)
        np.testing.assert_allclose(ours, [interval.low, interval.high], rtol=0, atol=1e-12)
    assert ours[1] > plain[1] + 0.05


def test_intervals_on_our_draws_are_those_of_scipy_up_to_the_draws() -> None:
    """20,000 replicates each. A 2.5 % quantile then has a standard error of 0.019 deviations; five are allowed."""
    values = np.random.default_rng(13).exponential(size=60)
    ours = mean_replicates(values, draw_clusters(names(60), 20_000, 14))
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=1, batch=2000)
    assert ours.std() == pytest.approx(theirs.standard_error, rel=0.03)
    allowed = 5 * np.sqrt(2) * 0.019 * theirs.standard_error
    interval = theirs.confidence_interval
    found = bca_interval(ours, values.mean(), mean_replicates(values, leave_out(names(60))))
    np.testing.assert_allclose(found, [interval.low, interval.high], rtol=0, atol=allowed)


def test_replicates_equal_to_the_estimate_count_half_below_it() -> None:
    """Symmetric replicates with ties at the estimate, no skewness: BCa is the percentile interval."""
    replicates = np.repeat([-2.0, -1, 0, 1, 2], [5, 20, 50, 20, 5])
    assert bca_interval(replicates, 0.0, np.array([-1.0, 1, -2, 2])) == percentile_interval(replicates)
    constant = np.array([0.5, 0.5, 0.5])
    assert bca_interval(replicates, 0.0, constant) == percentile_interval(replicates)


def test_equal_replicates_are_a_point() -> None:
    replicates = np.full(100, 0.7)
    assert percentile_interval(replicates) == (0.7, 0.7)
    assert bca_interval(replicates, 0.7, np.full(10, 0.7)) == (0.7, 0.7)
    assert bca_interval(replicates, 0.7 + 1e-16, np.array([0.7, 0.6, 0.9])) == (0.7, 0.7)


def test_an_estimate_beyond_the_replicates_falls_to_the_nearest() -> None:
    replicates, jackknife = np.linspace(0.4, 0.6, 50), np.array([0.1, 0.2, 0.9])
    assert bca_interval(replicates, 0.3, jackknife) == (0.4, 0.4)
    assert bca_interval(replicates, 0.7, jackknife) == (0.6, 0.6)


def test_an_acceleration_that_moves_a_limit_to_infinity_falls_to_the_extreme() -> None:
    """One cluster carries all the influence, so the acceleration is at its largest, 1 / 6."""
    replicates = np.linspace(0.0, 1.0, 10_001)
    alone = np.append(np.zeros(9999), -1.0)
    low, high = bca_interval(replicates, 0.9999, alone, 0.999999)
    assert 0.9 < low < high == 1.0
    low, high = bca_interval(replicates, 0.0001, -alone, 0.999999)
    assert 0.0 == low < high < 0.1


def test_a_cluster_that_cannot_be_left_out_does_not_enter_the_acceleration() -> None:
    scores, labels, clusters = sample(80, 1, 15)
    labels[:, 0] = np.arange(80) == 9
    draws, left = draw_clusters(clusters, 200, 16, labels), leave_out(clusters)
    jackknife = macro_auroc_replicates(scores, labels, left)
    assert np.isnan(jackknife).sum() == 1
    replicates = auroc_replicates(scores, labels, draws)[:, 0]
    estimate = macro_auroc(scores, labels)
    low, high = bca_interval(replicates, estimate, jackknife)
    assert low < estimate < high
    assert (low, high) == bca_interval(replicates, estimate, jackknife[np.isfinite(jackknife)])


def test_what_has_no_interval_is_refused() -> None:
    fine = np.arange(10.0)
    for replicates in (np.zeros(0), np.append(fine, NAN), np.append(fine, np.inf)):
        with pytest.raises(ValueError, match="finite"):
            percentile_interval(replicates)
        with pytest.raises(ValueError, match="finite"):
            bca_interval(replicates, 5.0, fine)
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="level"):
            percentile_interval(fine, level)
    for estimate, jackknife in ((NAN, fine), (5.0, np.zeros(1)), (5.0, np.array([1.0, NAN]))):
        with pytest.raises(ValueError, match="BCa interval needs"):
            bca_interval(fine, estimate, jackknife)
