"""The scores of methods in one column on bootstrap replicates of its test cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from benchx.digests import digest_lines, fraction_of_hash
from benchx.metrics.classification import classification_scores
from benchx.reporting.building.appraisal import cases_digest, other_cases
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.gathering import Found, Gathered
from benchx.reporting.building.predictions import read_predictions
from benchx.statistics.bootstrap import macro_auroc_replicates, sums_replicates
from benchx.statistics.paired_tests import cluster_numbers
from benchx.statistics.win_tie_loss import multinomial_sums
from benchx.tasks.measures import Measure, ratio
from benchx.tasks.predictions import scores_and_labels
from benchx.tasks.scoring import MEASURES

ROUNDING = 1e-12
"""Differences of scores below this are none."""


@dataclass(frozen=True)
class Drawn:
    """A difference on bootstrap replicates.

    Attributes:
        a, b: the draw-averaged scores.
        replicates: float64 [R], of a - b; those that differ from 0 by rounding are 0.
        units, cases: how many count for the metric, in the draw with the fewest.
    """

    a: float
    b: float
    replicates: np.ndarray
    units: int
    cases: int


class Column:
    """Some methods of a column, their predictions read once; draws (seeds) are held fixed and averaged.

    Raises:
        StoreError: predictions cannot be read, or are of other test cases than the rest.
    """

    def __init__(self, gathered: Gathered, methods: Sequence[str], draws: DrawsByCases, replicates: int) -> None:
        cell = gathered.cell
        self._dataset, self._task, self._draws, self._count = cell.dataset, cell.task, draws, replicates
        self._metric = cell.primary
        self._measure = None if cell.primary == "macro_auroc" else MEASURES[cell.task][cell.primary]
        self._tables = {name: [read_predictions(one) for one in gathered.by_method[name]] for name in methods}
        _check_cases(cell.task, [one for name in methods for one in gathered.by_method[name]], self._tables)
        self._known = cache(self._aurocs)
        self.digest = cache(self._digest)

    def difference(self, a: str, b: str) -> Drawn | str:
        """Return a - b, or why it cannot be drawn."""
        table = self._tables[a][0]
        member = cluster_numbers(table["cluster"].astype(str).tolist(), len(table))
        if member.max(initial=0) == 0:
            return f"all {len(table)} test cases are of one cluster, and a bootstrap needs two"
        if self._measure is None:
            (of_a, drawn_a), (of_b, drawn_b) = self._known(a), self._known(b)
            return Drawn(of_a, of_b, _rounded(drawn_a - drawn_b), int(member.max()) + 1, len(table))
        return self._of_measure(self._measure, a, b, member)

    def _digest(self, method: str) -> str:
        """Return the sha256 over what the metric reads of the method's predictions, draw by draw."""
        read = ("sample", "cluster", "score:", "label:") if self._measure is None else ("",)
        lines = []
        for table in self._tables[method]:
            names = sorted(name for name in map(str, table.columns) if name.startswith(read))
            lines += [*names, pd.util.hash_pandas_object(table[names], index=False).to_numpy().tobytes().hex()]
        return digest_lines(lines)

    def _aurocs(self, method: str) -> tuple[float, np.ndarray]:
        tables = self._tables[method]
        draws = self._draws.of(self._dataset, self._task, tables[0])
        parsed = [scores_and_labels(table) for table in tables]
        scores = [classification_scores(*one)["macro_auroc"] for one in parsed]
        drawn = [macro_auroc_replicates(logits, labels, draws) for logits, labels, _ in parsed]
        return float(np.mean(scores)), np.mean(drawn, axis=0)

    def _of_measure(self, measure: Measure, a: str, b: str, member: np.ndarray) -> Drawn | str:
        terms = [[measure.terms(table) for table in self._tables[name]] for name in (a, b)]
        of_a, of_b = (float(np.mean([measure.of_sums(one.sum(axis=0)) for one in some])) for some in terms)
        replicates = self._by_kinds(measure, terms, member)
        if replicates is None:
            draws = self._draws.of(self._dataset, self._task, self._tables[a][0])
            drawn = [[sums_replicates(one, measure.of_sums, draws) for one in some] for some in terms]
            replicates = np.mean(drawn[0], axis=0) - np.mean(drawn[1], axis=0)
        lacking = int((~np.isfinite(replicates)).sum())
        if lacking or not np.isfinite([of_a, of_b]).all():
            return (
                f"too few test cases count: {lacking} of {len(replicates)} resampled test sets have no {self._metric}"
            )
        both = [*terms[0], *terms[1]]
        cases = min(int((one[:, 1] > 0).sum()) if measure.of_sums is ratio else len(one) for one in both)
        units = min(len(np.unique(member[one.any(axis=1)])) for one in both)
        return Drawn(of_a, of_b, _rounded(replicates), units, cases)

    def _by_kinds(
        self, measure: Measure, terms: Sequence[Sequence[np.ndarray]], member: np.ndarray
    ) -> np.ndarray | None:
        """Draw by kinds of clusters, where there are few; tables with labels are drawn so that classes keep values."""
        if any(name.startswith("label:") for some in self._tables.values() for name in some[0].columns):
            return None
        stacked = np.concatenate([*terms[0], *terms[1]], axis=1)
        seed = int(fraction_of_hash("head-to-head", self._dataset) * 2**53)
        sums = multinomial_sums(stacked, member, self._count, seed)
        if sums is None:
            return None
        scores = measure.of_sums(sums.reshape(len(sums), len(terms[0]) + len(terms[1]), -1))
        of_a, of_b = np.split(scores, [len(terms[0])], axis=1)
        return np.asarray(of_a.mean(axis=1) - of_b.mean(axis=1))


def _check_cases(task: str, found: Sequence[Found], tables: dict[str, list[pd.DataFrame]]) -> None:
    digests = [cases_digest(task, table) for some in tables.values() for table in some]
    for one, digest in zip(found, digests, strict=True):
        if digest != digests[0]:
            raise other_cases(one)


def _rounded(replicates: np.ndarray) -> np.ndarray:
    return np.where(np.abs(replicates) <= ROUNDING, 0.0, replicates)
