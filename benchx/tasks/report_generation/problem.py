"""What a report generation cell is about: the studies of every fold, after the label fraction was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.tasks.drawing import draw_rows
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
    usable = np.zeros(len(samples.table), bool)
    usable[cases.images(np.arange(len(cases.names)))] = True
    train, val = draw_rows(cell, samples, np.empty((len(samples.table), 0)), number, fold, usable)
    return Draw(number, cases.among(train), cases.among(val), cases.among(fold.test))
