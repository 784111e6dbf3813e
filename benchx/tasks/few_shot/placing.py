"""One fold of a few-shot cell: draws, heads, and where every draw's head places the test cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchx.metrics.placements import Placed, mean_placements
from benchx.protocols import FewShot
from benchx.tasks.few_shot.drawing import case_keys, draw_order, draw_pairs
from benchx.tasks.few_shot.problem import Problem
from benchx.training.few_shot_solver import FewShotHeads, fit_few
from benchx.training.scaling import scaling

_ROWS = 4096
"""Test cases scored at a time."""

_SCORES = 2**24
"""Test scores of one class held at a time, 128 MiB of them; more draws than that are placed in turn."""


@dataclass(frozen=True)
class PlacedFold:
    """What came of one fold.

    Attributes:
        placed: by number of shots and class, on the fold's test cases.
        converged: whether every head did.
        repeated: by number of shots the draws, of any class, that hold two cases of one unit.
    """

    placed: dict[tuple[int, str], Placed]
    converged: bool
    repeated: dict[int, int]


def place_fold(
    problem: Problem,
    number: int,
    features: np.ndarray,
    protocol: FewShot,
    device: str,
    advance: Callable[[int, int], None],
) -> PlacedFold:
    """Draw from a fold's training cases, fit a head per draw, class and number of shots, and place the test cases.

    Features are standardised on all training cases of the fold, labelled or not.

    Args:
        number: of the fold.
        features: float32 [N, D] of the whole dataset.
        advance: called with the numbers of shots done and in all.
    """
    fold = problem.folds[number]
    by = scaling(features, fold.train)
    pairs = _pairs(problem, number, protocol.draws)
    placed: dict[tuple[int, str], Placed] = {}
    repeated, converged = {}, True
    units = np.unique(problem.samples.clusters, return_inverse=True)[1]
    for done, shots in enumerate(problem.shots):
        repeated[shots] = 0
        if kept := problem.kept(shots):
            rows = np.concatenate([pairs[place][:, :shots].reshape(protocol.draws, -1) for place in kept])
            own = np.sort(units[rows], axis=1)
            repeated[shots] = int((own[:, 1:] == own[:, :-1]).any(axis=1).sum())
            targets = np.tile([1.0, 0.0], (len(rows), shots))
            heads = fit_few(features, rows, targets, by, protocol.strength, device)
            converged &= bool(heads.converged.all())
            for index, place in enumerate(kept):
                mine = heads.take(slice(index * protocol.draws, (index + 1) * protocol.draws))
                labels = problem.labels[fold.test, place]
                placed[shots, problem.classes[place]] = _place(mine, features, fold.test, labels)
        advance(done + 1, len(problem.shots))
    return PlacedFold(placed, converged, repeated)


def _pairs(problem: Problem, number: int, draws: int) -> dict[int, np.ndarray]:
    """Return, by place of a class, int [draws, m, 2]: rows of the samples, m pairs each."""
    train, dataset = problem.folds[number].train, problem.cell.dataset
    keys = case_keys(dataset, problem.samples.table["sample"].to_numpy()[train].tolist())
    units = np.unique(problem.samples.clusters[train], return_inverse=True)[1]
    labels = problem.labels[train]
    places = problem.kept(problem.shots[0])
    found: dict[int, list[np.ndarray]] = {place: [] for place in places}
    for draw in range(draws):
        order = draw_order(keys, dataset, number, draw)
        for place in places:
            found[place].append(train[draw_pairs(order, labels[:, place], units)])
    return {place: np.stack(some) for place, some in found.items()}


def _place(heads: FewShotHeads, features: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Placed:
    """Place some cases by the heads of one class, in blocks of draws whose scores fit into memory."""
    draws = len(heads.intercepts)
    blocks = np.array_split(np.arange(draws), min(draws, -(-len(rows) * draws // _SCORES)))
    parts = []
    for block in blocks:
        some = heads.take(block)
        chunks = [some.logits(features[rows[start : start + _ROWS]]) for start in range(0, len(rows), _ROWS)]
        parts.append(mean_placements(np.concatenate(chunks).T, labels))
    sizes = [len(block) for block in blocks]
    mean = np.average([part.placements for part in parts], axis=0, weights=sizes)
    return Placed(mean, np.concatenate([part.aurocs for part in parts]))
