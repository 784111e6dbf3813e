"""The patient bootstrap against scikit-learn on explicitly resampled rows, and its rules."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchx.metrics.classification import macro_auroc
from benchx.statistics.bootstrap import (
    auroc_replicates,
    cluster_weights,
    macro_auroc_interval,
    paired_gap,
    seed_mean_interval,
)

NAN = float("nan")


def draw(n: int, c: int, seed: int, levels: int = 5) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores on a few levels, labels that they follow, and patients with one to several images each."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, c)) < np.linspace(0.2, 0.6, c)).astype(float)
    labels[0], labels[1] = 0, 1
    scores = np.round((rng.normal(size=(n, c)) + labels) * levels) / levels
    return scores, labels, [f"p{patient}" for patient in np.sort(rng.integers(0, n // 2, n))]


@pytest.mark.parametrize("levels", [0.5, 2, 10**6])
def test_equals_scikit_learn_on_resampled_rows(levels: int) -> None:
    scores, labels, clusters = draw(90, 4, 1, levels)
    labels[np.random.default_rng(2).random(labels.shape) < 0.2] = NAN
    weights = cluster_weights(clusters, 40, seed=3).weights
    found = auroc_replicates(scores, labels, weights)
    for replicate, column in np.ndindex(found.shape):
        rows = np.repeat(np.arange(90), weights[replicate])
        rows = rows[~np.isnan(labels[rows, column])]
        expected = roc_auc_score(labels[rows, column], scores[rows, column])
        assert found[replicate, column] == pytest.approx(expected, abs=1e-12)


def test_a_replicate_without_both_values_is_nan() -> None:
    scores, labels = np.array([[1.0, 1], [2, 2], [3, 3]]), np.array([[0.0, 1], [1, 1], [1, NAN]])
    weights = np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]])
    np.testing.assert_array_equal(auroc_replicates(scores, labels, weights), [[1, NAN], [NAN, NAN], [NAN, NAN]])


def test_patients_are_drawn_whole_and_as_many_as_there_are() -> None:
    clusters = ["b", "a", "b", "c", "a", "b"]
    weights = cluster_weights(clusters, 500, seed=0).weights
    first = {name: clusters.index(name) for name in "abc"}
    for column, name in enumerate(clusters):
        assert (weights[:, column] == weights[:, first[name]]).all()
    assert (weights[:, list(first.values())].sum(axis=1) == 3).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)


def test_the_same_seed_gives_the_same_draws_and_more_replicates_only_add() -> None:
    _, labels, clusters = draw(40, 3, 4)
    few, many = (cluster_weights(clusters, count, 5, labels).weights for count in (10, 30))
    np.testing.assert_array_equal(few, many[:10])
    assert not np.array_equal(few, cluster_weights(clusters, 10, 6, labels).weights)


def test_a_replicate_that_lacks_a_class_is_drawn_again_and_counted() -> None:
    labels = np.zeros((30, 2))
    labels[4, 0] = 1  # one patient with the only positive: about a third of the plain draws lack it
    clusters = [str(case) for case in range(30)]
    plain = cluster_weights(clusters, 300, 7)
    kept = cluster_weights(clusters, 300, 7, labels)
    assert plain.redrawn == 0
    assert kept.redrawn == pytest.approx(300 * (29 / 30) ** 30, abs=40)
    assert (plain.weights[:, 4] == 0).any()
    assert (kept.weights[:, 4] > 0).all()
    assert (kept.weights.sum(axis=1) == 30).all()


def test_what_plain_draws_never_hold_is_drawn_within_strata() -> None:
    # fourteen classes, each with its only positive in another of fourteen patients: 14! / 14^14 of the draws
    labels = np.eye(14)
    found = cluster_weights([str(case) for case in range(14)], 3, 8, labels)
    assert found.redrawn == 3
    np.testing.assert_array_equal(found.weights, np.ones((3, 14)))


def test_interval_holds_the_percentiles_of_the_replicates() -> None:
    scores, labels, clusters = draw(120, 3, 9)
    found = macro_auroc_interval(scores, labels, clusters, 200, seed=10, level=0.9)
    weights = cluster_weights(clusters, 200, 10, labels).weights
    values = auroc_replicates(scores, labels, weights).mean(axis=1)
    assert found.estimate == macro_auroc(scores, labels)
    np.testing.assert_allclose([found.low, found.high], np.quantile(values, [0.05, 0.95]), atol=1e-15)
    assert (found.replicates, found.level) == (200, 0.9)


def test_a_class_that_cannot_be_scored_does_not_matter() -> None:
    scores, labels, clusters = draw(60, 2, 11)
    with_dull = np.column_stack([labels, np.zeros(60)])
    ours = macro_auroc_interval(np.column_stack([scores, scores[:, 0]]), with_dull, clusters, 50, 0)
    assert ours == macro_auroc_interval(scores, labels, clusters, 50, 0)


def test_seeds_are_averaged_after_scoring() -> None:
    (one, labels, clusters), (two, _, _) = draw(80, 2, 12), draw(80, 2, 13)
    found = seed_mean_interval([(one, labels), (two, labels)], clusters, 100, 0)
    weights = cluster_weights(clusters, 100, 0, labels).weights
    values = np.mean([auroc_replicates(scores, labels, weights).mean(axis=1) for scores in (one, two)], axis=0)
    assert found.estimate == np.mean([macro_auroc(one, labels), macro_auroc(two, labels)])
    np.testing.assert_allclose([found.low, found.high], np.quantile(values, [0.025, 0.975]), atol=1e-15)


def test_gap_is_paired() -> None:
    scores, labels, clusters = draw(80, 2, 14)
    worse = scores + np.random.default_rng(0).normal(size=scores.shape)
    gap = paired_gap([(scores, labels)], [(worse, labels), (worse, labels)], clusters, 200, 0)
    assert gap.estimate == pytest.approx(macro_auroc(scores, labels) - macro_auroc(worse, labels))
    assert gap.low < gap.estimate < gap.high
    alone = macro_auroc_interval(scores, labels, clusters, 200, 0)
    assert gap.high - gap.low < alone.high - alone.low
    same = paired_gap([(scores, labels)], [(scores, labels)], clusters, 50, 0)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_what_has_no_interval_is_refused() -> None:
    scores, labels, clusters = draw(20, 2, 15)
    with pytest.raises(ValueError, match="two clusters"):
        macro_auroc_interval(scores, labels, ["only"] * 20, 10, 0)
    with pytest.raises(ValueError, match="two clusters"):
        cluster_weights([], 10, 0)
    with pytest.raises(ValueError, match="no class has both values"):
        macro_auroc_interval(scores, np.zeros((20, 2)), clusters, 10, 0)
    with pytest.raises(ValueError, match="same labels"):
        seed_mean_interval([(scores, labels), (scores, 1 - labels)], clusters, 10, 0)
    with pytest.raises(ValueError, match="clusters for 20 cases"):
        macro_auroc_interval(scores, labels, clusters[1:], 10, 0)
    with pytest.raises(ValueError, match="NaN"):
        auroc_replicates(np.full((20, 2), NAN), labels, np.ones((1, 20), int))


@pytest.mark.slow
def test_covers_the_true_auroc_of_clustered_cases() -> None:
    """300 samples of 80 patients with 1 to 4 images that share a deviation; the truth is binormal."""
    rng = np.random.default_rng(16)
    truth = norm.cdf(1 / np.sqrt(2))
    inside = 0
    for sample in range(300):
        patients = np.repeat(np.arange(80), rng.integers(1, 5, 80))
        ill = np.arange(80) % 3 == 0
        shared = np.sqrt(0.6) * rng.normal(size=80)[patients]
        scores = ill[patients] + shared + np.sqrt(0.4) * rng.normal(size=len(patients))
        found = macro_auroc_interval(
            scores[:, None], ill[patients].astype(float)[:, None], [str(p) for p in patients], 400, sample
        )
        inside += found.low <= truth <= found.high
    assert 0.90 <= inside / 300 <= 0.985
