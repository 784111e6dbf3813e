"""One direction of retrieval: queries in a gallery, the columns of its predictions, and its chance levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchx.metrics.retrieval import DEPTHS
from benchx.metrics.retrieval.chance import class_chance, pair_chance
from benchx.metrics.retrieval.positives import Positives
from benchx.metrics.retrieval.scores import Scores, Values, class_values, pair_values
from benchx.metrics.retrieval.search import ClassMatches, Ranking, match_similarities, rank_similarities
from benchx.metrics.retrieval.similarity import Chunks
from benchx.metrics.retrieval.top import Top, reranked

Own = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A method's own similarity, from queries [n] and gallery rows [n, K] to float [n, K]."""


@dataclass(frozen=True)
class Found:
    """What was found in one direction.

    Attributes:
        matches: of classes; None where there are none.
    """

    ranking: Ranking
    matches: ClassMatches | None

    @property
    def tops(self) -> list[Top]:
        """The lists of first items, whose order a method's own similarity may change."""
        return [self.ranking.top, *([self.matches.top] if self.matches is not None else [])]

    def reordered(self, own: Own, first: int) -> Found:
        """Return the same with the first of the listed items in the order of a method's own similarity."""
        matches = self.matches
        return Found(
            self.ranking.with_top(_first_anew(self.ranking.top, own, first)),
            None if matches is None else replace(matches, top=_first_anew(matches.top, own, first)),
        )


def find(
    chunks: Callable[[], Chunks],
    candidates: int,
    positives: Positives,
    labels: tuple[np.ndarray, np.ndarray] | None,
    *,
    exclude_own: bool,
    top: int,
) -> Found:
    """Search one direction, see `benchx.metrics.retrieval.search`.

    Args:
        chunks: begins to give the similarities of all queries with the whole gallery.
        candidates: size of the gallery.
        labels: of queries [Q, C] and gallery [G, C], for matches of classes.
        exclude_own: whether a query's positives are no candidates for these.
        top: how many first items are listed, at least the largest of `DEPTHS`.
    """
    top = max(top, *DEPTHS)
    ranking = rank_similarities(chunks(), positives, candidates, top=top)
    if labels is None:
        return Found(ranking, None)
    return Found(ranking, match_similarities(chunks(), *labels, own=positives if exclude_own else None, top=top))


def values(found: Found) -> Values:
    """Return the columns of a prediction table, float64 [Q] each, without the name of the direction."""
    columns = pair_values(found.ranking)
    if found.matches is not None:
        columns |= {f"class_{name}": column for name, column in class_values(found.matches).items()}
    return {_plain(name): column for name, column in columns.items()}


def chance(found: Found) -> Scores:
    """Return what a random order would score, by the names of the scores, without that of the direction."""
    levels = pair_chance(np.diff(found.ranking.starts), found.ranking.candidates)
    if found.matches is not None:
        of_class = class_chance(found.matches.matching, found.matches.candidates)
        levels |= {f"class_{name}": level for name, level in of_class.items()}
    return {_plain(name): level for name, level in levels.items()}


def _plain(name: str) -> str:
    return name.replace("@", "_at_")


def _first_anew(top: Top, own: Own, first: int) -> Top:
    parts = ("rows", "similarities", "relevant")
    anew = reranked(Top(*(getattr(top, name)[:, :first] for name in parts)), own)
    return Top(*(np.concatenate([getattr(anew, name), getattr(top, name)[:, first:]], axis=1) for name in parts))
