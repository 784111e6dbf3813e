"""How features are computed: precision, halved batches, and what names a cached matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchx.encoding import Execution, make_encode, resolve_execution
from benchx.errors import UsageError
from benchx.features import feature_folder
from benchx.images.spec import InputSpec
from benchx.protocols import Frozen
from benchx.training import precision

SPEC = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.25,))
CPU = Execution("cpu", "fp32", compiled=False, batch=8)
SETTINGS: dict[str, Any] = {
    "kind": "frozen",
    "input": {"preprocessing": "card"},
    "strengths": [1.0],
    "min_validation_positives": 5,
    "inner_folds": 5,
    "feature_batch": 8,
}


class Tiny(nn.Module):
    """A convolution and a mean; batches above `largest` do not fit, and what it is given is noted."""

    def __init__(self, largest: int = 100) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 16, 3)
        self.largest, self.seen = largest, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append((len(images), images.is_contiguous(memory_format=torch.channels_last)))
        if len(images) > self.largest:
            raise MemoryError
        return self.convolution(images).mean((2, 3))


def folder(spec: InputSpec = SPEC, execution: Execution = CPU) -> Path:
    return feature_folder(Path(), card={}, weights="w", pixels="p", spec=spec, execution=execution)


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"compiled": True}, {"batch": 4}, {"device": "cuda"}])
def test_features_computed_otherwise_never_mix(change: dict[str, Any]) -> None:
    assert folder(execution=replace(CPU, **change)) != folder()


def test_the_number_of_a_gpu_is_no_part_of_the_name() -> None:
    assert folder(execution=replace(CPU, device="cuda:1")) == folder(execution=replace(CPU, device="cuda"))


@pytest.mark.parametrize("change", [{"interpolation": "bicubic"}, {"interpolation": "area"}, {"rescale": "minmax"}])
def test_features_of_otherwise_prepared_images_never_mix(change: dict[str, Any]) -> None:
    assert folder(spec=SPEC.model_copy(update=change)) != folder()


def test_encoding_is_channels_last_and_halves_what_does_not_fit() -> None:
    tiny, images = Tiny(), torch.randn(8, 3, 32, 32)
    expected = tiny(images).detach()
    tiny.largest, tiny.seen = 3, []
    pooled = make_encode(tiny, CPU)(images)[0]
    torch.testing.assert_close(pooled, expected, rtol=1e-5, atol=1e-6)
    assert tiny.seen[0] == (8, True)
    assert max(size for size, _ in tiny.seen[-2:]) <= 3
    assert all(channels_last for _, channels_last in tiny.seen)


def test_bf16_features_are_float32_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    tiny, images = Tiny(), torch.randn(4, 3, 32, 32)
    exact = make_encode(tiny, CPU)(images)[0]
    rounded = make_encode(tiny, replace(CPU, precision="bf16"))(images)[0]
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02)


def test_a_protocol_says_the_precision_and_is_never_overruled_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="precision"):
        Frozen.model_validate(SETTINGS)
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    with pytest.raises(UsageError, match="no bf16"):
        resolve_execution(Frozen.model_validate(SETTINGS | {"precision": "bf16"}), "cpu")
    assert resolve_execution(Frozen.model_validate(SETTINGS | {"precision": "auto"}), "cpu") == CPU


def test_compiling_is_for_gpus() -> None:
    protocol = Frozen.model_validate(SETTINGS | {"precision": "fp32", "compile": True})
    assert not resolve_execution(protocol, "cpu").compiled
    assert resolve_execution(protocol, "cuda").compiled
