"""Read checkpoint files as they are published, tensors only, never running what is in them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file

from benchx.errors import CheckpointError
from benchx.methods.unpickle import StoredTensor, Stub, read_zip

Named = dict[str, torch.Tensor | StoredTensor]

MAX_DEPTH = 4
"""How deep state dicts are looked for inside a file; published ones lie one or two keys deep."""


def read_file(path: Path) -> Any:
    """Return the object tree of a checkpoint: nested plain containers with tensors on the CPU.

    In turn: safetensors; `torch.load(weights_only=True)`, memory-mapped where the format allows it; for
    zip-format files with foreign classes the restricted unpickler (see benchx.methods.unpickle).

    Raises:
        CheckpointError: missing, truncated, or not a checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}", "the file does not exist", "check the path")
    with path.open("rb") as file:
        head = file.read(64)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if head.startswith(b"PK"):
        return _read_torch_zip(path)
    if head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        raise _unreadable(path, "it is a text file: a web page or a Git LFS pointer was saved in its place")
    return _read_torch_legacy(path)


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
        if not isinstance(tree, dict) or not isinstance(dict.get(tree, key), dict):
            raise CheckpointError(
                f"{path.name} has no container '{key}'",
                f"at that place there is: {_kind(tree)}",
                "check that the file belongs to this method",
            )
        tree = dict.__getitem__(tree, key)
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
    waiting: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    seen: set[int] = set()
    while waiting:
        keys, node = waiting.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if named := _named(node):
            found[keys] = named
        if isinstance(node, dict) and len(keys) < MAX_DEPTH:
            waiting += [((*keys, key), value) for key, value in dict.items(node) if isinstance(key, str)]
    return found


def load_tensor(value: torch.Tensor | StoredTensor) -> torch.Tensor:
    """Return a tensor of the tree, mapped from its file if it still lies there."""
    return value.load() if isinstance(value, StoredTensor) else value.detach()


def _named(node: Any) -> Named:
    if not isinstance(node, dict):
        return {}
    # dict's own items(): a hostile file may have set an attribute of that name on an OrderedDict.
    return {
        key: value
        for key, value in dict.items(node)
        if isinstance(key, str) and isinstance(value, torch.Tensor | StoredTensor)
    }


def _kind(tree: Any) -> str:
    if isinstance(tree, dict):
        return ", ".join(sorted(str(key) for key in dict.keys(tree))[:8]) or "nothing"
    return f"a pickled {tree.origin}" if isinstance(tree, Stub) else f"a {type(tree).__name__}"


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise _unreadable(path, str(error)) from error


def _read_torch_zip(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise _unreadable(path, "truncated: the end of its zip archive is missing") from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise _unreadable(path, "it is a TorchScript program, not a state dict")
    if not any(name.endswith("/data.pkl") for name in names):
        raise _unreadable(path, f"it is an archive of other files ({', '.join(names[:3])}): unpack it first")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        # Foreign classes or damage: the restricted reader reads the one and names the other.
        return read_zip(path)


def _read_torch_legacy(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch fails in a dozen ways on bytes that are not its own, and then advises to run the file.
        why = "truncated, no torch file, or torch's old format with foreign classes, which are never run"
        raise _unreadable(path, why) from error


def _unreadable(path: Path, why: str) -> CheckpointError:
    size = path.stat().st_size
    return CheckpointError(
        f"{path} does not read as a checkpoint ({size} bytes)",
        why,
        "fetch the file again from the method's page",
    )
