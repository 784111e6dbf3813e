"""Run a question answering cell: read image and question together, train a head per fold, answer and score."""

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
from benchx.tasks.vqa.fitting import Setting, fit
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
        NotApplicable: see `cases.read_cases`, `problem.pose` and `benchx.pairs.pair_features`.
        WeightsMissing: a text tower's weights or its tokenizer are not there.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Answer)
    samples, stage = workspace.dataset(cell.reading).samples, workspace.progress.stage
    cases = read_cases(samples)
    draws = pose(cell, cases, workspace.folds(cell.reading).folds, protocol.vocabulary)
    new_source, details = _sources(cell, protocol, workspace, cases)
    setting = Setting(protocol, new_source, cell.seed or 0, workspace.device)
    folds, trials, tables, answers = [], [], [], []
    for draw in draws:
        found = fit(setting, draw, work / f"fold{draw.number}", stage(f"{cell.label}: fold {draw.number}, epochs"))
        tables.append(answer_table(cases, draw, found.answers))
        answers += [draw.vocabulary[answer] for answer in found.answers]
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


def _sources(
    cell: Cell, protocol: Answer, workspace: Workspace, cases: Cases
) -> tuple[Callable[[Draw], Source], dict[str, Any]]:
    """Return what gives the features of a draw, and what a record says of them."""
    if protocol.encoder == "trained":
        return lambda draw: trained(cell, protocol, workspace, cases), {}
    features, told = pair_features(cell, protocol, workspace, cases.images, cases.texts, protocol.questions)
    return lambda draw: kept(features, draw.train, workspace.device), {"reading": told}
