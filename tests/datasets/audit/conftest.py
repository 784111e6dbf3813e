"""Small datasets of simulated radiographs, opened for an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchx.datasets.audit import Audited
from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import Fold
from benchx.images.store import build
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers.encoding import to_8_bit


@pytest.fixture(scope="session")
def radiographs() -> list[np.ndarray]:
    """The first image of twelve virtual patients, uint8 [128, 128]."""
    return [to_8_bit(render(make_patient(5, index), 0, 128).pixels) for index in range(1, 13)]


@pytest.fixture
def open_dataset(tmp_path: Path) -> Callable[..., Audited]:
    """Write images and open them as a dataset with one class, `Mass`."""

    def opened(
        images: Mapping[str, np.ndarray | bytes],
        parts: Mapping[str, Sequence[str]] | None = None,
        *,
        name: str = "one",
        labels: Sequence[float] | None = None,
        table: Mapping[str, Sequence[object]] | None = None,
        **fields: object,
    ) -> Audited:
        root = tmp_path / name
        root.mkdir()
        for sample, image in images.items():
            encoded = image if isinstance(image, bytes) else cv2.imencode(".png", image)[1].tobytes()
            (root / f"{sample}.png").write_bytes(encoded)
        ids = list(images)
        columns = {column: [None] * len(ids) for column in COLUMNS} | {
            "sample": ids,
            "image": [f"{sample}.png" for sample in ids],
            "official": [""] * len(ids),
        }
        values = np.zeros((len(ids), 1)) if labels is None else np.array(labels, float)[:, None]
        samples = Samples(
            name, root, pd.DataFrame(columns | dict(table or {})), values.astype(np.float32), ("Mass",), **fields
        )
        folds = ()
        if parts is not None:
            rows = [np.array(sorted(ids.index(s) for s in parts.get(p, ())), int) for p in ("train", "val", "test")]
            folds = (Fold(*rows),)
        pixels = build([(sample, root / f"{sample}.png") for sample in ids], 512, tmp_path / f"{name}.store")
        return Audited(samples, folds, pixels)

    return opened


@pytest.fixture
def silent() -> Callable[[int, int], None]:
    """Progress that nobody looks at."""
    return lambda done, total: None
