"""Are datasets fit to be compared on? Leaks between parts and datasets, repeated and odd pictures, wrong outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.conflicts import conflicting_labels
from benchx.datasets.audit.drift import drift
from benchx.datasets.audit.duplicates import repeated, shared
from benchx.datasets.audit.findings import AuditReport, Finding
from benchx.datasets.audit.leakage import in_several_parts
from benchx.datasets.audit.looking import Looks, look_at_all
from benchx.datasets.audit.members import members_of
from benchx.datasets.audit.outlines import odd_outlines
from benchx.datasets.audit.pictures import odd_pictures
from benchx.datasets.audit.same import same_pictures

__all__ = ["AuditReport", "Audited", "Finding", "audit"]

_GRAVITY = ("leak", "problem", "remark")


def audit(datasets: Sequence[Audited], on_progress: Callable[[int, int], None]) -> AuditReport:
    """Audit one or more datasets, each by itself and all against each other.

    Args:
        datasets: with different names.
        on_progress: called with the steps done and the steps in all; each picture is looked at once and compared
            once with all others.
    """
    pictures = sum(len(audited.pixels.samples) for audited in datasets)
    looks: list[Looks] = []
    for audited in datasets:
        seen = sum(len(part.rows) for part in looks)
        looks.append(look_at_all(audited, partial(_shift, on_progress, seen, 2 * pictures)))
    every = [look for part in looks for look in part.each]
    files = [file for part in looks for file in part.files]
    same = same_pictures(every, files, partial(_shift, on_progress, pictures, 2 * pictures))
    groups = members_of(same, looks)
    findings = repeated(datasets, groups) + shared(datasets, groups) + conflicting_labels(datasets, groups)
    for audited, seen_of_it in zip(datasets, looks, strict=True):
        findings += in_several_parts(audited) + odd_pictures(audited, seen_of_it) + odd_outlines(audited)
        findings += drift(audited)
    on_progress(2 * pictures, 2 * pictures)
    return AuditReport(tuple(sorted(findings, key=lambda finding: _GRAVITY.index(finding.severity))))


def _shift(on_progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    on_progress(before + done, total)
