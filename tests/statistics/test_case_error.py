"""What few positive patients do to an interval, and how often equal methods are then told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.case_error import CaseError, holders, of_macro, of_mean, pool
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.variance import difference_estimate, mean_estimate, of_score

NAN = float("nan")


def test_a_mean_over_clusters_gets_back_what_resampling_loses():
    values = np.random.default_rng(0).normal(size=4)
    draws = np.random.default_rng(1).integers(0, 4, (200_000, 4))
    replicates = values[draws].mean(axis=1)[None]
    found = mean_estimate(np.array([values.mean()]), replicates, of_mean(4))
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.02)


def test_holders_count_the_rarer_value_by_cluster():
    labels = np.array([[1, 1], [1, 0], [0, NAN], [0, 1], [1, NAN]])
    assert holders(labels, np.array([0, 0, 1, 2, 3])).tolist() == [2, 1]
    assert holders(np.full((3, 1), NAN), np.arange(3)).tolist() == [0]


def test_the_pool_counts_the_clusters_behind_all_classes_once():
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, NAN, 0], [0, 1, 1], [0, 0, 1], [0, 0, 1]])
    # Rarer: the positives of cluster 0; those of 0 and 2; the negatives of 0 and 1.
    assert pool(labels, np.array([0, 0, 1, 2, 3, 4])) == 3


def test_many_classes_of_the_same_few_patients_are_no_more_than_these():
    by_class = np.random.default_rng(6).normal(0.8, 0.05, (300, 14))
    assert of_macro(by_class, np.full(14, 3), 3, 200).df == 2
    assert of_macro(by_class, np.full(14, 3), 42, 200).df == pytest.approx(28, rel=0.1)


def test_one_class_is_a_mean_over_the_clusters_that_hold_it():
    by_class = np.random.default_rng(2).normal(0.8, 0.05, (50, 1))
    assert of_macro(by_class, np.array([5]), 5, 200) == CaseError(200, pytest.approx(5 / 4), 0.0, pytest.approx(4))


def test_classes_count_by_their_part_of_the_variance():
    # Standard deviations 3 and 1, held by 3 and 11: variances 9 and 1, corrected 13.5 and 1.1.
    noise = np.random.default_rng(3).normal(size=(500, 2))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1)
    found = of_macro(0.8 + noise * [0.03, 0.01], np.array([3, 11]), 14, 200)
    assert found.factor == pytest.approx(14.6 / 10, rel=1e-9)
    assert found.df == pytest.approx(14.6**2 / (13.5**2 / 2 + 1.1**2 / 10), rel=1e-9)
    assert found.added == 0


def test_a_class_of_one_cluster_may_lie_anywhere():
    by_class = np.column_stack([np.full(40, 0.9), np.random.default_rng(4).normal(0.8, 0.01, 40)])
    assert of_macro(by_class, np.array([1, 30]), 31, 200).added == pytest.approx(1 / 12 / 4)
    assert of_macro(by_class, np.array([1, 30]), 31, 200, "difference").added == pytest.approx(1 / 6 / 4)


@pytest.mark.parametrize(
    ("value", "of", "added"),
    [(1.0, "score", 1 / 144), (0.5, "score", 0), (0.5, "difference", 1 / 144), (0.0, "difference", 0)],
)
def test_no_variance_means_no_error_seen_yet_unless_nothing_is_known(value, of, added):
    # Perfect scores vary as with a sixth case that lies anywhere; constant scores, or equal methods, truly do not vary.
    found = of_macro(np.full((30, 1), value), np.array([5]), 5, 100, of)
    assert found.added == pytest.approx(added)


@pytest.mark.slow
@pytest.mark.parametrize(
    "positives", [[1], [2], [3], [5], [10], [20], [1, 40, 40, 40, 40], [1, 1, *(12 * [40])], [3] * 14]
)
def test_two_equal_methods_are_rarely_told_apart_however_few_the_positives(positives):
    """1500 test sets of 200 patients; a plain bootstrap rejects up to 77 of 100 at 5 %."""
    rng = np.random.default_rng(positives)
    runs, patients = 1500, 200
    p_values = np.empty(runs)
    for run in range(runs):
        labels = np.zeros((patients, len(positives)))
        for column, count in enumerate(positives):
            labels[rng.permutation(patients)[:count], column] = 1
        draws = draw_clusters([f"{patient:03d}" for patient in range(patients)], 200, run, labels)
        scores = 1.2 * labels + rng.normal(size=(2, *labels.shape))
        a, b = (auroc_replicates(one, labels, draws) for one in scores)
        whole = draw_all(patients)
        values = [auroc_replicates(one, labels, whole).mean(axis=1) for one in scores]
        error = of_macro(a - b, holders(labels, draws.member), pool(labels, draws.member), patients, "difference")
        p_values[run] = difference_estimate(
            values[0], a.mean(axis=1)[None], values[1], b.mean(axis=1)[None], error, paired_draws=False
        ).p_value
    print(f"{positives}: {np.mean(p_values <= 0.05):.4f} at 0.05, {np.mean(p_values <= 0.001):.4f} at 0.001")
    assert np.mean(p_values <= 0.05) <= 0.065
    assert np.mean(p_values <= 0.001) <= 0.005


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "holding"), [(4, 4), (6, 6), (20, 20), (200, 3), (200, 8)])
def test_many_classes_on_the_same_few_patients_tell_no_more_equal_methods_apart(patients, holding):
    """14 classes, 10 images a patient; what a method makes of a patient is common to all classes."""
    rng = np.random.default_rng([patients, holding])
    runs, images = 800, 10
    names = [f"{patient:03d}" for patient in range(patients) for _ in range(images)]
    member = np.repeat(np.arange(patients), images)
    p_values = np.empty(runs)
    for run in range(runs):
        labels = (rng.random((len(names), 14)) < 0.4) & (member < holding)[:, None]
        labels = labels.astype(float)
        draws = draw_clusters(names, 200, run, labels)
        quality = rng.normal(size=(2, patients))[:, member, None]
        scores = (1 + 0.5 * quality) * labels + rng.normal(size=(2, *labels.shape))
        a, b = (auroc_replicates(one, labels, draws) for one in scores)
        whole = draw_all(patients, images)
        values = [auroc_replicates(one, labels, whole).mean(axis=1) for one in scores]
        error = of_macro(a - b, holders(labels, member), pool(labels, member), patients, "difference")
        p_values[run] = difference_estimate(
            values[0], a.mean(axis=1)[None], values[1], b.mean(axis=1)[None], error, paired_draws=False
        ).p_value
    print(f"{patients} patients, {holding} hold: {np.mean(p_values <= 0.05):.4f}")
    assert np.mean(p_values <= 0.05) <= 0.08  # 5 % with a Monte Carlo error of 0.8 %, and few patients


@pytest.mark.slow
@pytest.mark.parametrize(("signal", "positives"), [(2.9, 10), (2.9, 60), (2.2, 5), (1.0, 10), (1.0, 60)])
def test_the_interval_of_a_high_score_of_few_patients_holds_the_truth(signal, positives):
    """True AUROCs of 0.98, 0.94 and 0.76, 300 patients; a symmetric interval covers as little as 76 %."""
    rng = np.random.default_rng([int(10 * signal), positives])
    runs, patients = 800, 300
    labels = (np.arange(patients) < positives).astype(float)[:, None]
    truth = float(stats.norm.cdf(signal / np.sqrt(2)))
    inside = 0
    for run in range(runs):
        draws = draw_clusters([f"{patient:03d}" for patient in range(patients)], 200, run, labels)
        scores = signal * labels + rng.normal(size=labels.shape)
        by_class = auroc_replicates(scores, labels, draws)
        value = auroc_replicates(scores, labels, draw_all(patients)).mean(axis=1)
        error = of_macro(by_class, holders(labels, draws.member), positives, patients)
        found = of_score(mean_estimate(value, by_class.mean(axis=1)[None], error))
        inside += found.low <= truth <= found.high
    print(f"AUROC {truth:.3f}, {positives} positives: {inside / runs:.3f}")
    assert inside / runs >= 0.91


def draw_all(clusters, images=1):
    """One replicate that holds every cluster once."""
    drawn = draw_clusters([f"{number:03d}" for number in range(clusters) for _ in range(images)], 1, 0)
    drawn.counts[:] = 1
    return drawn
