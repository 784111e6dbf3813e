"""The same radiograph twice: in one dataset, in two of its parts, and in two datasets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.findings import EXAMPLES, Finding, Severity
from benchx.datasets.audit.members import Members, in_two_parts

_TESTED = ("test", "folds")


def repeated(datasets: Sequence[Audited], groups: Sequence[Members]) -> list[Finding]:
    """Find the pictures that a dataset holds more than once.

    A leak in two parts of its split; in one part a problem, unless all are of one known patient: two radiographs
    of a patient who did not change look the same, too, which is a remark.
    """
    found: dict[tuple[int, Severity], list[list[dict[str, str]]]] = defaultdict(list)
    for group in groups:
        for place, rows in group.items():
            if len(rows) > 1:
                found[place, _gravity(datasets[place], rows)].append(_describe(datasets[place], rows))
    kinds = {
        "leak": "pictures in two parts",
        "problem": "pictures held more than once",
        "remark": "pictures of one patient that look the same",
    }
    return [
        Finding(
            kinds[severity],
            severity,
            (datasets[place].name,),
            len(listed),
            tuple(entry["sample"] for entry in listed[0])[:EXAMPLES],
            {"groups": listed},
        )
        for (place, severity), listed in sorted(found.items())
    ]


def _gravity(audited: Audited, rows: np.ndarray) -> Severity:
    if in_two_parts(audited, rows):
        return "leak"
    patients = audited.samples.table["patient"].iloc[rows]
    return "remark" if patients.notna().all() and patients.nunique() == 1 else "problem"


def shared(datasets: Sequence[Audited], groups: Sequence[Members]) -> list[Finding]:
    """Find the pictures that two datasets share.

    A leak where one of them is tested on: then `directions` lists, for `nih train -> rsna test`, the ids of both
    sides, group by group. Else a remark.
    """
    found: dict[tuple[int, int, Severity], dict[str, list[dict[str, list[str]]]]] = {}
    for group in groups:
        for pair in combinations(group, 2):
            for direction, tested, ids in _directions(datasets, group, pair):
                listed = found.setdefault((*pair, "leak" if tested else "remark"), defaultdict(list))
                listed[direction].append(ids)
    kinds = {"leak": "pictures shared with a test part", "remark": "shared pictures"}
    findings = []
    for (first, second, severity), directions in sorted(found.items()):
        names = (datasets[first].name, datasets[second].name)
        entries = [ids for listed in directions.values() for ids in listed]
        examples = tuple(sample for side in entries[0].values() for sample in side)[:EXAMPLES]
        detail = {"directions": dict(directions)}
        findings.append(Finding(kinds[severity], severity, names, len(entries), examples, detail))
    return findings


def _directions(
    datasets: Sequence[Audited], group: Members, pair: tuple[int, int]
) -> list[tuple[str, bool, dict[str, list[str]]]]:
    """Return (direction, whether it ends in a test part, the ids of both sides) for the parts of two datasets."""
    by_part = [
        {part: rows[names == part] for part in np.unique(names)}
        for place in pair
        for rows in [group[place]]
        for names in [datasets[place].part_names[rows]]
    ]
    listed = []
    for part, rows in by_part[0].items():
        for other_part, other_rows in by_part[1].items():
            sides = [(datasets[pair[0]], part, rows), (datasets[pair[1]], other_part, other_rows)]
            sides.sort(key=lambda side: side[1] in _TESTED)
            direction = " -> ".join(f"{audited.name} {name}" for audited, name, _ in sides)
            ids = {audited.name: audited.ids[chosen].tolist() for audited, _, chosen in sides}
            listed.append((direction, sides[1][1] in _TESTED, ids))
    return listed


def _describe(audited: Audited, rows: np.ndarray) -> list[dict[str, Any]]:
    patients = audited.samples.table["patient"].iloc[rows]
    return [
        {"sample": str(audited.ids[row]), "patient": None if pd.isna(patient) else str(patient), "part": str(part)}
        for row, patient, part in zip(rows, patients, audited.part_names[rows], strict=True)
    ]
