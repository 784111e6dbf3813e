"""Outlines that do not fit their image or contradict its labels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.findings import Finding, Severity, list_of
from benchx.datasets.regions import MaskFile, Region, draw, misfit

_UNFIT = "outlines that do not fit their image"
_UNFIT_FILE = "mask files that cannot be read or are of another shape"
_EMPTY = "outlines without a pixel"
_NEGATIVE = "outlines of a finding that the labels call absent"
_POSITIVE = "labels without an outline"


def odd_outlines(audited: Audited) -> list[Finding]:
    """Check the outlines of every sample whose image is in the pixel store; mask files are read.

    A positive label without an outline is a problem only in a dataset in which every sample's outlines are known.
    An outline of a finding that the labels call absent is a remark: one of several readers may have drawn it.
    """
    samples, store = audited.samples, audited.pixels
    shapes = dict(zip(store.samples, store.original_shapes.tolist(), strict=True))
    rows = [row for row, sample in enumerate(audited.ids) if sample in samples.regions and sample in shapes]
    complete = len(samples.regions) > 0 and set(audited.ids) <= set(samples.regions)

    def troubles(row: int) -> dict[str, str]:
        sample = str(audited.ids[row])
        found: dict[str, str] = {}
        height, width = shapes[sample]
        outlined = _outlined(samples.regions[sample], height, width, audited, found)
        for name, value in zip(samples.classes, samples.labels[row], strict=True):
            if name in samples.mask_classes and outlined.get(name, False) and value == 0:
                found[_NEGATIVE] = name
            if name in samples.mask_classes and complete and not outlined.get(name, False) and value == 1:
                found[_POSITIVE] = name
        return found

    listed: dict[str, dict[str, str]] = defaultdict(dict)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, found in zip(rows, pool.map(troubles, rows), strict=True):
            for kind, why in found.items():
                listed[kind][str(audited.ids[row])] = why
    names = (audited.name,)
    findings = []
    for kind, reasons in sorted(listed.items()):
        severity: Severity = "remark" if kind == _NEGATIVE else "problem"
        findings += list_of(kind, severity, names, list(reasons), why=reasons)
    return findings


def _outlined(
    regions: Sequence[Region], height: int, width: int, audited: Audited, found: dict[str, str]
) -> dict[str, bool]:
    """Say for each name whether a pixel is outlined, adding what is wrong to `found`.

    A name with an outline that cannot be drawn counts as outlined: one trouble is told once.
    """
    outlined: dict[str, bool] = {}
    by_name: dict[str, list[Region]] = defaultdict(list)
    for region in regions:
        by_name[region.label].append(region)
    for name, its in by_name.items():
        wrong = {kind: why for region in its for kind, why in _wrong(region, height, width, audited).items()}
        found |= wrong
        undrawable = bool(wrong)
        outlined[name] = undrawable or bool(draw(its, (name,), height, width, audited.samples.root).any())
        if not outlined[name] and not all(isinstance(region, MaskFile) for region in its):
            found[_EMPTY] = name
    return outlined


def _wrong(region: Region, height: int, width: int, audited: Audited) -> dict[str, str]:
    why = misfit(region, height, width, audited.samples.root)
    kind = _UNFIT_FILE if isinstance(region, MaskFile) else _UNFIT
    return {} if why is None else {kind: why}
