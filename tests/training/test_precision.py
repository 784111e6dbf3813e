from __future__ import annotations

import pytest
import torch

from benchx.errors import UsageError
from benchx.training.precision import autocast, resolve_precision


def test_auto_is_fp32_on_cpu() -> None:
    assert resolve_precision("cpu", "auto") == "fp32"
    with autocast("cpu", "auto"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_bf16_runs_products_in_bf16() -> None:
    assert resolve_precision("cpu", "bf16") == "bf16"
    with autocast("cpu", "bf16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(("has_bf16", "name"), [(True, "bf16"), (False, "fp32")])
def test_auto_asks_the_gpu(monkeypatch: pytest.MonkeyPatch, has_bf16: bool, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert resolve_precision("cuda:0", "auto") == name
    assert resolve_precision("cuda", "fp32") == "fp32"


def test_bf16_on_a_gpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(UsageError, match="no bf16"):
        resolve_precision("cuda", "bf16")
