"""A small few-shot problem: Gaussian features of which the first few tell the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.samples import COLUMNS, Samples
from benchx.planning import Cell
from benchx.protocols import FewShot

CLASSES = ("Mass", "Edema", "Hernia")
PROTOCOL = FewShot.model_validate(
    {
        "kind": "few-shot",
        "input": {"preprocessing": "card", "size": None},
        "shots": [1, 2, 4, 8, 16],
        "draws": 12,
        "strength": 0.1,
        "feature_batch": 8,
        "precision": "fp32",
    }
)


def made(images: int = 400, prevalence=(0.4, 0.3, 0.2), seed: int = 0, width: int = 20) -> tuple[np.ndarray, Samples]:
    """Two images a patient; the first quarter is the official test set, where a few labels are unknown."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, 3)) < prevalence).astype(np.float32)
    features = rng.standard_normal((images, width)).astype(np.float32)
    features[:, :3] += labels * [1.5, 1.0, 0.7]
    labels[rng.random(labels.shape) < 0.05] = np.nan
    table = pd.DataFrame(
        {
            "sample": [f"i{row:04d}" for row in range(images)],
            "patient": [f"p{row // 2:03d}" for row in range(images)],
            "sex": ["F" if row // 2 % 2 else "M" for row in range(images)],
            "image": "",
            "official": ["test" if row < images // 4 else "train" for row in range(images)],
        }
    ).reindex(columns=COLUMNS)
    return features, Samples("nih", Path(), table, labels, CLASSES)


def cell(split: str = "official", protocol: FewShot = PROTOCOL) -> Cell:
    """The cell of the problem."""
    settings = {"classes": list(CLASSES), "protocol": protocol.model_dump(mode="json")}
    return Cell("s", 1, "m", "nih", "few_shot", "few-shot", split, 1.0, None, "macro_auroc_at_16", settings)
