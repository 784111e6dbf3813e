"""Classification: what is drawn, fitted, predicted and scored for one cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.samples import UNITS, Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.metrics.classification import scorable
from benchx.planning import Cell
from benchx.tasks.classification.scores import score
from benchx.tasks.drawing import draw_rows
from benchx.tasks.folds import describe
from benchx.tasks.operating_points import held_out_thresholds
from benchx.tasks.predictions import Outcome, classification_table
from benchx.tasks.subgroups import group_columns


@dataclass(frozen=True)
class Draw:
    """The rows of one fold after the label fraction was drawn, and the labels of the cell's classes."""

    number: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Problem:
    """A classification cell with its data.

    Attributes:
        labels: float32 [N, C] of the cell's classes, for every row of `samples`.
        classes: the C names.
        draws: one per fold.
    """

    cell: Cell
    samples: Samples
    labels: np.ndarray
    classes: tuple[str, ...]
    draws: tuple[Draw, ...]


@dataclass(frozen=True)
class Held:
    """Predictions of cases that did not teach the model that made them: of validation, or out of fold in train.

    Attributes:
        rows: int [n], row numbers in `Problem.samples`.
        logits: [n, C], NaN where the model could not be taught the class.
    """

    rows: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """What a protocol made of a draw.

    Attributes:
        test: logits [n_test, C].
        held: of the model that was chosen, or with its settings; None where no case was held out.
        chosen: JSON-able choices for the record.
        trials: of the search on this fold.
    """

    test: np.ndarray
    held: Held | None
    chosen: dict[str, Any]
    trials: tuple[dict[str, Any], ...] = ()


Fit = Callable[[Problem, Draw], Fitted]
"""A protocol: fits on a draw and predicts its test cases."""


def pose(cell: Cell, samples: Samples, folds: Sequence[Fold]) -> Problem:
    """Draw the cell's label fraction in every fold.

    Raises:
        NotApplicable: no class has both values in the test set, or none in a fold's training cases;
            names the classes and the fraction.
    """
    classes = tuple(cell.settings["classes"])
    labels = samples.class_labels(classes)
    test = np.concatenate([fold.test for fold in folds])
    if not scorable(labels[test]).any():
        raise NotApplicable(
            f"no class of {cell.dataset} can be scored: none has both values among the {len(test)} test images",
            _counts(labels[test], classes),
            "use split cv5 in a suite of your own, or the whole dataset",
        )
    draws = tuple(_draw(cell, samples, labels, number, fold) for number, fold in enumerate(folds))
    for draw in draws:
        if not scorable(labels[draw.train]).any():
            units = len(np.unique(samples.clusters[folds[draw.number].train]))
            raise NotApplicable(
                f"fraction {100 * cell.fraction:g} % of {cell.dataset} cannot be trained: "
                f"{len(draw.train)} images of {units} training {UNITS[samples.unit]} leave no class with both values",
                _counts(labels[draw.train], classes),
                "use a larger fraction, or more data",
            )
    return Problem(cell, samples, labels, classes, draws)


def run(problem: Problem, fit: Fit, advance: Callable[[int, int], None]) -> Outcome:
    """Fit every fold and predict its test cases.

    A class that a fold's training cases cannot teach (no positive, or no negative) gets a constant score there:
    the median of the other folds' scores, or 0 where no fold can, so that it counts as chance and not as
    knowledge of the fold.

    Returns:
        The predictions, with the subgroups that the samples know; as details, per fold, what was counted
        and chosen, and `thresholds` (see `benchx.tasks.operating_points`), empty where no case was held out.
    """
    logits, folds, trials = [], [], []
    for draw in problem.draws:
        fitted = fit(problem, draw)
        untrained = ~scorable(problem.labels[draw.train])
        fitted.test[:, untrained] = np.nan
        logits.append(fitted.test)
        trials += [{"fold": draw.number} | trial for trial in fitted.trials]
        thresholds = _thresholds(problem, fitted.held, untrained)
        folds.append(_describe(problem, draw, untrained) | fitted.chosen | {"thresholds": thresholds})
        advance(draw.number + 1, len(problem.draws))
    whole = np.concatenate(logits)
    known = ~np.isnan(whole)
    constant = [
        float(np.median(column[seen])) if seen.any() else 0.0 for column, seen in zip(whole.T, known.T, strict=True)
    ]
    tables = [
        classification_table(
            problem.samples,
            draw.test,
            draw.number,
            np.where(np.isnan(scores), constant, scores),
            problem.labels[draw.test],
            problem.classes,
        )
        for draw, scores in zip(problem.draws, logits, strict=True)
    ]
    tested = np.concatenate([draw.test for draw in problem.draws])
    predictions = pd.concat(tables, ignore_index=True).assign(**group_columns(problem.samples.table.iloc[tested]))
    return Outcome(predictions, score(predictions), {"folds": folds}, trials=tuple(trials))


def _draw(cell: Cell, samples: Samples, labels: np.ndarray, number: int, fold: Fold) -> Draw:
    if cell.split == "cv5" and cell.settings["protocol"]["kind"] in ("frozen", "paired"):
        # The head's strength is chosen inside train, so all four other folds may teach it.
        fold = replace(fold, train=np.sort(np.concatenate([fold.train, fold.val])), val=fold.val[:0])
    return Draw(number, *draw_rows(cell, samples, labels, number, fold), fold.test)


def _thresholds(problem: Problem, held: Held | None, untrained: np.ndarray) -> dict[str, dict[str, float | None]]:
    if held is None:
        return {}
    logits = np.where(untrained, np.nan, held.logits)
    return held_out_thresholds(logits, problem.labels[held.rows], problem.classes)


def _describe(problem: Problem, draw: Draw, untrained: np.ndarray) -> dict[str, Any]:
    names = [name for name, gone in zip(problem.classes, untrained, strict=True) if gone]
    said = describe(problem.samples, draw.number, draw.train, draw.val, draw.test)
    return said | {"untrained_classes": names}


def _counts(labels: np.ndarray, classes: Sequence[str]) -> str:
    pairs = zip(classes, (labels == 1).sum(axis=0), strict=True)
    return f"{len(labels)} images, positives: " + ", ".join(f"{name} {count}" for name, count in pairs)
