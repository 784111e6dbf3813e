"""Logistic heads that few cases teach: thousands of small problems in one batch, solved in the span of their cases.

With n cases and D features, n far below D, the weights of an L2-regularised head lie in the span of the cases (the
representer theorem, Kimeldorf and Wahba 1971), so that a problem has n + 1 unknowns whatever the width of the encoder.
Newton's method on them takes some ten steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchx.training.scaling import Scaling

_NUMBERS = 2**21
"""Features gathered at a time, 16 MiB of them: more leave the processor's cache."""

_HALVINGS = 40
"""Of a step that does not lower the loss; beyond, the loss cannot be told from what it was."""


@dataclass(frozen=True)
class FewShotHeads:
    """P heads on features as they come from the encoder.

    Attributes:
        weights: float64 [P, D].
        intercepts: float64 [P].
        converged: bool [P].
    """

    weights: np.ndarray
    intercepts: np.ndarray
    converged: np.ndarray

    def take(self, places: np.ndarray | slice) -> FewShotHeads:
        """Return some of the heads."""
        return FewShotHeads(self.weights[places], self.intercepts[places], self.converged[places])

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return log-odds, float64 [N, P], of features [N, D]."""
        return np.asarray(features, np.float64) @ self.weights.T + self.intercepts


@dataclass(frozen=True)
class SpanSolution:
    """Solved problems.

    Attributes:
        dual: float64 [P, n], by how much of each case the weights are made.
        intercepts: float64 [P].
        converged: bool [P].
    """

    dual: Tensor
    intercepts: Tensor
    converged: Tensor


def fit_few(
    features: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    by: Scaling,
    strength: float,
    device: str = "cpu",
) -> FewShotHeads:
    """Fit P heads of n cases each.

    Minimises, per head, the mean log-loss over its cases + strength / 2 x squared norm of the weights on standardised
    features; the intercept is free. This is `sklearn.linear_model.LogisticRegression` on these features with
    C = 1 / (strength x n), and the loss of `benchx.training.logistic`.

    Args:
        features: [N, D] (a memory map too).
        rows: int [P, n], the cases of each head.
        targets: [P, n] of 0 and 1.
        by: how features are standardised.
        device: where to solve.

    Raises:
        ValueError: shapes differ, the strength is not positive, or a target is another value or all of a head are one.
    """
    if rows.ndim != 2 or rows.shape != targets.shape:
        raise ValueError(f"rows {rows.shape} and targets {targets.shape} must both be [P, n]")
    weights, intercepts, converged = [], [], []
    step = max(1, _NUMBERS // max(1, rows.shape[1] * features.shape[1]))
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        cases = np.array(features[chosen.ravel()], np.float64)
        cases -= by.mean
        cases /= by.scale
        x = torch.from_numpy(cases).to(device).unflatten(0, chosen.shape)
        y = torch.from_numpy(np.asarray(targets[start : start + step], np.float64)).to(device)
        solved = solve_in_span(x @ x.mT, y, strength)
        weights.append((solved.dual[:, None] @ x)[:, 0].cpu().numpy() / by.scale)
        intercepts.append(solved.intercepts.cpu().numpy())
        converged.append(solved.converged.cpu().numpy())
    raw = np.concatenate(weights)
    return FewShotHeads(raw, np.concatenate(intercepts) - raw @ by.mean, np.concatenate(converged))


def solve_in_span(
    kernels: Tensor, targets: Tensor, strength: float, tolerance: float = 1e-10, max_iterations: int = 200
) -> SpanSolution:
    """Solve P logistic problems of n cases, given the inner products of their cases.

    Newton's method with backtracking; a problem leaves the batch when it has converged.

    Args:
        kernels: float64 [P, n, n], positive semidefinite, singular ones too.
        targets: float64 [P, n] of 0 and 1.
        strength: of the penalty, positive.
        tolerance: largest Euclidean norm of a converged gradient in weights and intercept.
        max_iterations: Newton steps; what has not converged by then is marked.

    Raises:
        ValueError: see `fit_few`.
    """
    if not strength > 0:
        raise ValueError(f"the strength must be positive: {strength}")
    if not ((targets == 0) | (targets == 1)).all() or not ((targets == 0).any(1) & (targets == 1).any(1)).all():
        raise ValueError("every head needs targets 0 and 1, and no others")
    problems, cases = targets.shape
    dual, intercepts = torch.zeros_like(targets), targets.new_zeros(problems)
    converged = torch.zeros(problems, dtype=torch.bool, device=targets.device)
    active = torch.arange(problems, device=targets.device)
    for iteration in range(max_iterations + 1):
        k, y, a, b = kernels[active], targets[active], dual[active], intercepts[active]
        margins = _times(k, a) + b[:, None]
        probability = torch.sigmoid(margins)
        slope = (probability - y) / cases
        residual = strength * a + slope
        gradient = ((residual * _times(k, residual)).sum(1).clamp_min(0) + slope.sum(1) ** 2).sqrt()
        done = gradient <= tolerance
        converged[active[done]] = True
        if done.all() or iteration == max_iterations:
            break
        active, k, y, a, b = active[~done], k[~done], y[~done], a[~done], b[~done]
        step = _newton_step(k, a, residual[~done], (probability * (1 - probability) / cases)[~done], strength)
        dual[active], intercepts[active] = _stepped(k, y, a, b, *step, strength)
    return SpanSolution(dual, intercepts, converged)


def _times(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices @ vectors[..., None])[..., 0]


def _newton_step(k: Tensor, a: Tensor, residual: Tensor, curvature: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Return Newton's step of dual weights and intercepts.

    The dual weights of the minimum sum to 0, which is the intercept's own condition and stands in the last row.
    """
    problems, cases = a.shape
    system = k.new_zeros(problems, cases + 1, cases + 1)
    system[:, :cases, :cases] = curvature[:, :, None] * k
    system[:, range(cases), range(cases)] += strength
    system[:, :cases, cases] = curvature
    system[:, cases, :cases] = 1
    step = torch.linalg.solve(system, -torch.cat([residual, a.sum(1, keepdim=True)], dim=1))
    return step[:, :cases], step[:, cases]


def _stepped(
    k: Tensor, y: Tensor, a: Tensor, b: Tensor, step: Tensor, intercept_step: Tensor, strength: float
) -> tuple[Tensor, Tensor]:
    """Go along a step, each problem half as far until its loss falls (Armijo 1966)."""
    signs, ka, kd = 2 * y - 1, _times(k, a), _times(k, step)
    margins, change = ka + b[:, None], kd + intercept_step[:, None]
    quadratic = [(a * ka).sum(1), (a * kd).sum(1), (step * kd).sum(1)]

    def loss(length: Tensor) -> Tensor:
        data = torch.logaddexp(-signs * (margins + length[:, None] * change), torch.zeros_like(margins)).mean(1)
        return data + strength / 2 * (quadratic[0] + 2 * length * quadratic[1] + length**2 * quadratic[2])

    length = torch.ones_like(b)
    before = loss(torch.zeros_like(b))
    descent = ((torch.sigmoid(margins) - y) * change).mean(1) + strength * quadratic[1]
    for _ in range(_HALVINGS):
        falls = loss(length) <= before + 1e-4 * length * descent + 1e-14
        if falls.all():
            break
        length = torch.where(falls, length, length / 2)
    return a + length[:, None] * step, b + length * intercept_step
