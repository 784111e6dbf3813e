"""What a uniformly random order of the gallery scores on average, exactly, under the names of the scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.metrics.retrieval import DEPTHS
from benchx.metrics.retrieval.scores import Scores


def pair_chance(positives: np.ndarray, candidates: int, depths: Sequence[int] = DEPTHS) -> Scores:
    """Return the expected scores of a random order.

    `recall@K` is 1 - C(G - m, K) / C(G, K), averaged over queries; `mrr` and `ndcg` are sums over the distribution of
    ranks. `median_rank` is the median of the mixture of the queries' distributions of the best rank: what the
    median of many queries tends to (with one right item each (G + 1) / 2).

    Args:
        positives: int [Q], m: how many right items each query has; those with none are left out.
        candidates: G.

    Returns:
        None for each where every query is left out.
    """
    counts, weights = np.unique(positives[positives > 0], return_counts=True)
    names = [*(f"recall@{depth}" for depth in depths), "ndcg", "mrr", "median_rank"]
    if len(counts) == 0:
        return dict.fromkeys(names)
    weights = weights / weights.sum()
    places = np.arange(1, candidates + 1)
    discounts = 1 / np.log2(1 + places)
    ndcg = counts / candidates * discounts.sum() / np.cumsum(discounts)[counts - 1]
    best = np.zeros(candidates)
    for count, weight in zip(counts, weights, strict=True):
        best += weight * _best_rank(int(count), candidates)
    scores = [
        *(weights @ _any_among(counts, candidates, depth) for depth in depths),
        weights @ ndcg,
        best @ (1 / places),
    ]
    return dict(zip(names, [*map(float, scores), _median(best)], strict=True))


def class_chance(matching: np.ndarray, candidates: np.ndarray, depths: Sequence[int] = DEPTHS) -> Scores:
    """Return the expected scores of a random order, averaged over the queries with a match among their candidates.

    Args:
        matching: int [Q], candidates of the query's class.
        candidates: int [Q].

    Returns:
        `precision@K` is the share of matches among the candidates (times candidates / K where they are fewer than
        K), `hit@K` 1 - C(N - m, K) / C(N, K); None where every query is left out.
    """
    matching, candidates = matching[matching > 0], candidates[matching > 0]
    names = [f"{name}@{depth}" for name in ("precision", "hit") for depth in depths]
    if len(matching) == 0:
        return dict.fromkeys(names)
    precision = [(matching / candidates * np.minimum(candidates, depth) / depth).mean() for depth in depths]
    hit = [_any_among(matching, candidates, depth).mean() for depth in depths]
    return dict(zip(names, map(float, precision + hit), strict=True))


def _any_among(positives: np.ndarray, candidates: np.ndarray | int, depth: int) -> np.ndarray:
    """Return the probability that the first `depth` places hold a positive, [n]."""
    missed = np.ones(len(positives))
    for place in range(depth):
        left = np.maximum(candidates - place, 1)
        missed *= np.maximum(candidates - positives - place, 0) / left
    return 1 - missed


def _best_rank(positives: int, candidates: int) -> np.ndarray:
    """Return the probability of every place of being that of the best positive, [G]."""
    places = np.arange(candidates)
    missed = np.maximum(candidates - positives - places, 0) / (candidates - places)
    return np.append(1, np.cumprod(missed)[:-1]) * (1 - missed)


def _median(probability: np.ndarray) -> float:
    """Return the median place, from 1, halfway between two where one half ends exactly."""
    below = np.cumsum(probability)
    low = int(np.argmax(below >= 0.5 - 1e-9))
    high = int(np.argmax(below > 0.5 + 1e-9))
    return 1 + (low + high) / 2
