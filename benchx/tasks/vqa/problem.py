"""Question answering: what is drawn for one cell, and from which answers a fold's questions are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.metrics.vqa import numbered, vocabulary
from benchx.planning import Cell
from benchx.tasks.drawing import draw_rows
from benchx.tasks.vqa.cases import Cases


@dataclass(frozen=True)
class Draw:
    """The questions of one fold after the label fraction was drawn, by their numbers.

    Attributes:
        vocabulary: the A answers to choose from.
        targets: int64 [M], the number of every question's answer in it, -1 where it is not in it.
    """

    number: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    vocabulary: tuple[str, ...] = field(repr=False)
    targets: np.ndarray = field(repr=False)


Known = Literal["train", "all"] | tuple[str, ...]
"""Which answers there are to choose from, see `pose`."""


def pose(cell: Cell, cases: Cases, folds: Sequence[Fold], known: Known) -> tuple[Draw, ...]:
    """Draw the cell's fraction of every fold's images, with their questions.

    With `train` the vocabulary is that of the fold's whole training questions, in the order of the dataset, whatever
    the fraction, so that fractions are compared on the same answers; with `all`, as M3AE has it, those of validation
    and test questions follow; else it is the given answers.

    Raises:
        NotApplicable: there is no test question, or no training question in a fold.
    """
    draws = tuple(_draw(cell, cases, number, fold, known) for number, fold in enumerate(folds))
    if not any(len(draw.test) for draw in draws):
        raise _without(cell, cases, "test")
    if not all(len(draw.train) for draw in draws):
        raise _without(cell, cases, "training")
    return draws


def _draw(cell: Cell, cases: Cases, number: int, fold: Fold, known: Known) -> Draw:
    train, val = draw_rows(cell, cases.samples, np.empty((len(cases.texts), 0)), number, fold)
    answers = known if isinstance(known, tuple) else _answers(cases, fold, known)
    return Draw(number, train, val, fold.test, answers, numbered(cases.answers, answers))


def _answers(cases: Cases, fold: Fold, known: Literal["train", "all"]) -> tuple[str, ...]:
    counted = (fold.train,) if known == "train" else (fold.train, fold.val, fold.test)
    return vocabulary(cases.answers[np.concatenate(counted)])


def _without(cell: Cell, cases: Cases, part: str) -> NotApplicable:
    return NotApplicable(
        f"no {part} question of {cell.dataset} at fraction {100 * cell.fraction:g} %",
        f"it asks {len(cases.texts)} questions about {len(np.unique(cases.images))} images",
        "use a larger fraction, split cv5, or more data",
    )
