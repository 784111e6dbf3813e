"""The nearest-neighbour probe: training cases vote by the cosine of frozen features, and nothing is trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchx.metrics.classification import macro_auroc
from benchx.protocols import Neighbours
from benchx.tasks.classification.problem import Draw, Fit, Fitted, Held, Problem

_QUERIES = 1024
_CASES = 8192
"""Queries and training cases compared at a time, so that no matrix of all pairs is held."""


def neighbours_fit(features: np.ndarray, protocol: Neighbours, device: str) -> Fit:
    """Return the protocol's fit on a feature matrix, float32 [N, D], of the whole dataset.

    Of the k nearest training cases those with a known label vote, each with the weight exp(cosine / temperature)
    (DINO, Caron et al. 2021, without a class's own scale). The score is the log-odds of the positives' share of the
    votes, so that it is above 0 where they have more than half; where all votes agree it is the largest that any votes
    could give, log k + 2 / temperature, and where nobody votes that of the share of positives in training.

    The number of neighbours with the best macro AUROC on validation is taken, of equals the smallest; one above the
    number of training cases means all of them. Of training cases with the same cosine at the last place any is taken.
    """
    grid = sorted(set(protocol.neighbours))

    def fit_draw(problem: Problem, draw: Draw) -> Fitted:
        taught = problem.labels[draw.train].astype(np.float64)
        prior = _prior(taught)

        def scores(rows: np.ndarray) -> list[np.ndarray]:
            cosines, cases = nearest(features, rows, draw.train, grid[-1], device)
            return [_odds(cosines[:, :k], cases[:, :k], taught, protocol.temperature, prior) for k in grid]

        held, tested = scores(draw.val), scores(draw.test)
        curve = [macro_auroc(one, problem.labels[draw.val]) for one in held]
        best = int(np.argmax([-1.0 if value is None else value for value in curve]))
        known = any(value is not None for value in curve)
        chosen = {
            "neighbours": grid[best],
            "selection": "validation" if known else "none: no class can be scored on validation, the fewest are taken",
            "selection_curve": curve,
            "trial_scores": [macro_auroc(one, problem.labels[draw.test]) for one in tested],
        }
        return Fitted(tested[best], Held(draw.val, held[best]) if len(draw.val) else None, chosen)

    return fit_draw


def nearest(
    features: np.ndarray, queries: np.ndarray, cases: np.ndarray, count: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the cases with the largest cosine to each query.

    Args:
        features: [N, D] (a memory map too); a row of zeros has a cosine of 0 with every other.
        queries, cases: int [q] and [n], row numbers.
        count: how many are wanted; all of them where there are fewer.

    Returns:
        Cosines, float64 [q, k], falling, and the places in `cases`, int [q, k].
    """
    kept = min(count, len(cases))
    found = [np.zeros((0, kept))], [np.zeros((0, kept), np.int64)]
    for start in range(0, len(queries), _QUERIES):
        asked = _directions(features, queries[start : start + _QUERIES], device)
        best, places = asked.new_zeros(len(asked), 0), torch.zeros(len(asked), 0, dtype=torch.int64, device=device)
        for first in range(0, len(cases), _CASES):
            cosines = asked @ _directions(features, cases[first : first + _CASES], device).T
            numbers = torch.arange(first, first + cosines.shape[1], device=device).expand(len(asked), -1)
            joined, numbers = torch.cat([best, cosines], dim=1), torch.cat([places, numbers], dim=1)
            best, order = joined.topk(min(kept, joined.shape[1]), dim=1)
            places = numbers.gather(1, order)
        found[0].append(best.cpu().numpy())
        found[1].append(places.cpu().numpy())
    return np.concatenate(found[0]), np.concatenate(found[1])


def _directions(features: np.ndarray, rows: np.ndarray, device: str) -> Tensor:
    values = torch.from_numpy(np.array(features[rows], np.float64)).to(device)
    return torch.nn.functional.normalize(values, dim=1)


def _odds(
    cosines: np.ndarray, cases: np.ndarray, labels: np.ndarray, temperature: float, prior: np.ndarray
) -> np.ndarray:
    """Return the log-odds of votes, float64 [q, C].

    Args:
        cosines, cases: [q, k] of `nearest`.
        labels: [n, C] of the training cases.
        prior: [C], where nobody votes.
    """
    bound = np.log(cosines.shape[1]) + 2 / temperature
    found = np.empty((len(cosines), labels.shape[1]))
    for start in range(0, len(cosines), _QUERIES):
        part = slice(start, start + _QUERIES)
        # Relative to the nearest, so that nothing overflows.
        weights = np.exp((cosines[part] - cosines[part, :1]) / temperature)
        voting = labels[cases[part]]
        positive, negative = (np.einsum("qk,qkc->qc", weights, voting == value) for value in (1, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(positive) - np.log(negative)
        found[part] = np.where(np.isnan(odds), prior, np.clip(odds, -bound, bound))
    return found


def _prior(labels: np.ndarray) -> np.ndarray:
    """Return the log-odds [C] of the positives' share of training labels [n, C]; 0 where one of the two is absent."""
    positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    both = (positives > 0) & (negatives > 0)
    return np.where(both, np.log(np.where(both, positives, 1)) - np.log(np.where(both, negatives, 1)), 0.0)
