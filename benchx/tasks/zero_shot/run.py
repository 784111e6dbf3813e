"""Run a zero-shot cell: ask the method, score every image, choose thresholds on validation, look where it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.metrics.classification import scorable
from benchx.metrics.zero_shot import calls, spread, standardised, thresholds
from benchx.planning import Cell
from benchx.protocols import ZeroShot, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome, classification_table
from benchx.tasks.subgroups import group_columns
from benchx.tasks.zero_shot.answering import Question, answers, ground, questions
from benchx.tasks.zero_shot.grounding import Found
from benchx.tasks.zero_shot.scores import score
from benchx.tasks.zero_shot.searching import best, on_validation, searched
from benchx.workspace import Workspace

TRANSDUCTIVE = "transductive: scores are standardised over the test images, so each depends on the others"


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Score a cell's test images; nothing is trained, and `work` is not used.

    Raises:
        NotApplicable: the method reads no text or does not embed images and texts in one space, the classes cannot be
            asked about, or none has both values among the test images.
        UsageError: the prompt set lacks a class; with a search, every one does.
        WeightsMissing: the tokenizer or the sentences of fixed queries are not there.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, ZeroShot)
    samples, folds = workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds
    labels = samples.class_labels(tuple(cell.settings["classes"]))
    tested = np.concatenate([fold.test for fold in folds])
    if not scorable(labels[tested]).any():
        raise NotApplicable(
            f"no class of {cell.dataset} can be scored: none has both values among the {len(tested)} test images",
            "an AUROC needs positives and negatives",
            "use split cv5 in a suite of your own, or the whole dataset",
        )
    asked, refused = questions(cell, protocol, workspace)
    validation: dict[int, np.ndarray] = {}
    found: list[dict[int, float | None]] = []
    numbers = [0] * len(folds)
    if protocol.search:
        on_val = np.unique(np.concatenate([fold.val for fold in folds]))
        validation = dict(zip(asked, answers(list(asked.values()), on_val), strict=True))
        found = [on_validation(validation, labels, fold) for fold in folds]
        numbers = [best(one) for one in found]
    scores: dict[int, np.ndarray] = {}
    looks: dict[int, tuple[Found | None, str | None]] = {}
    for number in sorted(set(numbers)):
        theirs = [fold for fold, chosen in zip(folds, numbers, strict=True) if chosen == number]
        test = np.unique(np.concatenate([fold.test for fold in theirs]))
        both = np.unique(np.concatenate([test, *(fold.val for fold in theirs)]))
        (scores[number],) = answers([asked[number]], test if protocol.search else both)
        looks[number] = ground(asked[number], both) if protocol.grounding else (None, None)
    parts = []
    for place, (fold, number) in enumerate(zip(folds, numbers, strict=True)):
        own = scores[number].copy()
        if protocol.search:
            own[fold.val] = validation[number][fold.val]
        parts.append(_fold(asked[number], place, fold, own, labels, looks[number][0]))
    predictions = pd.concat([table for table, _ in parts], ignore_index=True)
    predictions = predictions.assign(**group_columns(samples.table.iloc[tested]))
    taken = [asked[number] for number in sorted(set(numbers))]
    details: dict[str, Any] = {
        "folds": [details for _, details in parts],
        "rule": taken[0].rule.title,
        "prompts": taken[0].asked.described if len(taken) == 1 else [one.asked.described for one in taken],
        "transductive": protocol.statistics == "test" and any(bool(one.standardised.any()) for one in taken),
    }
    if details["transductive"]:
        details["note"] = TRANSDUCTIVE
    if why := next((why for _, why in looks.values() if why), None):
        details["without_grounding"] = why
    if protocol.search:
        details |= searched(protocol, found, refused)
        for fold_details, number in zip(details["folds"], numbers, strict=True):
            fold_details["chosen"] = number
    return Outcome(predictions, score(predictions), details)


def _fold(
    asked: Question, number: int, fold: Fold, scores: np.ndarray, labels: np.ndarray, found: Found | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table of a fold's test cases and what is told of it."""
    samples, classes = asked.dataset.samples, asked.classes
    source = {"validation": fold.val, "test": fold.test}[asked.protocol.statistics]
    by = asked.protocol.statistics if asked.standardised.any() and len(source) else None
    if by is not None:
        scores = np.where(asked.standardised, standardised(scores, spread(scores[source])), scores)
    # In the precision of the table, so that a test case equal to a validation case stays equal to it.
    stored = scores.astype(np.float32)
    chosen = thresholds(stored[fold.val], labels[fold.val])
    called = calls(stored[fold.test], chosen).astype(np.float32)
    table = classification_table(samples, fold.test, number, stored[fold.test], labels[fold.test], classes)
    table = table.assign(**{f"call:{name}": called[:, index] for index, name in enumerate(classes)})
    details = describe(samples, number, fold.train[:0], fold.val, fold.test)
    details |= {"f1_thresholds": dict(zip(classes, chosen, strict=True)), "standardised_by": by}
    if found is not None:
        columns, heat_thresholds = found.columns(fold.test, fold.val)
        table = table.assign(**columns)
        details |= {"heat_thresholds": heat_thresholds}
    return table, details
