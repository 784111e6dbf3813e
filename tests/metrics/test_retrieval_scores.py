"""Scores of retrieval against torchmetrics and scikit-learn, and by hand where these break ties otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMRR, RetrievalNormalizedDCG, RetrievalPrecision

from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.scores import class_scores, class_values, pair_scores, pair_values
from benchx.metrics.retrieval.search import match_classes, rank_positives

QUERIES, GALLERY = 80, 60


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    images, texts = (rng.normal(size=(rows, 16)).astype(np.float32) for rows in (QUERIES, GALLERY))
    right = rng.random((QUERIES, GALLERY)) < rng.choice([0, 0.02, 0.3], (QUERIES, 1))
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (images, texts)]
    return images, texts, right, units[0] @ units[1].T


def _flat(right: np.ndarray, similarity: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what torchmetrics takes; it counts nothing at or below 0 as found, so similarities are raised."""
    numbers = np.repeat(np.arange(len(right)), right.shape[1])
    return torch.from_numpy(2 + similarity.ravel()), torch.from_numpy(right.ravel()), torch.from_numpy(numbers)


def test_scores_of_pairs_equal_torchmetrics_and_scikit_learn(drawn) -> None:
    images, texts, right, similarity = drawn
    values = pair_values(rank_positives(images, texts, Positives.listed([np.flatnonzero(one) for one in right])))
    scores, flat = pair_scores(values), _flat(right, similarity)
    assert scores["mrr"] == pytest.approx(float(RetrievalMRR(empty_target_action="skip")(*flat)), abs=1e-6)
    ndcg = RetrievalNormalizedDCG(empty_target_action="skip")
    assert scores["ndcg"] == pytest.approx(float(ndcg(*flat)), abs=1e-6)
    for depth in (1, 5, 10):
        hit = RetrievalHitRate(empty_target_action="skip", top_k=depth)
        assert scores[f"recall@{depth}"] == pytest.approx(float(hit(*flat)), abs=1e-6)
    for query in np.flatnonzero(right.any(axis=1)):
        assert values["ndcg"][query] == pytest.approx(ndcg_score([right[query]], [similarity[query]]), abs=1e-12)
    nothing = int((~right.any(axis=1)).sum())
    assert nothing > 0
    assert (scores["n"], scores["left_out"]) == (QUERIES - nothing, nothing)
    assert all((np.isnan(one) == ~right.any(axis=1)).all() for one in values.values())
    firsts = [(-similarity[query])[right[query]].min() for query in np.flatnonzero(right.any(axis=1))]
    ranks = [
        int((-similarity[query] <= first).sum())
        for query, first in zip(np.flatnonzero(right.any(axis=1)), firsts, strict=True)
    ]
    assert scores["median_rank"] == np.median(ranks)


def test_scores_of_classes_equal_torchmetrics(drawn) -> None:
    images, texts, _, similarity = drawn
    rng = np.random.default_rng(1)
    classes = [rng.integers(0, 5, rows) for rows in (QUERIES, GALLERY)]
    classes[0][:3] = 9  # a class that no item has
    labels = [np.eye(10)[one] for one in classes]
    scores = class_scores(class_values(match_classes(images, texts, *labels, own=None)))
    flat = _flat(classes[0][:, None] == classes[1], similarity)
    for depth in (1, 5, 10):
        precision = RetrievalPrecision(empty_target_action="skip", top_k=depth)
        assert scores[f"precision@{depth}"] == pytest.approx(float(precision(*flat)), abs=1e-6)
        hit = RetrievalHitRate(empty_target_action="skip", top_k=depth)
        assert scores[f"hit@{depth}"] == pytest.approx(float(hit(*flat)), abs=1e-6)
    assert (scores["n"], scores["left_out"]) == (QUERIES - 3, 3)


def test_perfect_embeddings_score_1_and_constant_ones_as_badly_as_can_be() -> None:
    images = np.random.default_rng(2).normal(size=(100, 32)).astype(np.float32)
    positives = Positives.listed([[one] for one in range(100)])
    best = pair_scores(pair_values(rank_positives(images, images, positives)))
    same = {"recall@1": 1, "recall@5": 1, "recall@10": 1, "ndcg": 1, "mrr": 1, "median_rank": 1}
    assert best == {**same, "n": 100, "left_out": 0}
    worst = pair_scores(pair_values(rank_positives(images, np.ones_like(images), positives)))
    assert worst["recall@10"] == 0
    assert worst["median_rank"] == 100
    assert worst["mrr"] == pytest.approx(0.01)
    assert worst["ndcg"] == pytest.approx(1 / np.log2(101))


def test_worked_example_with_ties_by_hand() -> None:
    query = np.array([[1.0, 0]], np.float32)
    texts = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 1]], np.float32)  # two at 1, one at 0.7, two at 0
    values = pair_values(rank_positives(query, texts, Positives.listed([[0, 2, 3]])))  # ranks 2, 3 and 5
    assert values["rank"] == [2]
    assert values["reciprocal_rank"] == [0.5]
    assert values["recall@1"] == [0]
    assert values["recall@5"] == [1]
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert values["ndcg"] == pytest.approx([(1 / np.log2(3) + 1 / np.log2(4) + 1 / np.log2(6)) / ideal], abs=1e-15)
    labels = np.array([[1.0], [1], [0], [0], [1]])
    found = class_values(match_classes(query, texts, np.array([[1.0]]), labels, own=None), depths=(1, 2, 4, 10))
    assert [found[f"precision@{depth}"][0] for depth in (1, 2, 4, 10)] == [1, 1, 0.5, 0.3]  # the tie at 4 is lost


def test_where_nothing_can_be_scored_there_is_no_score() -> None:
    one = np.ones((1, 2), np.float32)
    values = pair_values(rank_positives(one, one, Positives.listed([[]])))
    names = ("recall@1", "recall@5", "recall@10", "ndcg", "mrr", "median_rank")
    assert pair_scores(values) == {**dict.fromkeys(names), "n": 0, "left_out": 1}
    unknown = class_values(match_classes(one, one, np.array([[np.nan]]), np.ones((1, 1)), own=None))
    assert class_scores(unknown)["precision@1"] is None
    nobody = pair_values(rank_positives(one[:0], one, Positives.listed([])))
    assert pair_scores(nobody) == {**dict.fromkeys(names), "n": 0, "left_out": 0}


def test_lists_that_are_too_short_for_a_depth_are_refused() -> None:
    images, labels = np.eye(20, dtype=np.float32), np.ones((20, 1))
    with pytest.raises(ValueError, match="5 items are listed, 10 are needed"):
        class_values(match_classes(images, images, labels, labels, own=None, top=5))
