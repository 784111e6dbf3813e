"""A method's own similarity of candidates, from its words and places or from reading the pair, orders these anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchx.pair_reading import Pairs, distinct
from benchx.tasks.retrieval.finding import Found
from benchx.tasks.retrieval.pool import Pool


def candidate_pairs(pool: Pool, found: dict[str, Found], first: int) -> Pairs:
    """Return every pair of a query and one of its first items, each once, and of equal texts one."""
    texts, place = distinct(pool.texts)
    keys = []
    for way, one in found.items():
        for top in one.tops:
            queries, places = np.nonzero(top.rows[:, :first] >= 0)
            listed = top.rows[queries, places].astype(np.int64)
            images, reports = (queries, listed) if way == "i2t" else (listed, queries)
            keys.append(images * len(texts) + place[reports])
    return Pairs(pool.images, texts, np.unique(np.concatenate(keys)))


def reordered(
    pool: Pool, found: dict[str, Found], first: int, similarities: Callable[[Pairs], np.ndarray]
) -> dict[str, Found]:
    """Return what was found both ways with the first items of every query in the order of other similarities.

    Args:
        first: how many.
        similarities: of M pairs, float [M].
    """
    pairs = candidate_pairs(pool, found, first)
    values, (_, place) = similarities(pairs), distinct(pool.texts)

    def own(images: np.ndarray, reports: np.ndarray) -> np.ndarray:
        return values[pairs.places(images, place[reports])]

    return {
        "i2t": found["i2t"].reordered(lambda queries, rows: own(queries[:, None], rows), first),
        "t2i": found["t2i"].reordered(lambda queries, rows: own(rows, queries[:, None]), first),
    }
