"""Ranks and first items of a whole gallery against sorting it query by query, with and without ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchx.errors import BenchxError
from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.search import ClassMatches, Ranking, match_classes, rank_positives


def _embeddings(rows: int, width: int, levels: int, rng: np.random.Generator) -> np.ndarray:
    """Draw vectors; with few levels many are equal, and some are zero."""
    drawn = rng.normal(size=(rows, width)) if levels == 0 else rng.integers(-levels, levels + 1, (rows, width))
    return drawn.astype(np.float32)


def _cosines(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Return [Q, G] by an explicit loop in float64, rounded as similarities are."""
    lengths = [np.sqrt((one.astype(np.float64) ** 2).sum(1)) for one in (queries, gallery)]
    units = [
        one.astype(np.float64) / np.where(length == 0, 1, length)[:, None]
        for one, length in zip((queries, gallery), lengths, strict=True)
    ]
    exact = np.array([[(q * g).sum() for g in units[1]] for q in units[0]])
    return (np.round(exact * 2**24) / 2**24).astype(np.float32)


def _sorted_gallery(similarity: np.ndarray, right: set[int], left_out: set[int] = frozenset()) -> list[int]:
    rows = [row for row in range(len(similarity)) if row not in left_out]
    return sorted(rows, key=lambda row: (-similarity[row], row in right, row))


def _positives(queries: int, gallery: int, most: int, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.choice(gallery, rng.integers(0, most + 1), replace=False) for _ in range(queries)]


def _agree_with_sorting(ranking: Ranking, similarity: np.ndarray, positives: list[np.ndarray], top: int) -> None:
    for query, right in enumerate(positives):
        order = _sorted_gallery(similarity[query], set(right.tolist()))
        ranks = [place for place, row in enumerate(order, 1) if row in set(right.tolist())]
        assert ranking.ranks[ranking.starts[query] : ranking.starts[query + 1]].tolist() == ranks
        assert ranking.top.rows[query].tolist() == order[:top]
        assert (np.flatnonzero(ranking.top.relevant[query]) + 1).tolist() == [rank for rank in ranks if rank <= top]
        np.testing.assert_array_equal(ranking.top.similarities[query], similarity[query][order[:top]])


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize(("gallery", "most"), [(40, 1), (300, 6), (120, 40)])
def test_ranks_and_first_items_are_those_of_a_sorted_gallery(gallery: int, most: int, levels: int) -> None:
    rng = np.random.default_rng(gallery + levels)
    texts = _embeddings(gallery, 5, levels, rng)
    images = _embeddings(60, 5, levels, rng)
    positives = _positives(60, gallery, most, rng)
    ranking = rank_positives(images, texts, Positives.listed(positives), top=7, cells=1000)
    _agree_with_sorting(ranking, _cosines(images, texts), positives, 7)
    assert ranking.candidates == gallery


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(0, 2), st.integers(60, 1500))
def test_the_size_of_a_chunk_changes_nothing(seed: int, gallery: int, levels: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    images, texts = _embeddings(23, 6, levels, rng), _embeddings(gallery, 6, levels, rng)
    positives = Positives.listed(_positives(23, gallery, min(gallery, 12), rng))
    labels = rng.integers(0, 2, (23, 2)).astype(float), rng.integers(0, 2, (gallery, 2)).astype(float)
    whole, chunked = (rank_positives(images, texts, positives, cells=size) for size in (10**6, cells))
    assert whole.ranks.tolist() == chunked.ranks.tolist()
    matches = [match_classes(images, texts, *labels, own=positives, cells=size) for size in (10**6, cells)]
    assert matches[0].matching.tolist() == matches[1].matching.tolist()
    for one, other in ((whole.top, chunked.top), (matches[0].top, matches[1].top)):
        for name in ("rows", "similarities", "relevant"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_equal_items_tie_in_every_place_of_a_matrix_product() -> None:
    rng = np.random.default_rng(0)
    images, text = rng.normal(size=(50, 512)).astype(np.float32), rng.normal(size=(1, 512)).astype(np.float32)
    texts = np.repeat(text, 997, axis=0) * rng.choice([1, 2, 4], (997, 1)).astype(np.float32)
    ranking = rank_positives(images, texts, Positives.listed([[one] for one in range(50)]), cells=7 * 997)
    assert set(ranking.ranks) == {997}
    assert all(len(set(one)) == 1 for one in ranking.top.similarities.tolist())


def test_oracle_embeddings_find_everything_first_and_constant_ones_everything_last() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(200, 64)).astype(np.float32)
    pairs = Positives.listed([[one] for one in range(200)])
    assert set(rank_positives(images, images * 3, pairs).ranks) == {1}
    for constant in (np.ones((200, 64), np.float32), np.zeros((200, 64), np.float32)):
        assert set(rank_positives(images, constant, pairs).ranks) == {200}
        labels = np.eye(2)[np.arange(200) % 2]
        assert not match_classes(images, constant, labels, labels, own=None).top.relevant.any()


def test_many_images_share_one_report() -> None:
    texts = np.eye(3, dtype=np.float32)
    images = texts[[0, 0, 0, 1, 2]]
    to_text = Positives.sharing(["a", "a", "a", "b", "nowhere"], ["a", "b", "c"])
    ranking = rank_positives(images, texts, to_text)
    assert ranking.ranks.tolist() == [1, 1, 1, 1]
    assert to_text.counts.tolist() == [1, 1, 1, 1, 0]
    to_image = Positives.sharing(["a", "b", "c"], ["a", "a", "a", "b", "nowhere"])
    ranking = rank_positives(texts, images, to_image)
    assert ranking.ranks.tolist() == [1, 2, 3, 1]
    assert ranking.top.relevant[0].tolist() == [True, True, True, False, False]
    assert Positives.listed([[4, 1, 4], []]).rows.tolist() == [1, 4]


def _agree_with_sorting_by_class(
    found: ClassMatches, similarity: np.ndarray, same: np.ndarray, own: list[np.ndarray], top: int
) -> None:
    for query, left_out in enumerate(own):
        right = set(np.flatnonzero(same[query]).tolist())
        order = _sorted_gallery(similarity[query], right, set(left_out.tolist()))
        assert found.candidates[query] == len(order)
        assert found.matching[query] == sum(row in right for row in order)
        listed = order[:top]
        assert found.top.rows[query].tolist() == listed + [-1] * (top - len(listed))
        assert found.top.relevant[query, : len(listed)].tolist() == [row in right for row in listed]
        assert not found.top.relevant[query, len(listed) :].any()


@pytest.mark.parametrize("levels", [0, 1])
@pytest.mark.parametrize(("gallery", "most"), [(80, 0), (80, 3), (9, 9)])
def test_matches_of_a_class_are_those_of_a_sorted_gallery(gallery: int, most: int, levels: int) -> None:
    rng = np.random.default_rng(gallery + most + levels)
    images, texts = _embeddings(30, 4, levels, rng), _embeddings(gallery, 4, levels, rng)
    labels = [rng.choice([0, 1, np.nan], (rows, 2), p=[0.5, 0.4, 0.1]) for rows in (30, gallery)]
    own = _positives(30, gallery, most, rng)
    same = np.array([[bool((one == other).all()) for other in labels[1]] for one in labels[0]])  # NaN equals nothing
    found = match_classes(images, texts, *labels, own=Positives.listed(own), top=8, cells=200)
    _agree_with_sorting_by_class(found, _cosines(images, texts), same, own, 8)


def test_the_own_report_counts_or_does_not() -> None:
    images = np.eye(4, dtype=np.float32)
    labels = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    with_own = match_classes(images, images, labels, labels, own=None)
    assert with_own.top.relevant[:, 0].all()
    without = match_classes(images, images, labels, labels, own=Positives.listed([[0], [1], [2], [3]]))
    assert without.top.rows[0].tolist() == [2, 3, 1, -1]  # all at 0: the match comes last
    assert (without.matching.tolist(), without.candidates.tolist()) == ([1] * 4, [3] * 4)


def test_no_queries_give_empty_results() -> None:
    none = rank_positives(np.zeros((0, 3), np.float32), np.ones((5, 3), np.float32), Positives.listed([]))
    assert none.ranks.shape == (0,)
    assert none.top.rows.shape == (0, 5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_embeddings_that_are_no_numbers_are_an_error(wrong: float) -> None:
    good = np.ones((4, 3), np.float32)
    bad = good.copy()
    bad[2, 1] = wrong
    pairs = Positives.listed([[0]] * 4)
    with pytest.raises(BenchxError, match=r"1 of 4 embeddings of queries(.|\n)*row 2"):
        rank_positives(bad, good, pairs)
    with pytest.raises(BenchxError, match="embeddings of the gallery"):
        rank_positives(good, bad, pairs)


def test_what_does_not_fit_is_refused() -> None:
    good, pairs = np.ones((4, 3), np.float32), Positives.listed([[0]] * 4)
    with pytest.raises(ValueError, match=r"must be \[Q, P\]"):
        rank_positives(good, good[:, :2], pairs)
    with pytest.raises(ValueError, match="gallery is empty"):
        rank_positives(good, good[:0], Positives.listed([[]] * 4))
    with pytest.raises(ValueError, match="positives of 1 queries given for 4"):
        rank_positives(good, good, Positives.listed([[0]]))
    for row in (4, -1):
        with pytest.raises(ValueError, match="of a gallery of 4"):
            rank_positives(good, good, Positives.listed([[0], [1], [2], [row]]))
    with pytest.raises(ValueError, match="do not fit the embeddings"):
        match_classes(good, good, np.zeros((3, 1)), np.zeros((4, 1)), own=None)
