"""What a record says of a fold: how many images and units it has in each part."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchx.datasets.samples import Samples


def describe(samples: Samples, number: int, train: np.ndarray, val: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """Count the images and units of a fold.

    Args:
        train, val, test: int [n], row numbers in `samples`; of train those that something was learnt from.

    Returns:
        A JSON value: `fold`, `images` and `units` by part, and `untrained_classes`, empty.
    """
    parts = {"train": train, "val": val, "test": test}
    return {
        "fold": number,
        "images": {name: len(rows) for name, rows in parts.items()},
        "units": {name: len(np.unique(samples.clusters[rows])) for name, rows in parts.items()},
        "untrained_classes": [],
    }
