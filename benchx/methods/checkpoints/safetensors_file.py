"""Read safetensors files, each tensor when it is asked for."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import safetensors
import torch

from benchx.methods.checkpoints.stored import Storages, StoredTensor, unreadable

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def is_safetensors(path: Path, head: bytes) -> bool:
    """Whether a file is named so, or begins with the length of a JSON header that fits into it."""
    return path.suffix == ".safetensors" or (
        head[8:9] == b"{" and 8 + int.from_bytes(head[:8], "little") <= path.stat().st_size
    )


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        CheckpointError: the library does not accept the file.
    """
    try:
        # The library checks that the tensors fill the file without gaps or overlaps, each with the bytes of its shape.
        with safetensors.safe_open(path, "pt"), path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise unreadable(path, str(error)[:200]) from error
    header.pop("__metadata__", None)
    begin = 8 + length
    places = {name: (begin + facts["data_offsets"][0], _size(facts)) for name, facts in header.items()}
    storages = Storages(path, places)
    return {name: _stored(storages, name, facts) for name, facts in header.items()}


def _size(facts: dict[str, Any]) -> int:
    first, end = facts["data_offsets"]
    return int(end - first)


def _stored(storages: Storages, name: str, facts: dict[str, Any]) -> StoredTensor:
    shape = tuple(facts["shape"])
    stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    dtype = DTYPES.get(facts["dtype"])
    refused = "" if dtype else f"of type {facts['dtype']}"
    return StoredTensor(storages, name, dtype or torch.uint8, 0, shape, stride, refused)
