"""What a report generation cell is about: the studies of every fold, after the label fraction was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.datasets.fractions import draw_fraction
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.tasks.report_generation.cases import Cases


@dataclass(frozen=True)
class Draw:
    """The case numbers of one fold after the label fraction was drawn."""

    number: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def pose(cell: Cell, samples: Samples, folds: Sequence[Fold], cases: Cases) -> tuple[Draw, ...]:
    """Draw the cell's fraction of every fold's units.

    Raises:
        NotApplicable: no test study has a report, or none of a fold's training studies.
    """
    draws = tuple(_draw(cell, samples, cases, number, fold) for number, fold in enumerate(folds))
    if not any(len(draw.test) for draw in draws):
        raise _no_report(cell, "test", cases)
    if not all(len(draw.train) for draw in draws):
        raise _no_report(cell, "training", cases)
    return draws


def _no_report(cell: Cell, part: str, cases: Cases) -> NotApplicable:
    return NotApplicable(
        f"no {part} study of {cell.dataset} at fraction {100 * cell.fraction:g} % has a report",
        f"{len(cases.names)} studies have the sections asked for, {cases.without_report} have not",
        "ask for other sections, use a larger fraction or more data",
    )


def _draw(cell: Cell, samples: Samples, cases: Cases, number: int, fold: Fold) -> Draw:
    def drawn(rows: np.ndarray, part: str) -> np.ndarray:
        """Draw from the units that have a case."""
        with_case = np.intersect1d(rows, cases.images(cases.among(rows)))
        kept = draw_fraction(
            with_case,
            samples.clusters,
            np.empty((len(samples.table), 0)),
            fraction=cell.fraction,
            smallest=cell.settings.get("smallest_fraction", 1.0),
            seed=cell.seed or 0,
            name=f"{cell.dataset}/{number}/{part}",
        )
        return cases.among(kept)

    train = cases.among(fold.subsets[cell.fraction]) if cell.fraction in fold.subsets else drawn(fold.train, "train")
    cut = cell.settings.get("cut_validation", False) and not fold.subsets
    val = drawn(fold.val, "val") if cut else cases.among(fold.val)
    return Draw(number, train, val, cases.among(fold.test))
