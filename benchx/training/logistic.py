"""L2-regularised multi-label logistic regression: every class at every strength in one batched solve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchx.metrics.classification import scorable
from benchx.training.logistic_solver import solve

_ROWS = 4096
"""Cases standardised, rotated or scored at a time, which bounds the extra memory."""


@dataclass(frozen=True)
class LogisticPath:
    """Logistic heads of C classes at L strengths, on features standardised by `mean` and `scale`.

    Attributes:
        weights: float64 [L, C, D].
        intercepts: float64 [L, C].
        mean: float64 [D], of the training cases.
        scale: float64 [D], their standard deviation; 1 where a feature is constant.
        iterations: of the solver.
        converged: bool [L, C].
    """

    weights: np.ndarray
    intercepts: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    iterations: int
    converged: np.ndarray


def untrainable(labels: np.ndarray) -> np.ndarray:
    """Return bool [C]: which classes of training labels [N, C] lack one of the two values."""
    return ~scorable(labels)


def fit(
    features: np.ndarray,
    labels: np.ndarray,
    strengths: Sequence[float],
    device: str = "cpu",
    tolerance: float = 1e-8,
    max_iterations: int = 2000,
) -> LogisticPath:
    """Fit every class at every strength.

    Minimises, per class, the mean log-loss over the cases with a label + strength / 2 x squared norm of
    the weights; the intercept is free. This is `sklearn.linear_model.LogisticRegression` on standardised
    features with C = 1 / (strength x valid cases). A class that lacks a value gets zero weights and the
    logit of its prevalence, half a case away from 0 and 1. Bit-identical for a given number of threads.

    Args:
        features: float32 or float64 [N, D]; one float64 copy is made.
        labels: [N, C] in {0, 1, NaN}; NaN cases do not count for that class.
        strengths: L positive numbers.
        device: where to solve.
        tolerance: largest Euclidean norm of a converged gradient. With 2000 cases of 1280
            features, 1e-8 left the largest logit error at 2e-3 of the logits' deviation for strength
            1e-5, 1e-5 for 1e-3 and 1e-6 from 1e-2 on.
        max_iterations: of the solver; what has not converged by then is marked.

    Raises:
        ValueError: no cases, shapes that differ, a strength <= 0, a label of another value, or a feature
            that is NaN or infinite.
    """
    labels = np.asarray(labels, np.float64)
    _check(features, labels, strengths)
    x, mean, scale = _standardised(features, device)
    axes, basis = _principal_axes(x)
    trained = np.flatnonzero(~untrainable(labels))
    signs = torch.from_numpy(np.nan_to_num(2 * labels[:, trained] - 1).T.copy()).to(device)
    problem_strengths = torch.tensor(strengths, dtype=torch.float64, device=device).repeat_interleave(len(trained))
    solution = solve(axes, signs.repeat(len(strengths), 1), problem_strengths, tolerance, max_iterations)

    shape = (len(strengths), labels.shape[1])
    weights, converged = np.zeros((*shape, x.shape[1])), np.ones(shape, bool)
    intercepts = np.tile(_prevalence_logit(labels), (len(strengths), 1))
    block = (len(strengths), len(trained))
    weights[:, trained] = (solution.weights @ basis.T).reshape(*block, x.shape[1]).cpu().numpy()
    intercepts[:, trained] = solution.intercepts.reshape(block).cpu().numpy()
    converged[:, trained] = solution.converged.reshape(block).cpu().numpy()
    return LogisticPath(weights, intercepts, mean.cpu().numpy(), scale.cpu().numpy(), solution.iterations, converged)


def predict(path: LogisticPath, index: int, features: np.ndarray) -> np.ndarray:
    """Return logits, float64 [N, C], of features [N, D] (a memory map too) at strength number `index`."""
    logits = np.empty((len(features), path.weights.shape[1]))
    for start in range(0, len(features), _ROWS):
        rows = np.array(features[start : start + _ROWS], np.float64)
        rows -= path.mean
        rows /= path.scale
        logits[start : start + _ROWS] = rows @ path.weights[index].T + path.intercepts[index]
    return logits


def _check(features: np.ndarray, labels: np.ndarray, strengths: Sequence[float]) -> None:
    if len(features) == 0 or features.ndim != 2 or labels.ndim != 2 or len(features) != len(labels):
        raise ValueError(f"features {features.shape} and labels {labels.shape} must be [N, D] and [N, C]")
    if len(strengths) == 0 or min(strengths) <= 0:
        raise ValueError(f"strengths must be positive: {list(strengths)}")
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")


def _standardised(features: np.ndarray, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the standardised float64 copy [N, D], its mean and its scale."""
    x = torch.from_numpy(np.array(features, np.float64)).to(device)
    mean = x.mean(0)
    if not mean.isfinite().all():
        raise ValueError("features hold NaN or infinite values")
    # By its extremes: a rounded mean leaves a constant column a residue, and so a tiny deviation that is not 0.
    constant = x.amin(0) == x.amax(0)
    x -= mean
    scale = torch.where(constant, 1.0, torch.linalg.vector_norm(x, dim=0) / len(x) ** 0.5)
    x /= scale
    return x, mean, scale


def _principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate the cases [N, D] onto their principal axes, exactly; overwrites `x` when N >= D.

    Returns:
        The cases [N, r] with r = min(N, D), and the orthonormal basis [D, r]. Weights outside the span of
        the cases are zero at the minimum, so fewer cases than features lose nothing.
    """
    basis = None
    if len(x) < x.shape[1]:
        basis, triangle = torch.linalg.qr(x.T)
        x = triangle.T.contiguous()
    rotation = torch.linalg.eigh(x.T @ x).eigenvectors
    for start in range(0, len(x), _ROWS):
        x[start : start + _ROWS] = x[start : start + _ROWS] @ rotation
    return x, rotation if basis is None else basis @ rotation


def _prevalence_logit(labels: np.ndarray) -> np.ndarray:
    """Return the logit [C] of each class's prevalence, clipped half a case from 0 and 1; 0 without labels."""
    valid = np.maximum((~np.isnan(labels)).sum(axis=0), 1)
    prevalence = np.where(np.isnan(labels).all(axis=0), 0.5, (labels == 1).sum(axis=0) / valid)
    clipped = np.clip(prevalence, 0.5 / valid, 1 - 0.5 / valid)
    return np.log(clipped / (1 - clipped))
