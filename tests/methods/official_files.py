"""Files shaped like the official checkpoints, from the names and shapes kept with the certificates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchx.methods.keyed_init import keyed_tensor

CERTIFICATES = Path(__file__).parents[1] / "certificates"
SHARED = Path(__file__).parents[3] / "shared"
PARITY = SHARED / "parity"
SEEDS = SHARED / "parity-seeds"
"""The second group of methods, in the same form; a manifest may say which tensors are one (`tied`)."""
KAD = ("image_encoder", "text_encoder", "model")
"""KAD's file has three state dicts, each with a manifest."""


def certificate(method: str) -> dict[str, Any]:
    return json.loads((CERTIFICATES / f"{method}.json").read_text())


def hollow_tensors(method: str) -> dict[str, torch.Tensor]:
    """The method's tensors, each one number seen through its shape: right names, next to no bytes."""
    one = torch.full((1,), 0.01)
    return {
        name: torch.tensor(0) if name.endswith("num_batches_tracked") else one.expand(shape or [1]).reshape(shape)
        for name, shape in certificate(method)["tensors"].items()
    }


def keyed_file(folder: Path, method: str) -> Path:
    """A file of the tensors that the method reads, with keyed weights, in the official container."""
    facts = certificate(method)
    tensors = {name: keyed_tensor(name, shape) for name, shape in facts["tensors"].items()}
    return saved(folder / f"{method}.pth", tensors, tuple(facts["container"]))


def saved(path: Path, tensors: dict[str, Any], container: tuple[str, ...] = (), **beside: Any) -> Path:
    """Save tensors in their container, with other entries beside it."""
    whole: dict[str, Any] = tensors
    for key in reversed(container):
        whole = {key: whole, **beside}
    torch.save(whole, path)
    return path


def expected_file(method: str) -> Path:
    """Where the figures of the official code lie, if they are here."""
    name = f"{method.replace('-', '_')}.npz"
    first = PARITY / "expected" / name
    return first if first.is_file() else SEEDS / "expected" / name


def manifest(method: str) -> dict[str, Any]:
    """What is known of a method's official checkpoint: `tensors`, `container`, `known_extra_in_official`, ...

    Lies in ../shared, which may be absent.
    """
    name = f"{method.replace('-', '_')}.json"
    first = PARITY / "manifests" / name
    return json.loads((first if first.is_file() else SEEDS / "manifests" / name).read_text())


def official_file(folder: Path, method: str) -> Path:
    """The file as published, with keyed weights: every tensor, the known extra ones, an optimizer beside them."""
    beside = {"optimizer": {"state": {}}, "epoch": 1}
    if method == "kad":
        return saved(
            folder / "kad.pth", {part: _official_tensors(manifest(f"kad__{part}"), method) for part in KAD} | beside
        )
    facts = manifest(method)
    return saved(folder / f"{method}.pth", _official_tensors(facts, method), tuple(facts["container"]), **beside)


def _official_tensors(facts: dict[str, Any], method: str) -> dict[str, torch.Tensor]:
    extra = facts.get("known_extra_in_official", {})
    tensors = {name: keyed_tensor(name, shape) for name, shape in {**facts["tensors"], **extra}.items()}
    for alias, canonical in facts.get("tied", {}).items():
        tensors[alias] = tensors[canonical]
    if "align_head.edge_index" in tensors:
        tensors["align_head.edge_index"] = torch.from_numpy(np.load(expected_file(method))["edge_index"])
    return tensors
