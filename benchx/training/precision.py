"""Numeric precision of a training run: what is asked for, and what the device gives."""

from __future__ import annotations

import platform
from typing import Literal

import torch

from benchx.errors import UsageError
from benchx.protocols import Precision

Resolved = Literal["fp32", "bf16", "fp16"]


def resolve_precision(device: str, precision: Precision) -> Resolved:
    """Return the precision that will be used, by the name under which a record shows it.

    `auto` is bf16 on a CUDA device that has it and fp32 elsewhere; `fp16` is fp32 where there is no CUDA device.

    Raises:
        UsageError: bf16 was asked for on a device without it.
    """
    if precision == "fp32":
        return "fp32"
    on_cuda = torch.device(device).type == "cuda"
    if precision == "fp16":
        return "fp16" if on_cuda else "fp32"
    if precision == "auto":
        return "bf16" if on_cuda and has_bf16(device) else "fp32"
    if not has_bf16(device):
        name = "GPU" if on_cuda else "processor"
        raise UsageError(
            f"this {name} ({device}) has no bf16", "the protocol asks for it", "set precision: auto or fp32"
        )
    return "bf16"


def has_bf16(device: str) -> bool:
    """Return whether a device computes in bf16; a processor or GPU that only emulates it does not."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        return bool(torch.cpu._is_avx512_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: str, precision: Precision) -> torch.autocast:
    """Return the context in which forward passes run at that precision.

    Raises:
        UsageError: as `resolve_precision`.
    """
    resolved = resolve_precision(device, precision)
    kind = torch.float16 if resolved == "fp16" else torch.bfloat16
    return torch.autocast(torch.device(device).type, kind, enabled=resolved != "fp32")
