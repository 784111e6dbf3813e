"""The best items of a gallery for each query, in one total order, and that order after a method's own similarity.

The order: higher similarity first; of equals those that are not relevant first; of these the lower gallery row.
Ties are so broken against the method: one that says the same of everything gets the worst rank, not a lucky one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchx.errors import BenchxError

_ABSENT = -torch.inf


@dataclass(frozen=True)
class Top:
    """The first K items of every query, best first.

    Attributes:
        rows: int32 [Q, K], gallery rows; -1 after the last candidate.
        similarities: float32 [Q, K]; -inf after the last candidate.
        relevant: bool [Q, K], whether each is right for its query.
    """

    rows: np.ndarray
    similarities: np.ndarray
    relevant: np.ndarray

    @classmethod
    def joined(cls, parts: list[Top], top: int) -> Top:
        """Put the lists of consecutive queries under each other; no parts are no queries."""
        if not parts:
            empty = np.zeros((0, top))
            return cls(empty.astype(np.int32), empty.astype(np.float32), empty.astype(bool))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__annotations__))


def top_items(similarity: torch.Tensor, relevant: torch.Tensor, top: int) -> Top:
    """Return the first items in the module's order.

    Args:
        similarity: float32 [Q, G]; -inf where an item is no candidate.
        relevant: bool [Q, G].
        top: K; of a smaller gallery all items are returned.
    """
    top, gallery = min(top, similarity.shape[1]), similarity.shape[1]
    best, rows = similarity.topk(min(top + 1, gallery), dim=1)
    if gallery > top:
        tied_at_the_end = best[:, top] == best[:, top - 1]
        rows = rows[:, :top]
        if tied_at_the_end.any():
            keys = _keys(similarity[tied_at_the_end], relevant[tied_at_the_end])
            rows[tied_at_the_end] = keys.topk(top, dim=1).indices
    rows = rows.sort(dim=1).values
    found, right = similarity.gather(1, rows), relevant.gather(1, rows)
    order = _keys(found, right).argsort(dim=1, descending=True)
    rows, found, right = (one.gather(1, order) for one in (rows, found, right))
    absent = found == _ABSENT
    return Top(
        rows.masked_fill(absent, -1).to(torch.int32).cpu().numpy(),
        found.cpu().numpy(),
        (right & ~absent).cpu().numpy(),
    )


def reranked(
    top: Top, own_similarity: Callable[[np.ndarray, np.ndarray], np.ndarray], queries_at_a_time: int = 64
) -> Top:
    """Order the listed items anew by a method's own similarity; which items are listed stays.

    Of equal own similarities those that are not relevant come first, of these those that were.

    Args:
        own_similarity: given query numbers int [n] and gallery rows int [n, K] returns float [n, K]: the similarity
            of each query with each of its own K items (not of all with all).

    Returns:
        The lists, with the own similarities.

    Raises:
        BenchxError: an own similarity is NaN.
        ValueError: it has another shape.
    """
    parts = []
    for first in range(0, len(top.rows), queries_at_a_time):
        rows, relevant = (one[first : first + queries_at_a_time] for one in (top.rows, top.relevant))
        absent = rows < 0
        numbers = np.arange(first, first + len(rows))
        own = np.asarray(own_similarity(numbers, np.where(absent, 0, rows)), np.float32)
        if own.shape != rows.shape:
            raise ValueError(f"own similarities {own.shape} given for items {rows.shape}")
        if np.isnan(own[~absent]).any():
            raise BenchxError(
                "the method's own similarity is NaN for some pairs",
                "such a pair has no place in an order",
                "look for an overflow in half precision, or for texts without words",
            )
        own = np.where(absent, -np.inf, np.maximum(own, np.finfo(np.float32).min)).astype(np.float32)
        order = np.lexsort((np.broadcast_to(np.arange(rows.shape[1]), rows.shape), absent, relevant, -own), axis=1)
        parts.append(Top(*(np.take_along_axis(one, order, axis=1) for one in (rows, own, relevant))))
    return Top.joined(parts, top.rows.shape[1])


def _keys(similarity: torch.Tensor, relevant: torch.Tensor) -> torch.Tensor:
    """Return integers that order as the module says, int64 [Q, G], no two of a query alike.

    The upper 32 bits are those of the similarity, made ascending (the bits of a negative float descend).
    """
    bits = similarity.contiguous().view(torch.int32)
    ascending = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(torch.int64)
    place = torch.arange(similarity.shape[1], 0, -1, device=similarity.device)
    return ascending * 2**32 + (~relevant).to(torch.int64) * 2**31 + place
