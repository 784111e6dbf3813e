"""`benchx doctor`: what this installation runs on and where it looks for data and weights."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Any

from benchx import __version__
from benchx.datasets import DATASETS, find_root
from benchx.errors import DataMissing, WeightsMissing
from benchx.resources import data_folder, environment_folder
from benchx.results.environment import git_commit, package_versions


def diagnose(data_root: Path | None) -> list[dict[str, Any]]:
    """Return rows of (what, value): versions, device, disk, and the state of every dataset and method."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    data = data_folder(data_root)
    weights = environment_folder("BENCHX_WEIGHTS")
    rows = {
        "benchx": f"{__version__} ({git_commit() or 'no repository'})",
        "python": platform.python_version(),
        **package_versions(),
        "device": ", ".join(gpus) or f"cpu, {torch.get_num_threads()} threads",
        "free disk here": f"{shutil.disk_usage('.').free / 1e9:.0f} GB",
        "data root (BENCHX_DATA)": str(data or "not set"),
        "weights root (BENCHX_WEIGHTS)": str(weights or "not set"),
        **{f"dataset {name}": _dataset(name, data) for name in DATASETS},
        **_methods(weights),
    }
    return [{"what": key, "value": value} for key, value in rows.items()]


def _dataset(name: str, data_root: Path | None) -> str:
    try:
        return f"found in {find_root(DATASETS[name], {}, data_root)}"
    except DataMissing:
        return "not there"


def _methods(weights_root: Path | None) -> dict[str, str]:
    from benchx.methods.cards.reading import card_names, read_card
    from benchx.methods.weights import find_checkpoint

    found = {}
    for card in map(read_card, card_names()):
        try:
            path = find_checkpoint(card, None, weights_root)
            found[f"method {card.name}"] = f"weights: {path}" if path else "random initialisation"
        except WeightsMissing:
            found[f"method {card.name}"] = "weights not there"
    return found
