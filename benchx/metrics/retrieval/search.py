"""Ranks of the right items among a whole gallery, never among a batch, and how many of the first share a class.

A pool of one batch makes a task easier by its size: with 8 candidates every method finds its pair among 10
(benchx-2024's code scores its batches so). Ties are broken as `benchx.metrics.retrieval.top` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from benchx.metrics.retrieval import DEPTHS
from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.similarity import CELLS, Chunks, similarity_chunks
from benchx.metrics.retrieval.top import Top, top_items

_FEW = 8
"""Up to so many positives of a query, comparing is faster than sorting its similarities."""


@dataclass(frozen=True)
class Ranking:
    """Where the right items of every query stand in the whole gallery.

    Attributes:
        starts: int64 [Q + 1]; the ranks of query q are `ranks[starts[q] : starts[q + 1]]`.
        ranks: int64 [M], 1 is best, ascending within a query.
        candidates: G, the size of the gallery.
        top: the first K items; its `relevant` are the right ones, at just the places that `ranks` names.
    """

    starts: np.ndarray
    ranks: np.ndarray
    candidates: int
    top: Top

    def with_top(self, top: Top) -> Ranking:
        """Take over the order of re-ranked lists of the same items; ranks beyond them stay."""
        ranks = self.ranks.copy()
        ranks[ranks <= top.rows.shape[1]] = np.nonzero(top.relevant)[1] + 1
        return Ranking(self.starts, ranks, self.candidates, top)


@dataclass(frozen=True)
class ClassMatches:
    """How the first items of every query agree with its class.

    Attributes:
        top: the first K candidates; its `relevant` are those of the query's class.
        matching: int64 [Q], candidates of the query's class; 0 also where the class is unknown.
        candidates: int64 [Q].
    """

    top: Top
    matching: np.ndarray
    candidates: np.ndarray


def rank_positives(
    queries: np.ndarray,
    gallery: np.ndarray,
    positives: Positives,
    *,
    top: int = max(DEPTHS),
    cells: int = CELLS,
    device: str = "cpu",
) -> Ranking:
    """Rank the right items of every query by cosine similarity.

    The rank of a right item counts all wrong items that are at least as similar, and the right ones before it.

    Args:
        queries: float [Q, P], normalised here.
        gallery: float [G, P].
        positives: of these queries in this gallery; a query may have none.
        top: how many first items are listed.
        cells: similarities held at a time; the result does not depend on it.

    Raises:
        BenchxError: an embedding is NaN or infinite.
        ValueError: shapes or positives do not fit, or the gallery is empty.
    """
    positives.check(len(queries), len(gallery))
    return rank_similarities(similarity_chunks(queries, gallery, cells, device), positives, len(gallery), top=top)


def rank_similarities(chunks: Chunks, positives: Positives, candidates: int, *, top: int = max(DEPTHS)) -> Ranking:
    """Rank the right items of every query by similarities that somebody else computes, see `rank_positives`.

    Args:
        chunks: of all queries with all `candidates`.
    """
    ranks, lists = np.zeros(len(positives.rows), np.int64), []
    for first, stop, similarity in chunks:
        pairs = [torch.from_numpy(one).to(similarity.device) for one in positives.pairs(first, stop)]
        relevant = torch.zeros(similarity.shape, dtype=torch.bool, device=similarity.device)
        relevant[pairs[0], pairs[1]] = True
        lists.append(top_items(similarity, relevant, top))
        ranks[positives.starts[first] : positives.starts[stop]] = _ranks(similarity, *pairs).cpu().numpy()
    return Ranking(positives.starts, ranks, candidates, Top.joined(lists, min(top, candidates)))


def match_classes(
    queries: np.ndarray,
    gallery: np.ndarray,
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
    *,
    own: Positives | None,
    top: int = max(DEPTHS),
    cells: int = CELLS,
    device: str = "cpu",
) -> ClassMatches:
    """List the first candidates of every query, and which have its class: all labels equal, the 5x200 rule.

    GLoRIA (Huang et al. 2021) introduced the measure, on images of one class each. A query with an unknown label
    has no class; an item with one is a candidate that matches nobody.

    Args:
        queries: float [Q, P], normalised here.
        gallery: float [G, P].
        query_labels: float [Q, C], NaN for unknown.
        gallery_labels: float [G, C].
        own: items that are no candidates for their own query, its paired report for example; None keeps all
            (benchx-2024: the own report is among the candidates, and a hit).
        top: how many first items are listed.
        cells: similarities held at a time; the result does not depend on it.

    Raises:
        BenchxError: an embedding is NaN or infinite.
        ValueError: shapes do not fit, or the gallery is empty.
    """
    if query_labels.shape[:1] != queries.shape[:1] or gallery_labels.shape[:1] != gallery.shape[:1]:
        raise ValueError(f"labels {query_labels.shape}, {gallery_labels.shape} do not fit the embeddings")
    chunks = similarity_chunks(queries, gallery, cells, device)
    return match_similarities(chunks, query_labels, gallery_labels, own=own, top=top)


def match_similarities(
    chunks: Chunks,
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
    *,
    own: Positives | None,
    top: int = max(DEPTHS),
) -> ClassMatches:
    """List the first candidates of every query by similarities that somebody else computes, see `match_classes`.

    Args:
        chunks: of the Q queries of the labels with all G items.
    """
    queries, gallery = len(query_labels), len(gallery_labels)
    own = own or Positives.listed([[]] * queries)
    own.check(queries, gallery)
    wanted, offered = _class_codes(query_labels, gallery_labels)
    matching = np.bincount(offered, minlength=wanted.max(initial=0) + 1)[wanted] if len(wanted) else wanted
    excluded = own.pairs(0, queries)
    same = wanted[excluded[0]] == offered[excluded[1]]
    matching = matching - np.bincount(excluded[0][same], minlength=queries)
    lists = []
    for first, stop, similarity in chunks:
        codes = [torch.from_numpy(one).to(similarity.device) for one in (wanted[first:stop], offered)]
        query, item = (torch.from_numpy(one).to(similarity.device) for one in own.pairs(first, stop))
        similarity[query, item] = -torch.inf
        lists.append(top_items(similarity, codes[1] == codes[0][:, None], top))
    return ClassMatches(Top.joined(lists, min(top, gallery)), matching, gallery - own.counts)


def _ranks(similarity: torch.Tensor, query: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
    """Return the ranks of positives [m], ascending within a query; `similarity` [c, G] loses its positives."""
    counts = torch.bincount(query, minlength=len(similarity))
    found = similarity[query, item]
    similarity[query, item] = -torch.inf
    place = torch.arange(len(query), device=query.device) - (counts.cumsum(0) - counts)[query]
    ranks = torch.empty_like(query)
    for rows in (counts <= _FEW, counts > _FEW):
        mine = rows[query]
        if not mine.any():
            continue
        thresholds = torch.full((int(rows.sum()), int(counts[rows].max())), torch.inf, device=found.device)
        line = (rows.cumsum(0) - 1)[query[mine]]
        thresholds[line, place[mine]] = -found[mine]
        thresholds = -thresholds.sort(dim=1).values
        wrong = _at_least(similarity if rows.all() else similarity[rows], thresholds)
        ranks[mine] = wrong[line, place[mine]] + place[mine] + 1
    return ranks


def _at_least(similarity: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Count the items [c, G] that reach each threshold [c, m]."""
    if thresholds.shape[1] <= _FEW:
        reached = (similarity >= thresholds[:, [one]] for one in range(thresholds.shape[1]))
        # As bytes and to int32, which is twice as fast as a sum of bool.
        counts = [one.view(torch.uint8).sum(dim=1, dtype=torch.int32) for one in reached]
        return torch.stack(counts, dim=1)
    return similarity.shape[1] - torch.searchsorted(similarity.sort(dim=1).values, thresholds.contiguous())


def _class_codes(query_labels: np.ndarray, gallery_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the different label vectors, int32 [Q] and [G]; numbers of unknown ones match nothing."""
    labels = np.concatenate([query_labels, gallery_labels]).astype(np.float64)
    codes = np.unique(np.nan_to_num(labels), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32) + 2
    wanted, offered = codes[: len(query_labels)], codes[len(query_labels) :]
    wanted[np.isnan(query_labels).any(axis=1)] = 0
    offered[np.isnan(gallery_labels).any(axis=1)] = 1
    return wanted, offered
