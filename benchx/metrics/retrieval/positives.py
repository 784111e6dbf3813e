"""Which gallery items are right for each query: one, several or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Positives:
    """The right gallery items of every query, flat.

    Attributes:
        starts: int64 [Q + 1]; those of query q are `rows[starts[q] : starts[q + 1]]`.
        rows: int64 [M], gallery rows, ascending and each once within a query.
    """

    starts: np.ndarray
    rows: np.ndarray

    @classmethod
    def listed(cls, lists: Iterable[Sequence[int] | np.ndarray]) -> Positives:
        """Take the gallery rows of every query; a row named twice counts once."""
        rows = [np.unique(np.asarray(one, np.int64)) for one in lists]
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(starts, np.concatenate([np.zeros(0, np.int64), *rows]))

    @classmethod
    def sharing(cls, query_keys: Sequence[str], gallery_keys: Sequence[str]) -> Positives:
        """Pair every query with all gallery items of the same key, for example of one study."""
        members: dict[str, list[int]] = {}
        for row, key in enumerate(gallery_keys):
            members.setdefault(key, []).append(row)
        return cls.listed(members.get(key, []) for key in query_keys)

    @property
    def counts(self) -> np.ndarray:
        """How many right items each query has, int64 [Q]."""
        return np.diff(self.starts)

    def pairs(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of queries first to stop - 1: query numbers from 0 on, and gallery rows, int64 [m] each."""
        queries = np.repeat(np.arange(stop - first), self.counts[first:stop])
        return queries, self.rows[self.starts[first] : self.starts[stop]]

    def check(self, queries: int, gallery: int) -> None:
        """Raise ValueError where these are not the positives of that many queries in a gallery of that size."""
        if len(self.starts) != queries + 1 or self.starts[-1] != len(self.rows):
            raise ValueError(f"positives of {len(self.starts) - 1} queries given for {queries}")
        if len(self.rows) and not (self.rows.min() >= 0 and self.rows.max() < gallery):
            raise ValueError(f"positives name rows {self.rows.min()} to {self.rows.max()} of a gallery of {gallery}")
