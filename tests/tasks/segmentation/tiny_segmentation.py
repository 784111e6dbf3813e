"""A small segmentation problem, made here: ellipses on grey noise, and maps that show the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import avg_pool2d

from benchx.datasets.samples import COLUMNS, Samples
from benchx.images.spec import InputSpec
from benchx.planning import Cell
from benchx.protocols import Segment
from benchx.tasks.segmentation.fitting import Setting
from benchx.tasks.segmentation.maps import Source
from benchx.tasks.segmentation.truth import Truth

SIDE = 32
SPEC = InputSpec(size=SIDE, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)


def protocol(**changes: object) -> Segment:
    fields = {
        "kind": "segment",
        "input": {"preprocessing": "card"},
        "epochs": 2,
        "batch_size": 8,
        "lr": 0.001,
        "head_lr": 0.003,
        "weight_decay": 0.0,
        "patience": 50,
        "precision": "fp32",
        "encoder": "frozen",
        "decoder": {"name": "unet"},
        "output": "sigmoid",
        "loss": "dice-ce",
        "tolerance": 2.0,
    }
    return Segment.model_validate(fields | changes)


def cell(**changes: object) -> Cell:
    fields = dict(
        suite="s", suite_version=1, method="m", dataset="d", task="segmentation", protocol="segment", split="official"
    )
    settings = {"smallest_fraction": 0.1, "cut_validation": True}
    return Cell(**(fields | {"fraction": 1.0, "seed": 0, "primary": "dice", "settings": settings} | changes))


def ellipses(count: int, classes: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """uint8 [count, classes, side, side], one ellipse each."""
    rng = np.random.default_rng(seed)
    centre = (0.35 + 0.3 * rng.random((count, classes, 2, 1, 1))) * side
    radius = (0.15 + 0.15 * rng.random((count, classes, 2, 1, 1))) * side
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    return ((((grid - centre) / radius) ** 2).sum(axis=2) <= 1).astype(np.uint8)


def truth_of(masks: np.ndarray, classes: tuple[str, ...]) -> Truth:
    present = masks.any(axis=(2, 3))
    return Truth(classes, masks.shape[-1], np.arange(len(masks)), present, np.packbits(masks, axis=-1))


def samples_of(count: int, patients: int | None = None) -> Samples:
    table = pd.DataFrame({"sample": [f"i{row:03d}" for row in range(count)]})
    table["patient"] = [f"p{row % (patients or count)}" for row in range(count)]
    table = table.assign(image="", official="", sex="F", age=30.5).reindex(columns=COLUMNS)
    return Samples("d", Path(), table, np.zeros((count, 0), np.float32), ())


def oracle(masks: np.ndarray) -> Source:
    """Maps of strides 4 and 8 that are the truth, averaged."""
    whole = torch.from_numpy(masks).float()

    def inputs(rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        return avg_pool2d(whole[rows], 4), avg_pool2d(whole[rows], 8)

    classes = masks.shape[1]
    return Source((classes, classes), (4, 8), inputs, lambda one: one, None, "cached")


def setting(masks: np.ndarray, chosen: Segment, source: Source | None = None) -> Setting:
    classes = ("Foreground",) if chosen.output == "softmax" else tuple(f"class {k}" for k in range(masks.shape[1]))
    return Setting(
        samples=samples_of(len(masks)),
        shapes=np.full((len(masks), 2), 2 * masks.shape[-1]),
        truth=truth_of(masks, classes),
        spec=SPEC,
        protocol=chosen,
        new_source=lambda: source or oracle(masks),
        seed=0,
        device="cpu",
    )
