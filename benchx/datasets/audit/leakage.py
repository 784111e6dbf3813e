"""Patients, studies and images that stand in more than one part of a split."""

from __future__ import annotations

from itertools import combinations

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.findings import Finding, list_of

_COLUMNS = {"patient": "patients", "study": "studies", "sample": "images"}


def in_several_parts(audited: Audited) -> list[Finding]:
    """Find the patients, studies and images in two parts of a fold; unknown ones (null) are no one's."""
    findings = []
    for column, plural in _COLUMNS.items():
        values = audited.samples.table[column]
        shared: set[str] = set()
        for fold in audited.folds:
            parts = [set(values.iloc[rows].dropna().astype(str)) for rows in (fold.train, fold.val, fold.test)]
            shared = shared.union(*(first & second for first, second in combinations(parts, 2)))
        findings += list_of(f"{plural} in two parts", "leak", (audited.name,), sorted(shared))
    return findings
