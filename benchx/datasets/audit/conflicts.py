"""The same picture with different labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.findings import EXAMPLES, Finding
from benchx.datasets.audit.members import Members


def conflicting_labels(datasets: Sequence[Audited], groups: Sequence[Members]) -> list[Finding]:
    """Find the pictures with two labels: known in both places and different.

    In one dataset that is a problem. Across two, only classes of the same name are compared, and as they may still
    mean different things, it is a remark.
    """
    found: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for group in groups:
        for first, second in combinations_with_replacement(group, 2):
            classes = [name for name in datasets[first].samples.classes if name in datasets[second].samples.classes]
            sides = [_values(datasets[place], group[place], classes) for place in (first, second)]
            differ = sides[0][0] & sides[1][1] | sides[0][1] & sides[1][0]
            if differ.any():
                both = {datasets[place].name: datasets[place].ids[group[place]] for place in (first, second)}
                ids = {dataset: samples.tolist() for dataset, samples in both.items()}
                names = [name for name, conflict in zip(classes, differ, strict=True) if conflict]
                found[first, second].append({"classes": names, "ids": ids})
    return [
        Finding(
            "pictures with two labels",
            "problem" if places[0] == places[1] else "remark",
            tuple(dict.fromkeys(datasets[place].name for place in places)),
            len(listed),
            tuple(sample for side in listed[0]["ids"].values() for sample in side)[:EXAMPLES],
            {"groups": listed},
        )
        for places, listed in sorted(found.items())
    ]


def _values(audited: Audited, rows: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each class whether some row says absent, and whether some row says present: bool [C] each."""
    labels = audited.samples.class_labels(tuple(classes))[rows]
    return (labels == 0).any(axis=0), (labels == 1).any(axis=0)
