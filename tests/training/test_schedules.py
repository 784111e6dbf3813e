"""Every schedule, step by step, against torch's own schedulers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from benchx.training.schedules import STEPWISE, polynomial, reductions, unclamped_cosine, warmup_cosine


def optimizer(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates(scheduler: LRScheduler, steps: int) -> list[float]:
    """The rates at which torch would take so many steps."""
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


def test_warms_up_in_equal_steps() -> None:
    assert [warmup_cosine(step, 4, 20) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_then_follows_the_cosine_of_torch() -> None:
    theirs = rates(CosineAnnealingLR(optimizer(), T_max=16), 16)
    assert [warmup_cosine(step, 4, 20) for step in range(4, 20)] == pytest.approx(theirs, abs=1e-12)


def test_stays_at_zero_after_the_end() -> None:
    assert warmup_cosine(19, 0, 20) > 0
    assert [warmup_cosine(step, 0, 20) for step in (20, 21, 39, 40)] == [0.0] * 4


def test_edges() -> None:
    assert warmup_cosine(0, 0, 1) == 1.0
    assert [warmup_cosine(step, 3, 3) for step in range(4)] == [1 / 3, 2 / 3, 1.0, 0.0]
    assert warmup_cosine(0, 0, 0) == 0.0


@pytest.mark.parametrize(("warmup", "total"), [(50, 3000), (60, 1200), (10, 200), (0, 7), (1, 2)])
def test_the_unclamped_cosine_is_a_lambda_of_torch(warmup: int, total: int) -> None:
    def of_the_protocol(step: int) -> float:
        progress = (step - warmup) / (total - warmup)
        return step / warmup if step < warmup else max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))

    steps = 3 * total
    theirs = rates(LambdaLR(optimizer(), of_the_protocol), steps)
    assert [unclamped_cosine(step, warmup, total) for step in range(steps)] == pytest.approx(theirs, abs=1e-12)


def test_the_unclamped_cosine_starts_at_zero_and_comes_back_after_its_end() -> None:
    assert unclamped_cosine(0, 50, 3000) == 0.0
    assert unclamped_cosine(50, 50, 3000) == 1.0
    assert unclamped_cosine(3000, 50, 3000) == pytest.approx(0.0, abs=1e-12)
    assert unclamped_cosine(3000 + 2950, 50, 3000) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("warmup", "total"), [(1500, 20000), (5, 12), (2, 4), (0, 6)])
def test_polynomial_is_a_line_up_and_a_line_down_of_torch(warmup: int, total: int) -> None:
    # MMEngine's schedulers end in their last step, so one step earlier than torch's of the same name.
    made = optimizer()
    down = PolynomialLR(made, total_iters=total - warmup - 1, power=1.0)
    whole: LRScheduler = down
    if warmup:
        up = LinearLR(made, start_factor=1e-6, end_factor=1.0, total_iters=warmup - 1)
        whole = SequentialLR(made, [up, down], milestones=[warmup])
    steps = total + 3
    ours = [polynomial(step, warmup, total) for step in range(steps)]
    assert ours == pytest.approx(rates(whole, steps), abs=1e-9)
    assert ours[total - 1 :] == [0.0] * 4


def test_polynomial_of_the_benchx_configurations() -> None:
    assert polynomial(0, 1500, 20000) == 1e-6
    assert polynomial(1498, 1500, 20000) == pytest.approx(1 - 1 / 1499, abs=1e-6)
    assert [polynomial(step, 1500, 20000) for step in (1499, 1500, 19999)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", sorted(STEPWISE))
@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (1, 1), (3, 3), (5, 3), (1, 2), (0, 0)])
def test_no_schedule_fails_where_there_is_no_room_for_it(name: str, warmup: int, total: int) -> None:
    factors = [STEPWISE[name](step, warmup, total) for step in range(8)]
    assert all(0 <= factor <= 1 for factor in factors)


def plateau_rates(scores: list[float | None], rate: float) -> list[float]:
    made = optimizer(rate)
    theirs = ReduceLROnPlateau(made, mode="max", factor=0.8, patience=1, min_lr=1e-6, threshold_mode="abs")
    found = []
    for score in scores:
        theirs.step(math.nan if score is None else score)
        found.append(made.param_groups[0]["lr"])
    return found


def test_reductions_are_those_of_torchs_plateau() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        # Many equal scores, steps around the threshold, and scores that are missing.
        values = rng.integers(0, 4, 60) * rng.choice([1e-1, 1e-4, 0.9e-4, 1.1e-4])
        scores = [None if rng.random() < 0.1 else float(value) for value in values]
        ours = [0.8 ** reductions(scores[: number + 1]) for number in range(60)]
        assert ours == pytest.approx(plateau_rates(scores, 1.0), rel=1e-12)


def test_reductions_by_hand() -> None:
    assert reductions([]) == 0
    assert reductions([0.1, 0.1]) == 0
    assert reductions([0.1, 0.1, 0.1]) == 1
    assert reductions([0.1, 0.1, 0.1, 0.1, 0.1]) == 2
    assert reductions([0.1, 0.1, 0.2, 0.2, 0.2]) == 1
    assert reductions([None, None]) == 1
    assert reductions([0.1, 0.1 + 0.5e-4, 0.1 + 0.9e-4]) == 1
