"""`benchx data check`: does a copy of a dataset hold what it should, and can every file be read?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchx.datasets.regions import misfit
from benchx.datasets.samples import UNITS, Questions, Samples
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
        outlines: images outlined, those with something on them, and outlines by class.
        misfits: outlines that do not fit their image, with the reason.
        reports: images with a report, and those whose report has findings and an impression.
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
    outlines: dict[str, int]
    misfits: dict[str, str]
    reports: dict[str, int]
    shared: tuple[str, ...]
    split_problem: str | None
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, unreadable, misplaced or in two parts, and the split can be made."""
        return not (
            self.reports.get("unreadable reports")
            or self.missing
            or self.unreadable
            or self.misfits
            or self.shared
            or self.split_problem
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return asdict(self) | {"sound": self.sound}


def check(samples: Samples, on_progress: Callable[[int, int], None]) -> Report:
    """Count a dataset's official split, outlines and reports, and decode every image once."""
    try:
        folds: tuple[Fold, ...] = make_folds(samples.cases, "official")
        problem = None
    except DatasetError as error:
        folds, problem = (), f"{error.what} ({error.why})"
    unreadable, misfits = _inspect(samples, on_progress)
    return Report(
        dataset=samples.dataset,
        images=len(samples.table),
        unit=samples.unit,
        phantom=samples.phantom,
        counts=_counts(samples.cases, folds),
        missing=samples.missing,
        unreadable=unreadable,
        outlines=_count_outlines(samples),
        misfits=misfits,
        reports=_count_reports(samples),
        shared=tuple(units_in_two_parts(samples.cases, folds)),
        split_problem=problem,
        notes=samples.notes,
    )


def _counts(samples: Samples, folds: tuple[Fold, ...]) -> dict[str, dict[str, Any]]:
    parts = {"all": np.arange(len(samples.table))}
    if folds:
        parts |= {"train": folds[0].train, "val": folds[0].val, "test": folds[0].test}
    clusters, what = samples.clusters, "questions" if isinstance(samples, Questions) else "images"
    counts = {}
    for name, rows in parts.items():
        positives = (samples.labels[rows] == 1).sum(axis=0)
        counts[name] = {what: len(rows), UNITS[samples.unit]: len(np.unique(clusters[rows]))}
        counts[name] |= {label: int(n) for label, n in zip(samples.classes, positives, strict=True)}
    return counts


def _count_outlines(samples: Samples) -> dict[str, int]:
    if not samples.mask_classes:
        return {}
    labels = Counter(region.label for regions in samples.regions.values() for region in regions)
    outlined = {"images outlined": len(samples.regions), "with something": sum(map(bool, samples.regions.values()))}
    return outlined | {name: labels[name] for name in samples.mask_classes}


def _count_reports(samples: Samples) -> dict[str, int]:
    if not samples.reports:
        return {}
    counts = Counter({"images with a report": 0, "findings": 0, "impression": 0})
    for name in samples.table["sample"]:
        if name in samples.reports:
            counts["images with a report"] += 1
            try:
                report = samples.reports[name]
            except DatasetError:
                counts["unreadable reports"] += 1
                continue
            counts["findings"] += report.findings is not None
            counts["impression"] += report.impression is not None
    return dict(counts)


def _inspect(samples: Samples, on_progress: Callable[[int, int], None]) -> tuple[dict[str, str], dict[str, str]]:
    """Decode every image; return the reasons of the unreadable ones and of the outlines that do not fit."""
    absent = set(samples.missing)
    pairs = zip(samples.table["sample"], samples.table["image"], strict=True)
    items = [(name, samples.root / image) for name, image in pairs if name not in absent]
    unreadable: dict[str, str] = {}
    misfits: dict[str, str] = {}

    def inspect(item: tuple[str, Path]) -> tuple[str | None, str | None]:
        name, path = item
        try:
            height, width = read(path).shape
        except UnreadableImage as error:
            return error.why, None
        return None, _misfit(samples, name, height, width)

    on_progress(0, len(items))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, ((name, _), (reason, misfit)) in enumerate(zip(items, pool.map(inspect, items), strict=True), 1):
            if reason is not None:
                unreadable[name] = reason
            if misfit is not None:
                misfits[name] = misfit
            on_progress(number, len(items))
    return unreadable, misfits


def _misfit(samples: Samples, name: str, height: int, width: int) -> str | None:
    for region in samples.regions.get(name, ()):
        if (why := misfit(region, height, width, samples.root)) is not None:
            return why
    return None
