"""Run a question answering cell: read image and question together, answer by a head per fold or its own, and score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.pairs import pair_features
from benchx.planning import Cell
from benchx.protocols import Answer, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.vqa.cases import Cases, read_cases
from benchx.tasks.vqa.fitting import Fitted, Setting, fit
from benchx.tasks.vqa.own import own_answers, own_vocabulary
from benchx.tasks.vqa.problem import Draw, pose
from benchx.tasks.vqa.scores import score
from benchx.tasks.vqa.sources import Source, kept, trained
from benchx.tasks.vqa.tables import answer_table, shared_clusters
from benchx.workspace import Workspace


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and answer a cell. Its answers stay in the private table `answers`: `sample`, `answer`, `truth`, normalised.

    Args:
        work: folder of the states that a killed cell continues from.

    Raises:
        NotApplicable: see `cases.read_cases`, `problem.pose`, `own.own_vocabulary` and `benchx.pairs.pair_features`.
        UsageError: the list of the method's own answers is not that of its head.
        WeightsMissing: a text tower's weights or its tokenizer are not there, or the list of the method's own answers.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Answer)
    samples = workspace.dataset(cell.reading).samples
    cases = read_cases(samples)
    known = own_vocabulary(cell.method, workspace) if protocol.head == "own" else protocol.vocabulary
    draws = pose(cell, cases, workspace.folds(cell.reading).folds, known)
    answer, details = _answering(cell, protocol, workspace, cases, work)
    folds, trials, tables, answers = [], [], [], []
    for draw in draws:
        found = answer(draw)
        tables.append(answer_table(cases, draw, found.answers))
        answers += [draw.vocabulary[number] for number in found.answers]
        parts = {"train": draw.train, "val": draw.val, "test": draw.test}
        told = describe(samples, draw.number, *(np.unique(cases.images[numbers]) for numbers in parts.values()))
        folds.append(
            told
            | {"questions": {name: len(numbers) for name, numbers in parts.items()}}
            | {"vocabulary": len(draw.vocabulary), "outside_vocabulary": int((draw.targets[draw.test] < 0).sum())}
            | {"shared_units": shared_clusters(cases, draw)}
            | found.chosen
        )
        trials += [{"fold": draw.number} | trial for trial in found.trials]
    predictions = pd.concat(tables, ignore_index=True)
    tested = np.concatenate([draw.test for draw in draws])
    private = pd.DataFrame({"sample": predictions["sample"], "answer": answers, "truth": cases.answers[tested]})
    return Outcome(predictions, score(predictions), details | {"folds": folds}, {"answers": private}, tuple(trials))


def _answering(
    cell: Cell, protocol: Answer, workspace: Workspace, cases: Cases, work: Path
) -> tuple[Callable[[Draw], Fitted], dict[str, Any]]:
    """Return what answers the test questions of a draw, and what a record says of it."""
    if protocol.encoder == "trained":
        return _training(cell, protocol, workspace, lambda draw: trained(cell, protocol, workspace, cases), work), {}
    features, told = pair_features(cell, protocol, workspace, cases.images, cases.texts, protocol.questions)
    if protocol.head == "own":
        numbers = own_answers(cell, protocol, workspace, features)
        return lambda draw: Fitted(numbers[draw.test], {"features": "frozen"}, ()), {"reading": told, "answers": "own"}

    def source(draw: Draw) -> Source:
        return kept(features, draw.train, workspace.device)

    return _training(cell, protocol, workspace, source, work), {"reading": told}


def _training(
    cell: Cell, protocol: Answer, workspace: Workspace, new_source: Callable[[Draw], Source], work: Path
) -> Callable[[Draw], Fitted]:
    setting = Setting(protocol, new_source, cell.seed or 0, workspace.device)

    def answer(draw: Draw) -> Fitted:
        advance = workspace.progress.stage(f"{cell.label}: fold {draw.number}, epochs")
        return fit(setting, draw, work / f"fold{draw.number}", advance)

    return answer
