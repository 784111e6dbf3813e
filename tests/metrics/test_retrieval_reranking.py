"""The first items in a method's own order: what moves, what stays, and who loses a tie."""

from __future__ import annotations

import numpy as np
import pytest

from benchx.errors import BenchxError
from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.search import match_classes, rank_positives
from benchx.metrics.retrieval.top import Top, reranked


def _ranking(seed: int, top: int):
    rng = np.random.default_rng(seed)
    images, texts = (rng.normal(size=(rows, 8)).astype(np.float32) for rows in (150, 90))
    positives = Positives.listed([rng.choice(90, rng.integers(0, 4), replace=False) for _ in range(150)])
    return rank_positives(images, texts, positives, top=top), positives


@pytest.mark.parametrize("levels", [3, 10**6])
def test_the_order_is_that_of_sorting_the_listed_items(levels: int) -> None:
    ranking, positives = _ranking(0, 20)
    table = np.random.default_rng(1).integers(0, levels, (150, 90)) / 7
    after = ranking.with_top(reranked(ranking.top, lambda queries, rows: table[queries[:, None], rows], 7))
    for query in range(150):
        mine = slice(positives.starts[query], positives.starts[query + 1])
        right = set(positives.rows[mine].tolist())
        listed = ranking.top.rows[query].tolist()
        order = sorted(listed, key=lambda row: (-np.float32(table[query, row]), row in right, listed.index(row)))
        assert after.top.rows[query].tolist() == order
        moved = [place for place, row in enumerate(order, 1) if row in right]
        stayed = [rank for rank in ranking.ranks[mine].tolist() if rank > 20]
        assert after.ranks[mine].tolist() == moved + stayed
    assert (ranking.ranks > 20).any()


def test_an_oracle_lifts_what_is_listed_and_a_constant_sinks_it() -> None:
    ranking, positives = _ranking(2, 20)
    right = np.zeros((150, 90))
    right[np.repeat(np.arange(150), positives.counts), positives.rows] = 1
    best = ranking.with_top(reranked(ranking.top, lambda queries, rows: right[queries[:, None], rows])).ranks
    worst = ranking.with_top(reranked(ranking.top, lambda _, rows: np.zeros(rows.shape))).ranks
    listed = ranking.ranks <= 20
    assert (best[listed] <= 3).all()
    assert (worst[listed] >= 18).all()
    for after in (best, worst):
        np.testing.assert_array_equal(after[~listed], ranking.ranks[~listed])


def test_candidates_that_are_missing_stay_last_even_behind_minus_infinity() -> None:
    images = np.eye(4, dtype=np.float32)
    own = Positives.listed([[0], [1], [2], [3]])
    found = match_classes(images, images, np.ones((4, 1)), np.ones((4, 1)), own=own).top
    after = reranked(found, lambda _, rows: np.where(rows == 2, -np.inf, rows))
    assert after.rows.tolist() == [[3, 1, 2, -1], [3, 0, 2, -1], [3, 1, 0, -1], [1, 0, 2, -1]]
    np.testing.assert_array_equal(after.relevant, after.rows >= 0)


def test_no_queries_and_what_is_not_a_similarity() -> None:
    nobody = Top(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32), np.zeros((0, 3), bool))
    assert reranked(nobody, lambda _, rows: rows).rows.shape == (0, 3)
    ranking, _ = _ranking(3, 5)
    with pytest.raises(BenchxError, match="own similarity is NaN"):
        reranked(ranking.top, lambda _, rows: np.full(rows.shape, np.nan))
    with pytest.raises(ValueError, match=r"own similarities \(64, 90\)"):
        reranked(ranking.top, lambda queries, _: np.zeros((len(queries), 90)))
