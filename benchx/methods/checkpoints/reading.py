"""Read checkpoint files as they are published, tensors only, never running what is in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.legacy import is_legacy, read_legacy
from benchx.methods.checkpoints.modules import MAX_DEPTH
from benchx.methods.checkpoints.pickle_machine import Stub
from benchx.methods.checkpoints.safetensors_file import is_safetensors, read_safetensors
from benchx.methods.checkpoints.stored import StoredTensor, unreadable
from benchx.methods.checkpoints.torch_zip import read_zip

Named = dict[str, torch.Tensor | StoredTensor]

COMPRESSED = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\xfd7zX": "xz", b"BZh": "bzip2"}


def read_file(path: Path) -> Any:
    """Return the object tree of a checkpoint: nested plain containers with tensors that still lie in the file.

    The content decides about the format, not the suffix: torch's zip files (state dicts, whole modules and
    TorchScript archives), torch's format before release 1.6, and safetensors.

    Raises:
        CheckpointError: missing, truncated, or not a checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}", "the file does not exist", "check the path")
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PK"):
        return read_zip(path)
    if is_legacy(head):
        return read_legacy(path)
    if is_safetensors(path, head):
        return read_safetensors(path)
    raise unreadable(path, _what_it_is(head))


def read_tensors(path: Path, container: Sequence[str] = ()) -> dict[str, torch.Tensor]:
    """Return the state dict of a checkpoint: name -> tensor on the CPU.

    Args:
        path: the file.
        container: the keys that lead to the state dict, outermost first.

    Raises:
        CheckpointError: the file does not read, or a container key is absent.
    """
    named = open_container(read_file(path), container, path)
    return {name: load_tensor(value) for name, value in named.items()}


def open_container(tree: Any, container: Sequence[str], path: Path) -> Named:
    """Return the tensors under a container, by name; other values are dropped.

    Raises:
        CheckpointError: a key is absent (those that are there are listed), or it holds no tensors.
    """
    for key in container:
        if not isinstance(tree, dict) or not isinstance(tree.get(key), dict):
            raise CheckpointError(
                f"{path.name} has no container '{key}'",
                f"at that place there is: {_kind(tree)}",
                "check that the file belongs to this method",
            )
        tree = tree[key]
    named = _named(tree)
    if not named:
        inside = ["/".join(keys) for keys in containers(tree)]
        raise CheckpointError(
            f"{path.name} holds no tensors where the card looks for them",
            f"there are tensors under: {', '.join(inside)}" if inside else f"there is {_kind(tree)}",
            "set the card's layout.container to it" if inside else "save the model's state_dict() and use that",
        )
    return named


def containers(tree: Any) -> dict[tuple[str, ...], Named]:
    """Return every mapping in a tree that holds tensors by name, by the keys that lead to it."""
    found: dict[tuple[str, ...], Named] = {}
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), tree)])
    seen: set[int] = set()
    while waiting:
        keys, node = waiting.popleft()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if named := _named(node):
            found[keys] = named
        if isinstance(node, dict) and len(keys) < MAX_DEPTH:
            waiting += [((*keys, key), value) for key, value in node.items() if isinstance(key, str)]
    return found


def load_tensor(value: torch.Tensor | StoredTensor) -> torch.Tensor:
    """Return a tensor of the tree, read from its file if it still lies there."""
    return value.load() if isinstance(value, StoredTensor) else value.detach()


def _named(node: Any) -> Named:
    if not isinstance(node, dict):
        return {}
    return {
        key: value
        for key, value in node.items()
        if isinstance(key, str) and isinstance(value, torch.Tensor | StoredTensor)
    }


def _kind(tree: Any) -> str:
    if isinstance(tree, dict):
        return ", ".join(sorted(str(key) for key in tree)[:8]) or "nothing"
    return f"a pickled {tree.origin}" if isinstance(tree, Stub) else f"a {type(tree).__name__}"


def _what_it_is(head: bytes) -> str:
    if head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        return "it is a text file: a web page or a Git LFS pointer was saved in its place"
    for mark, name in COMPRESSED.items():
        if head.startswith(mark):
            return f"it is compressed with {name}: unpack it first"
    if head[257:262] == b"ustar":
        return "it is a tar file: unpack it first; if torch wrote it (before release 0.1.10), it is too old to be read"
    return "truncated, or no torch or safetensors file"
