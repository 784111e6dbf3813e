"""Mean placements against scikit-learn's AUROC, and their sums' variance against DeLong's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from benchx.metrics.placements import aurocs_of_sums, mean_placements, placement_terms
from benchx.statistics.bootstrap import sums_replicates
from benchx.statistics.delong import delong
from benchx.statistics.resampling import draw_clusters

NAN = float("nan")


def draw(scorings: int = 20, cases: int = 300, prevalence: float = 0.3, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(cases) < prevalence).astype(float)
    shared = rng.normal(size=cases) + labels
    return shared + rng.normal(size=(scorings, cases)), labels


def single(placed, labels, folds=None):
    folds = np.zeros(len(labels), int) if folds is None else folds
    return placement_terms(placed[:, None], labels[:, None], folds)


@given(
    arrays.arrays(np.float64, (3, 12), elements=st.integers(0, 4).map(float)),
    arrays.arrays(np.float64, 12, elements=st.sampled_from([0.0, 1.0, NAN])),
)
@settings(max_examples=150, deadline=None)
def test_sums_are_the_mean_auroc_with_ties_and_unknown_labels(scores, labels):
    found = mean_placements(scores, labels)
    known = ~np.isnan(labels)
    if len(set(labels[known])) < 2:
        assert np.isnan(found.placements).all()
        assert np.isnan(found.aurocs).all()
        return
    expected = [roc_auc_score(labels[known], one[known]) for one in scores]
    np.testing.assert_allclose(found.aurocs, expected, atol=1e-12)
    assert (np.isnan(found.placements) == ~known).all()
    assert abs(found.placements[labels == 0].sum()) < 1e-12
    assert found.placements[labels == 1].mean() == pytest.approx(np.mean(expected), abs=1e-12)
    sums = single(found.placements.astype(np.float32), labels).sum(axis=0)
    assert aurocs_of_sums(sums) == pytest.approx(np.mean(expected), abs=1e-6)


def test_a_placement_is_the_share_of_pairs_won_counted_one_by_one():
    scores, labels = draw(2, 30)
    scores = scores.round()
    found = mean_placements(scores, labels)
    won = np.mean([(one[:, None] > one) + 0.5 * (one[:, None] == one) for one in scores], axis=0)
    mean = won[labels == 1][:, labels == 0].mean()
    np.testing.assert_allclose(found.placements[labels == 1], won[labels == 1][:, labels == 0].mean(axis=1))
    np.testing.assert_allclose(
        found.placements[labels == 0], won[labels == 1][:, labels == 0].mean(axis=0) - mean, atol=1e-12
    )


@pytest.mark.parametrize("images", [1, 3])
def test_resampled_sums_vary_as_delong_says(images):
    """The variance of 4000 replicates has a relative error of 2.3 %; 8 % are allowed for it and the first order."""
    scores, labels = draw(20, 600)
    clusters = [f"p{case // images}" for case in range(600)]
    covariance = delong(scores, labels, clusters).covariance
    expected = covariance.mean()
    terms = single(mean_placements(scores, labels).placements, labels)
    draws = draw_clusters(clusters, 4000, 7, labels[:, None])
    replicates = sums_replicates(terms, lambda sums: aurocs_of_sums(sums)[..., 0], draws)
    assert replicates.var(ddof=1) == pytest.approx(expected, rel=0.08)
    assert expected < 0.8 * np.diag(covariance).mean(), "scorings that agree less than fully vary less together"


def test_folds_are_averaged_by_their_positives_and_resample_as_such():
    """Two folds of different prevalence: the influence of a negative is its fold's share of the positives."""
    (first, some), (second, others) = draw(5, 200, 0.5, 1), draw(5, 400, 0.1, 2)
    placed = [mean_placements(*one) for one in ((first, some), (second, others))]
    labels, folds = np.concatenate([some, others]), np.repeat([0, 1], [200, 400])
    terms = single(np.concatenate([one.placements for one in placed]), labels, folds)
    positives = np.array([some.sum(), others.sum()])
    expected = np.average([one.aurocs.mean() for one in placed], weights=positives)
    assert aurocs_of_sums(terms.sum(axis=0))[0] == pytest.approx(expected, abs=1e-12)
    shares = positives / positives.sum()
    parts = [delong(*one).covariance.mean() for one in ((first, some), (second, others))]
    draws = draw_clusters([str(case) for case in range(600)], 4000, 3, labels[:, None])
    replicates = sums_replicates(terms, lambda sums: aurocs_of_sums(sums)[..., 0], draws)
    within = float(shares**2 @ parts)
    means = np.array([one.aurocs.mean() for one in placed])
    between = shares @ (means - expected) ** 2 / positives.sum()
    assert replicates.var(ddof=1) == pytest.approx(within + between, rel=0.08)


def test_a_class_without_a_value_is_nan_beside_others():
    scores, labels = draw(3, 50)
    placed = mean_placements(scores, labels).placements
    both = np.stack([placed, np.full(50, NAN)], axis=1)
    found = aurocs_of_sums(
        placement_terms(both, np.stack([labels, np.ones(50)], axis=1), np.zeros(50, int)).sum(axis=0)
    )
    assert found[0] == pytest.approx(np.mean([roc_auc_score(labels, one) for one in scores]))
    assert np.isnan(found[1])


def test_constant_scores_are_chance_for_every_case():
    found = mean_placements(np.zeros((4, 10)), np.array([1.0] * 3 + [0.0] * 7))
    assert found.placements.tolist() == [0.5] * 3 + [0.0] * 7
    assert found.aurocs.tolist() == [0.5] * 4


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        (np.zeros((2, 3)), np.zeros(4), "must be"),
        (np.zeros((0, 3)), np.zeros(3), "S >= 1"),
        (np.zeros((1, 3)), np.array([0, 1, 2.0]), "labels must be"),
        (np.array([[0, NAN, 1]]), np.array([0, 1, 1.0]), "scores of labelled cases are NaN"),
    ],
)
def test_what_cannot_be_placed_is_refused(scores, labels, said):
    with pytest.raises(ValueError, match=said):
        mean_placements(scores, labels)


def test_the_score_of_a_case_without_a_label_may_be_nan():
    found = mean_placements(np.array([[0.0, NAN, 1.0]]), np.array([0, NAN, 1.0]))
    assert found.aurocs.tolist() == [1.0]
