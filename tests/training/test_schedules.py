from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from benchx.training.schedules import warmup_cosine


def test_warms_up_in_equal_steps() -> None:
    assert [warmup_cosine(step, 4, 20) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_then_follows_the_cosine_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = CosineAnnealingLR(optimizer, T_max=16)
    for step in range(4, 20):
        assert warmup_cosine(step, 4, 20) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_stays_at_zero_after_the_end() -> None:
    assert warmup_cosine(19, 0, 20) > 0
    assert [warmup_cosine(step, 0, 20) for step in (20, 21, 39, 40)] == [0.0] * 4


def test_edges() -> None:
    assert warmup_cosine(0, 0, 1) == 1.0
    assert [warmup_cosine(step, 3, 3) for step in range(4)] == [1 / 3, 2 / 3, 1.0, 0.0]
    assert warmup_cosine(0, 0, 0) == 0.0
