"""What a segmentation cell is about: the outlined images of every fold, after the label fraction was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.datasets.samples import UNITS, Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.tasks.drawing import draw_rows


@dataclass(frozen=True)
class Draw:
    """The outlined rows of one fold after the label fraction was drawn."""

    number: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def pose(
    cell: Cell, samples: Samples, folds: Sequence[Fold], labels: np.ndarray, classes: Sequence[str]
) -> tuple[Draw, ...]:
    """Draw the cell's label fraction in every fold, from the images whose outlines are known.

    Args:
        labels: float32 [N, K], whether a class is on an image, NaN where nobody outlined.
        classes: the K names.

    Raises:
        NotApplicable: no test image is outlined or none shows a class, or a fold's training images show none.
    """
    outlined = ~np.isnan(labels).any(axis=1)
    draws = tuple(_draw(cell, samples, labels, outlined, number, fold) for number, fold in enumerate(folds))
    tested = np.concatenate([draw.test for draw in draws])
    if not (labels[tested] == 1).any():
        raise NotApplicable(
            f"nothing of {cell.dataset} can be scored: no test image shows what is looked for",
            _counts(labels[tested], classes),
            "use split cv5 in a suite of your own, or the whole dataset",
        )
    for draw in draws:
        if not (labels[draw.train] == 1).any():
            units = len(np.unique(samples.clusters[draw.train]))
            raise NotApplicable(
                f"fraction {100 * cell.fraction:g} % of {cell.dataset} cannot be trained: "
                f"{len(draw.train)} outlined images of {units} training {UNITS[samples.unit]} have no positive mask",
                _counts(labels[draw.train], classes),
                "use a larger fraction, or more data",
            )
    return draws


def _draw(cell: Cell, samples: Samples, labels: np.ndarray, outlined: np.ndarray, number: int, fold: Fold) -> Draw:
    train, val = draw_rows(cell, samples, labels, number, fold, outlined)
    return Draw(number, train, val, fold.test[outlined[fold.test]])


def _counts(labels: np.ndarray, classes: Sequence[str]) -> str:
    pairs = zip(classes, (labels == 1).sum(axis=0), strict=True)
    return f"{len(labels)} outlined images, with " + ", ".join(f"{name} {count}" for name, count in pairs)
