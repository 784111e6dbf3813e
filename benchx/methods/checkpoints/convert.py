"""Write a checkpoint's state dict anew as a safetensors file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchx.digests import digest_file
from benchx.errors import CheckpointError, UsageError
from benchx.methods.checkpoints.reading import Named, containers, load_tensor, open_container, read_file
from benchx.writing import partial_path

MAX_GROWTH = 4
"""How many times the bytes of its file the tensors may take. Views that repeat a few numbers are written out."""


@dataclass(frozen=True)
class Converted:
    """A safetensors file that was written.

    Attributes:
        tensors: number of tensors.
        bytes: of the file.
        sha256: of the file.
        dropped: keys beside the tensors whose values were no tensors.
    """

    file: Path
    tensors: int
    bytes: int
    sha256: str
    dropped: tuple[str, ...]


def convert(path: Path, out: Path, container: Sequence[str] = ()) -> Converted:
    """Write the state dict of a checkpoint as safetensors: the same names, types and values, bit for bit.

    Each tensor becomes independent and contiguous. The file's metadata name the source, its sha256 and the container.

    Args:
        container: the keys that lead to the state dict; without them the file must hold exactly one.

    Raises:
        UsageError: `out` exists, or its folder does not.
        CheckpointError: the file does not read, or holds several state dicts.
    """
    if out.exists() or not out.parent.is_dir():
        why = "it exists already" if out.exists() else f"there is no folder {out.parent}"
        raise UsageError(f"{out} is not written", why, "name a new file in a folder that exists")
    tree = read_file(path)
    keys = tuple(container) or _only_container(tree, path)
    named = open_container(tree, keys, path)
    state = _independent(named, path)
    metadata = {
        "format": "pt",
        "source": path.name,
        "source_sha256": digest_file(path),
        "container": ".".join(keys),
    }
    partial = partial_path(out)
    try:
        save_file(state, partial, metadata)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return Converted(out, len(state), out.stat().st_size, digest_file(out), _dropped(tree, keys, named))


def _only_container(tree: Any, path: Path) -> tuple[str, ...]:
    found = containers(tree)
    if len(found) > 1:
        listed = ", ".join(f"{'.'.join(keys) or 'the top'} ({len(named)} tensors)" for keys, named in found.items())
        raise CheckpointError(
            f"{path.name} holds {len(found)} groups of tensors",
            f"there are tensors under: {listed}",
            "name the one to convert: --container",
        )
    return next(iter(found), ())


def _independent(named: Named, path: Path) -> dict[str, torch.Tensor]:
    size = sum(math.prod(value.shape) * value.dtype.itemsize for value in named.values())
    if size > MAX_GROWTH * path.stat().st_size:
        raise CheckpointError(
            f"{path.name} holds tensors of {size} bytes in all, in a file of {path.stat().st_size}",
            "they repeat a few numbers many times",
            "check that the file belongs to the method",
        )
    state: dict[str, torch.Tensor] = {}
    taken: set[int] = set()
    for name, value in named.items():
        tensor = load_tensor(value).contiguous()
        place = tensor.untyped_storage().data_ptr()
        state[name] = tensor.clone() if place in taken else tensor
        taken.add(place)
    return state


def _dropped(tree: Any, container: Sequence[str], named: Named) -> tuple[str, ...]:
    for key in container:
        tree = tree[key]
    return tuple(str(key) for key in tree if key not in named)
