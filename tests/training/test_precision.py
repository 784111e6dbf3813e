from __future__ import annotations

import platform

import pytest
import torch

from benchx.errors import UsageError
from benchx.training import precision
from benchx.training.precision import autocast, resolve_precision


def test_auto_is_fp32_on_cpu() -> None:
    assert resolve_precision("cpu", "auto") == "fp32"
    with autocast("cpu", "auto"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_bf16_runs_products_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    assert resolve_precision("cpu", "auto") == "fp32"
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
    with pytest.raises(UsageError, match=r"this GPU \(cuda\) has no bf16"):
        resolve_precision("cuda", "bf16")


@pytest.mark.parametrize(
    ("machine", "avx512", "mkldnn", "has"),
    [
        ("x86_64", True, True, True),
        ("x86_64", False, True, False),
        ("AMD64", True, True, True),
        ("aarch64", False, True, True),
        ("arm64", False, False, False),
    ],
)
def test_a_processor_has_bf16_only_if_it_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, machine: str, avx512: bool, mkldnn: bool, has: bool
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: mkldnn)
    assert precision.has_bf16("cpu") == has


def test_bf16_on_a_processor_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    with pytest.raises(UsageError, match=r"this processor \(cpu\) has no bf16"):
        resolve_precision("cpu", "bf16")
