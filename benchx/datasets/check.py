"""`benchx data check`: does a copy of a dataset hold what it should, and can every file be read?"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold, make_folds, units_in_two_parts
from benchx.errors import DatasetError
from benchx.images.decode import UnreadableImage, read


@dataclass(frozen=True)
class Report:
    """What was found in a dataset's files.

    Attributes:
        counts: per part of the official split: images, units, and positives per class.
        missing: listed images that are not on disk.
        unreadable: images that cannot be decoded, with the reason.
        shared: units that stand in more than one part.
        split_problem: why the official split cannot be made, or null.
    """

    dataset: str
    images: int
    unit: str
    phantom: bool
    counts: dict[str, dict[str, Any]]
    missing: tuple[str, ...]
    unreadable: dict[str, str]
    shared: tuple[str, ...]
    split_problem: str | None
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, unreadable or in two parts, and the split can be made."""
        return not (self.missing or self.unreadable or self.shared or self.split_problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return asdict(self) | {"sound": self.sound}


def check(samples: Samples, on_progress: Callable[[int, int], None]) -> Report:
    """Count a dataset's official split and decode every image once."""
    try:
        folds: tuple[Fold, ...] = make_folds(samples, "official")
        problem = None
    except DatasetError as error:
        folds, problem = (), f"{error.what} ({error.why})"
    return Report(
        dataset=samples.dataset,
        images=len(samples.table),
        unit=samples.unit,
        phantom=samples.phantom,
        counts=_counts(samples, folds),
        missing=samples.missing,
        unreadable=_unreadable(samples, on_progress),
        shared=tuple(units_in_two_parts(samples, folds)),
        split_problem=problem,
        notes=samples.notes,
    )


def _counts(samples: Samples, folds: tuple[Fold, ...]) -> dict[str, dict[str, Any]]:
    parts = {"all": np.arange(len(samples.table))}
    if folds:
        parts |= {"train": folds[0].train, "val": folds[0].val, "test": folds[0].test}
    clusters = samples.clusters
    counts = {}
    for name, rows in parts.items():
        positives = (samples.labels[rows] == 1).sum(axis=0)
        counts[name] = {"images": len(rows), f"{samples.unit}s": len(np.unique(clusters[rows]))}
        counts[name] |= {label: int(n) for label, n in zip(samples.classes, positives, strict=True)}
    return counts


def _unreadable(samples: Samples, on_progress: Callable[[int, int], None]) -> dict[str, str]:
    absent = set(samples.missing)
    pairs = zip(samples.table["sample"], samples.table["image"], strict=True)
    items = [(name, samples.root / image) for name, image in pairs if name not in absent]
    found = {}
    on_progress(0, len(items))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, reason) in enumerate(pool.map(_try, items), start=1):
            if reason is not None:
                found[name] = reason
            on_progress(number, len(items))
    return found


def _try(item: tuple[str, Path]) -> tuple[str, str | None]:
    name, path = item
    try:
        read(path)
    except UnreadableImage as error:
        return name, error.why
    return name, None
