"""Chance levels against every order of a small gallery, and against binomial coefficients and draws of a large one."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest

from benchx.metrics.retrieval.chance import class_chance, pair_chance
from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.scores import class_scores, class_values, pair_scores, pair_values
from benchx.metrics.retrieval.search import ClassMatches, Ranking, match_classes, rank_positives
from benchx.metrics.retrieval.top import Top

DEPTHS = (1, 2, 5)


def _ordered(relevant: np.ndarray) -> Top:
    rows = np.tile(np.arange(relevant.shape[1], dtype=np.int32), (len(relevant), 1))
    return Top(rows, -rows.astype(np.float32), relevant)


@pytest.mark.parametrize("right", [1, 2, 4, 6])
def test_the_mean_over_every_order_of_six_items(right: int) -> None:
    relevant = np.array([[item < right for item in order] for order in permutations(range(6))])
    starts = np.arange(len(relevant) + 1) * right
    ranking = Ranking(starts, np.nonzero(relevant)[1] + 1, 6, _ordered(relevant))
    expected = pair_chance(np.full(3, right), 6, DEPTHS)
    scores = pair_scores(pair_values(ranking, DEPTHS))
    assert expected == pytest.approx({name: scores[name] for name in expected}, abs=1e-12)
    matches = ClassMatches(_ordered(relevant), np.full(len(relevant), right), np.full(len(relevant), 6))
    of_class = class_scores(class_values(matches, (*DEPTHS, 6)))
    wanted = class_chance(np.array([right, 0]), np.array([6, 6]), (*DEPTHS, 6))
    assert wanted == pytest.approx({name: of_class[name] for name in wanted}, abs=1e-12)


@pytest.mark.parametrize(("right", "gallery"), [(1, 590), (3, 590), (200, 1000), (995, 1000), (7, 50_000)])
def test_recall_is_one_minus_a_ratio_of_binomials(right: int, gallery: int) -> None:
    chance = pair_chance(np.array([right]), gallery)
    of_class = class_chance(np.array([right]), np.array([gallery]))
    for depth in (1, 5, 10):
        exact = 1 - comb(gallery - right, depth) / comb(gallery, depth)
        assert chance[f"recall@{depth}"] == pytest.approx(exact, rel=1e-9)
        assert of_class[f"hit@{depth}"] == pytest.approx(exact, rel=1e-9)
        assert of_class[f"precision@{depth}"] == pytest.approx(right / gallery, rel=1e-12)


def test_one_right_item_has_closed_forms() -> None:
    for gallery in (1, 2, 7, 1000):
        chance = pair_chance(np.ones(5, int), gallery)
        assert chance["mrr"] == pytest.approx(sum(1 / rank for rank in range(1, gallery + 1)) / gallery, rel=1e-12)
        assert chance["median_rank"] == (gallery + 1) / 2


def test_random_embeddings_of_queries_with_different_numbers_of_right_items_come_near() -> None:
    rng = np.random.default_rng(0)
    images, texts = (rng.normal(size=(rows, 64)).astype(np.float32) for rows in (4000, 100))
    positives = Positives.listed([rng.choice(100, rng.choice([0, 1, 3, 12]), replace=False) for _ in range(4000)])
    scores = pair_scores(pair_values(rank_positives(images, texts, positives)))
    chance = pair_chance(positives.counts, 100)
    assert scores["median_rank"] == pytest.approx(chance["median_rank"], abs=2)
    for name in ("recall@1", "recall@5", "recall@10", "mrr", "ndcg"):
        assert scores[name] == pytest.approx(chance[name], abs=0.03), name
    labels = [np.eye(5)[rng.integers(0, 5, rows)] for rows in (4000, 100)]
    matches = match_classes(images, texts, *labels, own=positives)
    found, expected = class_scores(class_values(matches)), class_chance(matches.matching, matches.candidates)
    assert expected == pytest.approx({name: found[name] for name in expected}, abs=0.03)


def test_fewer_candidates_than_k_and_nobody_to_score() -> None:
    assert class_chance(np.array([1]), np.array([4]), (10,)) == pytest.approx({"precision@10": 0.1, "hit@10": 1})
    assert pair_chance(np.array([1]), 4, (10,))["recall@10"] == 1
    assert set(pair_chance(np.zeros(3, int), 10).values()) == {None}
    assert set(class_chance(np.zeros(2, int), np.array([5, 5])).values()) == {None}
