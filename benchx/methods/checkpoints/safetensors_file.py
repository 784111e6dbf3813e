"""Read safetensors files, each tensor when it is asked for."""

from __future__ import annotations

import itertools
import json
import operator
from pathlib import Path
from typing import Any

import safetensors
import torch

from benchx.methods.checkpoints.stored import MAX_AXES, Storages, StoredTensor, unreadable

MAX_HEADER = 8 * 2**20
"""Bytes of the header; published ones have less than one million, about 100 for each tensor."""

MAX_TENSORS = 100_000

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
        CheckpointError: the library does not accept the file, or its header is far too large.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise unreadable(path, f"its header claims {length} bytes; {MAX_HEADER} are read at most")
    try:
        # The library checks that the tensors fill the file without gaps or overlaps, each with the bytes of its shape.
        with safetensors.safe_open(path, "pt"), path.open("rb") as file:
            file.seek(8)
            header = json.loads(file.read(length))
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise unreadable(path, str(error)[:200]) from error
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise unreadable(path, f"it has {len(header)} tensors; {MAX_TENSORS} are read at most")
    if any(len(facts["shape"]) > MAX_AXES for facts in header.values()):
        raise unreadable(path, f"a tensor of it has more than {MAX_AXES} axes")
    begin = 8 + length
    places = {name: (begin + facts["data_offsets"][0], _size(facts)) for name, facts in header.items()}
    storages = Storages(path, places)
    return {name: _stored(storages, name, facts) for name, facts in header.items()}


def _size(facts: dict[str, Any]) -> int:
    first, end = facts["data_offsets"]
    return int(end - first)


def _stored(storages: Storages, name: str, facts: dict[str, Any]) -> StoredTensor:
    shape = tuple(facts["shape"])
    stride = tuple(itertools.accumulate(reversed(shape[1:]), operator.mul, initial=1))[::-1][: len(shape)]
    dtype = DTYPES.get(facts["dtype"])
    refused = "" if dtype else f"of type {facts['dtype']}"
    return StoredTensor(storages, name, dtype or torch.uint8, 0, shape, stride, refused)
