"""The cases of report generation: studies with their images and their report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.datasets.samples import Report, Samples

NO_IMAGE = -1
_LATERAL = ("LATERAL", "LL", "LAT")
_FRONTAL = {"PA": 0, "AP": 1}


@dataclass(frozen=True)
class Cases:
    """The studies of a dataset that have a report, in the order of their names.

    Attributes:
        names: str [N], the ids of the studies; of images where the dataset names no studies.
        clusters: str [N], their units.
        rows: int [N, views], row numbers of their images in the samples, `NO_IMAGE` where there are fewer.
        reports: N raw texts.
        without_report: how many studies were left out.
    """

    names: np.ndarray
    clusters: np.ndarray
    rows: np.ndarray
    reports: tuple[str, ...]
    without_report: int

    def among(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers of the cases whose first image is one of some rows."""
        return np.flatnonzero(np.isin(self.rows[:, 0], rows))

    def images(self, numbers: np.ndarray) -> np.ndarray:
        """Return the row numbers of the images of some cases."""
        rows = self.rows[numbers]
        return rows[rows != NO_IMAGE]


def read_cases(samples: Samples, text: Sequence[str], views: int) -> Cases:
    """Group the images of a dataset by study.

    The images of a study come in this order: PA, AP, views that are unknown or neither, lateral; of the same view in
    the order of the samples. The first `views` are kept. A study whose report holds no letter or digit is left out.

    Args:
        text: the sections that make up a report, joined by a space in this order.
        views: images per study at most.
    """
    table, clusters = samples.table, samples.clusters
    studies = table["sample"] if samples.unit == "image" else table["study"].fillna(table["sample"])
    found: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(clusters, studies.astype(str), strict=True)):
        found.setdefault(key, []).append(row)
    names = [study for _, study in found]
    if len(set(names)) < len(names):
        names = [f"{cluster}/{study}" for cluster, study in found]
    ranks, ids = [_rank(view) for view in table["view"]], table["sample"].to_numpy()
    kept = []
    for name, (cluster, _), rows in zip(names, found, found.values(), strict=True):
        reports = (samples.reports.get(ids[row]) for row in rows)
        report = next((joined for one in reports if one is not None and (joined := _joined(one, text))), "")
        if report:
            chosen = sorted(rows, key=lambda row: ranks[row])[:views]
            kept.append((name, cluster, chosen + [NO_IMAGE] * (views - len(chosen)), report))
    kept.sort(key=lambda case: case[0])
    return Cases(
        names=np.array([case[0] for case in kept], dtype=str),
        clusters=np.array([case[1] for case in kept], dtype=str),
        rows=np.array([case[2] for case in kept], dtype=np.int64).reshape(-1, views),
        reports=tuple(case[3] for case in kept),
        without_report=len(found) - len(kept),
    )


def _rank(view: object) -> int:
    name = str(view).strip().upper()
    return 3 if name.startswith(_LATERAL) else _FRONTAL.get(name, 2)


def _joined(report: Report, text: Sequence[str]) -> str:
    whole = " ".join(section.strip() for name in text if (section := getattr(report, name)))
    return whole if any(character.isalnum() for character in whole) else ""
