"""Many L2-regularised logistic regressions on the same cases, minimised together.

Every problem is smooth and strictly convex, so any minimiser gives the same answer; this one is a
limited-memory BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5) arranged so that the problems share
their two matrix products per iteration, while each keeps its own curvature pairs, step size and end. The
cases are given on their principal axes, where the Hessian of a problem is nearly diagonal and its
diagonal known, so it serves as the initial inverse of the recursion. And the logits along a search
direction are linear in the step, so a step size is found without matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

_PAIRS = 10
"""Curvature pairs kept; with 20 or 40 the iterations were 5 to 10 % fewer and no faster."""

_EVALUATIONS = 40
"""Step sizes tried per iteration at most (one to three is usual); enough for bisection to end."""


@dataclass(frozen=True)
class Solution:
    """The minimisers of P problems.

    Attributes:
        weights: [P, r].
        intercepts: [P].
        converged: bool [P], whether the gradient's norm fell below the tolerance.
        iterations: of the longest problem.
    """

    weights: Tensor
    intercepts: Tensor
    converged: Tensor
    iterations: int


@dataclass
class _State:
    """The unfinished problems, one row each; `x` holds the weights and, last, the intercept."""

    index: Tensor
    signs: Tensor
    count: Tensor
    ridge: Tensor
    x: Tensor
    logits: Tensor
    gradient: Tensor
    curvature: Tensor
    steps: list[Tensor]
    changes: list[Tensor]

    def select(self, keep: Tensor) -> _State:
        """Return the state of some of the problems."""
        return _State(
            index=self.index[keep],
            signs=self.signs[keep],
            count=self.count[keep],
            ridge=self.ridge[keep],
            x=self.x[keep],
            logits=self.logits[keep],
            gradient=self.gradient[keep],
            curvature=self.curvature[keep],
            steps=[step[keep] for step in self.steps],
            changes=[change[keep] for change in self.changes],
        )


def solve(axes: Tensor, signs: Tensor, strengths: Tensor, tolerance: float, max_iterations: int) -> Solution:
    """Minimise mean log-loss over the valid cases + strength / 2 x squared norm for P problems.

    Args:
        axes: float64 [N, r], the cases on (nearly) principal axes, centred.
        signs: float64 [P, N]: 1 for a positive, -1 for a negative, 0 for a case that does not count; every
            problem has both values.
        strengths: float64 [P], > 0.
        tolerance: largest Euclidean norm of a converged gradient (weights and intercept).
        max_iterations: a problem that needs more is returned as it stands, unconverged.
    """
    spread = torch.linalg.vector_norm(axes, dim=0).square() / len(axes)  # without a second [N, r]
    state = _start(axes, signs, strengths)
    solution = torch.zeros_like(state.x)
    converged = torch.zeros(len(signs), dtype=torch.bool, device=axes.device)
    iteration = 0
    while True:
        done = state.gradient.norm(dim=1) <= tolerance
        converged[state.index[done]] = True
        solution[state.index] = state.x
        if done.any():
            state = state.select(~done)
        if len(state.index) == 0 or iteration == max_iterations:
            break
        iteration += 1
        _advance(axes, spread, state)
    return Solution(solution[:, :-1], solution[:, -1], converged, iteration)


def _start(axes: Tensor, signs: Tensor, strengths: Tensor) -> _State:
    """Begin every problem at zero weights and the intercept of its prevalence."""
    count = signs.abs().sum(1)
    prevalence = (signs > 0).sum(1) / count
    x = axes.new_zeros(len(signs), axes.shape[1] + 1)
    x[:, -1] = torch.logit(prevalence)
    logits = x[:, -1:].expand_as(signs).clone()
    ridge = strengths[:, None].repeat(1, x.shape[1])
    ridge[:, -1] = 0
    index = torch.arange(len(signs), device=axes.device)
    state = _State(index, signs, count, ridge, x, logits, x, count, [], [])
    state.gradient, state.curvature = _gradient(axes, state)
    return state


def _gradient(axes: Tensor, state: _State) -> tuple[Tensor, Tensor]:
    """Return the gradients [P, r + 1] and the mean of the log-loss's second derivative over cases [P]."""
    miss = torch.sigmoid(-state.signs * state.logits)
    curvature = (miss * (1 - miss) * state.signs.abs()).sum(1) / state.count
    residual = miss.mul_(state.signs).div_(-state.count[:, None])
    gradient = torch.cat([residual @ axes, residual.sum(1, keepdim=True)], 1)
    return gradient.add_(state.ridge * state.x), curvature


def _advance(axes: Tensor, spread: Tensor, state: _State) -> None:
    """Take one iteration of every problem, in place."""
    direction = _direction(spread, state)
    along = torch.addmm(direction[:, -1:], direction[:, :-1], axes.T)
    slope = (state.gradient * direction).sum(1)
    size = _step_sizes(state, direction, along, slope)[:, None]
    state.logits.addcmul_(size, along)
    step = size * direction
    state.x = state.x + step
    before = state.gradient
    state.gradient, state.curvature = _gradient(axes, state)
    state.steps = [*state.steps, step][-_PAIRS:]
    state.changes = [*state.changes, state.gradient - before][-_PAIRS:]


def _direction(spread: Tensor, state: _State) -> Tensor:
    """Return the descent directions [P, r + 1] by the two-loop recursion."""
    scale = state.curvature.clamp_min(1e-12)[:, None]
    inverse = 1 / torch.cat([scale * spread + state.ridge[:, :-1], scale], 1)
    q = -state.gradient
    used = []
    for step, change in zip(reversed(state.steps), reversed(state.changes), strict=True):
        bend = (step * change).sum(1, keepdim=True)
        rho = torch.where(bend > 0, 1 / bend, 0.0)
        share = rho * (step * q).sum(1, keepdim=True)
        q = torch.addcmul(q, share, change, value=-1)
        used.append((step, change, rho, share))
    q = q * inverse
    for step, change, rho, share in reversed(used):
        q = torch.addcmul(q, share - rho * (change * q).sum(1, keepdim=True), step)
    return q


def _step_sizes(state: _State, direction: Tensor, along: Tensor, slope: Tensor) -> Tensor:
    """Find a step size [P] per problem by Newton's method on the line, kept inside a bracket.

    Ends where the slope has fallen to a third of `slope` and the objective has not risen beyond rounding:
    the curvature test of Wolfe; a convex function that passes both has fallen.
    """
    signs, count = state.signs, state.count
    pull = (state.ridge * state.x * direction).sum(1)
    bend = (state.ridge * direction.square()).sum(1)
    loss = (softplus(-signs * state.logits) * signs.abs()).sum(1) / count
    size, low, high = torch.ones_like(slope), torch.zeros_like(slope), torch.full_like(slope, torch.inf)
    left = torch.arange(len(slope), device=slope.device)
    for _ in range(_EVALUATIONS):
        sign, n, at = signs[left], count[left], size[left]
        line = along[left] * sign
        margin = torch.addcmul(state.logits[left] * sign, at[:, None], line)
        miss = torch.sigmoid(-margin)
        first = pull[left] + at * bend[left] - (miss * line).sum(1) / n
        second = bend[left] + (miss * (1 - miss) * line.square()).sum(1) / n
        rise = (softplus(-margin) * sign.abs()).sum(1) / n - loss[left]
        rise += at * pull[left] + at.square() / 2 * bend[left]
        good = (first.abs() <= slope[left].abs() / 3) & (rise <= 1e-12 * (1 + loss[left]))
        low[left] = torch.where(first < 0, at, low[left])
        high[left] = torch.where(first < 0, high[left], at)
        left, newton = left[~good], (at - first / second)[~good]
        if len(left) == 0:
            return size
        below, above = low[left], high[left]
        middle = torch.where(above.isinf(), 2 * below + 1, (below + above) / 2)
        size[left] = torch.where((newton > below) & (newton < above), newton, middle)
    size[left] = low[left]
    return size
