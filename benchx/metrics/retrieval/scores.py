"""Scores of retrieval: per query, and of a set.

A query without anything to find has NaN everywhere; a set's scores leave it out and count it. Recall at K is 1 where
any right item is among the first K (the rate that image-text papers call R@K; with several right items not the share
of them that was found). All scores are in [0, 1]; ranks start at 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchx.metrics.retrieval import DEPTHS
from benchx.metrics.retrieval.search import ClassMatches, Ranking

Values = dict[str, np.ndarray]
Scores = dict[str, float | None]


def pair_values(ranking: Ranking, depths: Sequence[int] = DEPTHS) -> Values:
    """Score every query by where its right items stand.

    Returns:
        float64 [Q] each: `rank` of the best right item, `reciprocal_rank`, `recall@K`, and `ndcg`: gain 1 per right
        item, discount 1 / log2(1 + rank) (Järvelin and Kekäläinen 2002), at full depth.
    """
    counts = np.diff(ranking.starts)
    found = counts > 0
    rank = np.full(len(counts), np.nan)
    rank[found] = ranking.ranks[ranking.starts[:-1][found]]
    query = np.repeat(np.arange(len(counts)), counts)
    gained = np.bincount(query, 1 / np.log2(1 + ranking.ranks), minlength=len(counts))
    ideal = np.append(0, np.cumsum(1 / np.log2(2 + np.arange(counts.max(initial=0)))))[counts]
    ndcg = np.divide(gained, ideal, out=np.full(len(counts), np.nan), where=found)
    recalls = {f"recall@{depth}": np.where(found, rank <= depth, np.nan) for depth in depths}
    return {"rank": rank, "reciprocal_rank": 1 / rank, **recalls, "ndcg": ndcg}


def class_values(matches: ClassMatches, depths: Sequence[int] = DEPTHS) -> Values:
    """Score every query by how many of its first items have its class.

    Returns:
        float64 [Q] each: `precision@K`, the share of K that match (of K also where there are fewer candidates), and
        `hit@K`, whether any does. Ties are broken against the match, at the K-th place too.

    Raises:
        ValueError: fewer items are listed than a depth needs.
    """
    reach = matches.top.relevant.shape[1]
    if reach < max(depths) and reach < matches.candidates.max(initial=0):
        raise ValueError(f"{reach} items are listed, {max(depths)} are needed")
    found = matches.matching > 0
    hits = {depth: matches.top.relevant[:, :depth].sum(axis=1) for depth in depths}
    return {
        **{f"precision@{depth}": np.where(found, hits[depth] / depth, np.nan) for depth in depths},
        **{f"hit@{depth}": np.where(found, hits[depth] > 0, np.nan) for depth in depths},
    }


def pair_scores(values: Mapping[str, np.ndarray]) -> Scores:
    """Score a set: means of the values of `pair_values`, the mean reciprocal rank as `mrr`, and `median_rank`.

    Returns:
        None for each where no query can be scored; also how many queries count (`n`) and how many do not (`left_out`).
    """
    scores = _means({name: column for name, column in values.items() if name != "rank"})
    mrr = scores.pop("reciprocal_rank")
    rank = values["rank"][~np.isnan(values["rank"])]
    return {**scores, "mrr": mrr, "median_rank": float(np.median(rank)) if len(rank) else None}


def class_scores(values: Mapping[str, np.ndarray]) -> Scores:
    """Score a set: means of the values of `class_values`; None, `n` and `left_out` as in `pair_scores`."""
    return _means(values)


def _means(values: Mapping[str, np.ndarray]) -> Scores:
    known = {name: column[~np.isnan(column)] for name, column in values.items()}
    counted, queries = len(next(iter(known.values()))), len(next(iter(values.values())))
    means = {name: float(column.mean()) if len(column) else None for name, column in known.items()}
    return {**means, "n": counted, "left_out": queries - counted}
