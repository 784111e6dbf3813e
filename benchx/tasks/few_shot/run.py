"""Run a few-shot cell: pose it, draw and fit in every fold, and keep where the test cases are placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.extraction import cell_features
from benchx.planning import Cell
from benchx.protocols import FewShot, read_protocol
from benchx.tasks.few_shot.placing import PlacedFold, place_fold
from benchx.tasks.few_shot.problem import Problem, pose
from benchx.tasks.few_shot.scores import score
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.subgroups import group_columns
from benchx.workspace import Workspace


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Fit and predict a cell; `work` is not used.

    Raises:
        NotApplicable: no class has cases enough, see `benchx.tasks.few_shot.problem.pose`.
    """
    problem = pose(cell, workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds)
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, FewShot)
    features = cell_features(cell, protocol, workspace).matrix
    return solve(problem, features, protocol, workspace.device, workspace.progress.stage(f"{cell.label}: shots"))


def solve(
    problem: Problem,
    features: np.ndarray,
    protocol: FewShot,
    device: str,
    advance: Callable[[int, int], None],
) -> Outcome:
    """Draw, fit and place in every fold.

    Args:
        features: float32 [N, D] of the whole dataset.
        advance: called with the numbers of shots done and in all, of all folds.

    Returns:
        The predictions; as details the counts of every fold, and `shots`: by number of shots the mean, standard
        deviation, minimum and maximum over draws of the macro AUROC, and the classes left out with the reasons.
    """
    folds = problem.folds
    steps = len(folds) * len(problem.shots)
    placed = [
        place_fold(
            problem,
            number,
            features,
            protocol,
            device,
            lambda done, _, before=number * len(problem.shots): advance(before + done, steps),  # type: ignore[misc]
        )
        for number in range(len(folds))
    ]
    predictions = pd.concat([_table(problem, number, one) for number, one in enumerate(placed)], ignore_index=True)
    tested = np.concatenate([fold.test for fold in folds])
    predictions = predictions.assign(**group_columns(problem.samples.table.iloc[tested]))
    details = {
        "folds": [_described(problem, number, one) for number, one in enumerate(placed)],
        "shots": {str(shots): _over_draws(problem, shots, placed) for shots in problem.shots},
    }
    return Outcome(predictions, score(predictions), details)


def _table(problem: Problem, number: int, found: PlacedFold) -> pd.DataFrame:
    rows = problem.folds[number].test
    columns: dict[str, Any] = {
        "sample": problem.samples.table["sample"].to_numpy()[rows].astype(str),
        "cluster": problem.samples.clusters[rows],
        "fold": np.full(len(rows), number, np.int8),
    }
    for place, name in enumerate(problem.classes):
        columns[f"label:{name}"] = problem.labels[rows, place].astype(np.float32)
    for shots in problem.shots:
        for name in problem.classes:
            placed = found.placed.get((shots, name))
            values = np.full(len(rows), np.nan) if placed is None else placed.placements
            columns[f"placement:{shots}:{name}"] = values.astype(np.float32)
    return pd.DataFrame(columns)


def _described(problem: Problem, number: int, found: PlacedFold) -> dict[str, Any]:
    fold = problem.folds[number]
    said = describe(problem.samples, number, fold.train, fold.val[:0], fold.test)
    return said | {
        "untrained_classes": [name for name in problem.classes if name in problem.left_out[problem.shots[0]]],
        "converged": found.converged,
        "draws_with_repeated_units": {str(shots): count for shots, count in found.repeated.items()},
    }


def _over_draws(problem: Problem, shots: int, placed: Sequence[PlacedFold]) -> dict[str, Any]:
    """Describe the macro AUROC of each draw: its mean over classes, of means over folds by their positives."""
    of_class = []
    for place in problem.kept(shots):
        name = problem.classes[place]
        aurocs = np.stack([one.placed[shots, name].aurocs for one in placed])
        scored = ~np.isnan(aurocs[:, 0])
        positives = [(problem.labels[fold.test, place] == 1).sum() for fold in problem.folds]
        of_class.append(np.average(aurocs[scored], axis=0, weights=np.array(positives)[scored]))
    values = np.mean(of_class, axis=0) if of_class else None
    return {
        "classes": len(of_class),
        "left_out": problem.left_out[shots],
        "mean": None if values is None else float(values.mean()),
        "sd": None if values is None or len(values) < 2 else float(values.std(ddof=1)),
        "min": None if values is None else float(values.min()),
        "max": None if values is None else float(values.max()),
    }
