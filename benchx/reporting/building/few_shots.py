"""The AUROCs of few-shot classification, class by class: their replicates follow from sums of placements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchx.metrics.placements import aurocs_of_sums
from benchx.reporting.rows import Part
from benchx.statistics.bootstrap import sums_replicates
from benchx.statistics.per_class import class_scores
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import of_score
from benchx.tasks.few_shot.scores import labels_of, terms


@dataclass(frozen=True)
class FewShotScores:
    """The classes that have a score at a number of shots, in S tables of one method.

    Attributes:
        scores: float64 [S, C].
        replicates: float64 [S, R, C].
        labels: float64 [N, C].
        classes: all, with intervals where there is a score.
        excluded: those without, and why.
    """

    scores: np.ndarray
    replicates: np.ndarray
    labels: np.ndarray
    classes: tuple[Part, ...]
    excluded: dict[str, str]


def few_shot_scores(tables: Sequence[pd.DataFrame], primary: str, draws: Draws, level: float) -> FewShotScores:
    """Score the classes of a primary metric `macro_auroc_at_K` on all cases and on resampled ones."""
    shots = int(primary.rpartition("_")[2])
    names, labels = labels_of(tables[0])
    of_cases = [terms(table, shots) for table in tables]
    scores = np.stack([aurocs_of_sums(one.sum(axis=0)) for one in of_cases])
    scored = np.flatnonzero(np.isfinite(scores).all(axis=0))
    replicates = np.stack([_replicates(one, scored, draws) for one in of_cases])
    kept = [names[place] for place in scored]
    found = {
        one.name: Part(one.name, one.positives, one.estimate and of_score(one.estimate), one.reason)
        for one in class_scores(scores[:, scored], replicates, labels[:, scored], kept, draws, level)
    }
    excluded = {name: _why(labels[:, place], shots) for place, name in enumerate(names) if name not in found}
    classes = tuple(
        found.get(name) or Part(name, int((labels[:, place] == 1).sum()), None, excluded[name])
        for place, name in enumerate(names)
    )
    return FewShotScores(scores[:, scored], replicates, labels[:, scored], classes, excluded)


def _replicates(of_cases: np.ndarray, places: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the AUROCs float64 [R, c] of some classes in every replicate, from the terms [N, 4 C] of all."""
    columns = [
        sums_replicates(of_cases[:, 4 * place : 4 * place + 4], lambda sums: aurocs_of_sums(sums)[..., 0], draws)
        for place in places
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(draws.counts), 0))


def _why(labels: np.ndarray, shots: int) -> str:
    lacking = [name for name, value in (("no positive", 1), ("no negative", 0)) if not (labels == value).any()]
    return f"{' and '.join(lacking)} in test" if lacking else f"too few training cases for {shots} shots"
