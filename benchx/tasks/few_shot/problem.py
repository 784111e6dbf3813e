"""A few-shot cell posed: which classes have cases enough for how many shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.metrics.classification import scorable
from benchx.planning import Cell


@dataclass(frozen=True)
class Problem:
    """A few-shot cell with its data.

    Attributes:
        labels: float32 [N, C] of the cell's classes, for every row of `samples`.
        classes: the C names.
        shots: rising.
        left_out: by number of shots and class why the class has no score there.
    """

    cell: Cell
    samples: Samples
    folds: tuple[Fold, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    shots: tuple[int, ...]
    left_out: dict[int, dict[str, str]]

    def kept(self, shots: int) -> tuple[int, ...]:
        """Return the places of the classes that have a score at a number of shots."""
        return tuple(place for place, name in enumerate(self.classes) if name not in self.left_out[shots])


def pose(cell: Cell, samples: Samples, folds: Sequence[Fold]) -> Problem:
    """Find the classes that every fold's training cases can teach with so many shots, and the test cases can score.

    A class that one fold lacks cases of is left out everywhere, so that a score is of the same classes in all folds.

    Raises:
        NotApplicable: no class is left at any number of shots.
    """
    classes, shots = tuple(cell.settings["classes"]), tuple(sorted(cell.settings["protocol"]["shots"]))
    labels = samples.class_labels(classes)
    tested = scorable(labels[np.concatenate([fold.test for fold in folds])])
    fewest = [
        np.min([(labels[fold.train] == value).sum(axis=0) for fold in folds], axis=0).tolist() for value in (1, 0)
    ]
    left_out = {
        count: {
            name: f"{present} with it and {absent} without it to train" if known else "only one value among test cases"
            for name, known, present, absent in zip(classes, tested, *fewest, strict=True)
            if not known or min(present, absent) < count
        }
        for count in shots
    }
    if all(len(reasons) == len(classes) for reasons in left_out.values()):
        first = left_out[shots[0]]
        raise NotApplicable(
            f"no class of {cell.dataset} has cases for {shots[0]} shots",
            "; ".join(f"{name}: {why}" for name, why in first.items()),
            "use more data, or split cv5",
        )
    return Problem(cell, samples, tuple(folds), labels, classes, shots, left_out)
