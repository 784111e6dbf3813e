"""Numeric precision of a training run: what is asked for, and what the device gives."""

from __future__ import annotations

from typing import Literal

import torch

from benchx.errors import UsageError

Precision = Literal["auto", "fp32", "bf16"]


def resolve_precision(device: str, precision: Precision) -> Literal["fp32", "bf16"]:
    """Return the precision that will be used, by the name under which a record shows it.

    `auto` is bf16 on a CUDA device that has it and fp32 elsewhere.

    Raises:
        UsageError: bf16 was asked for on a CUDA device without it.
    """
    if precision == "fp32":
        return "fp32"
    on_cuda = torch.device(device).type == "cuda"
    has_bf16 = on_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "auto":
        return "bf16" if has_bf16 else "fp32"
    if on_cuda and not has_bf16:
        raise UsageError("this GPU has no bf16", "the protocol asks for it", "set precision: auto or fp32")
    return "bf16"


def autocast(device: str, precision: Precision) -> torch.autocast:
    """Return the context in which forward passes run at that precision.

    Raises:
        UsageError: as `resolve_precision`.
    """
    enabled = resolve_precision(device, precision) == "bf16"
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled)
