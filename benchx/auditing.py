"""`benchx data audit`: open datasets with their splits and pixels, and audit them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchx.datasets import DATASETS, get_dataset
from benchx.datasets.audit import Audited, AuditReport, audit
from benchx.datasets.audit.findings import Finding, list_of
from benchx.errors import DataMissing, DatasetError
from benchx.planning import Reading
from benchx.progress import Progress
from benchx.resources import data_folder
from benchx.results.store import Store
from benchx.workspace import Workspace

SHORT_SIDE = 512
"""Of the pixels that are looked at: that of the suite chestxray, so that a run uses the same ones."""


def audit_datasets(
    names: Sequence[str],
    *,
    data_root: Path | None,
    roots: Mapping[str, Path],
    store: Path,
    progress: Progress,
) -> AuditReport:
    """Audit datasets with their official splits, each by itself and all against each other.

    Args:
        names: datasets, or descriptions of one's own; none = all that are there.
        data_root: folder with one folder per dataset (default: BENCHX_DATA).
        roots: folders of single datasets.
        store: where decoded pixels are kept.

    Raises:
        UsageError: an unknown name.
        DataMissing: a named dataset is not there, or none at all is.
        DatasetError: the tables of a named dataset do not read; without names, that is a finding.
    """
    known = {dataset.name: dataset for dataset in map(get_dataset, names or (*DATASETS, *roots))}
    workspace = Workspace(
        Store(store),
        datasets=known,
        roots=roots,
        data_root=data_folder(data_root),
        skip_unreadable=True,
        progress=progress,
    )
    audited: list[Audited] = []
    remarks: list[Finding] = []
    for name in known:
        reading = Reading(name, "official", "unknown", SHORT_SIDE)
        try:
            dataset = workspace.dataset(reading)
        except DatasetError as error:
            if names:
                raise
            if not isinstance(error, DataMissing):
                remarks += list_of("datasets that cannot be read", "problem", (name,), [f"{error.what} ({error.why})"])
            continue
        try:
            folds = workspace.folds(reading).folds
        except DatasetError as error:
            folds = ()
            remarks += list_of("splits that cannot be made", "problem", (name,), [f"{error.what} ({error.why})"])
        remarks += list_of("unreadable images", "problem", (name,), list(dataset.unreadable))
        audited.append(Audited(dataset.samples, folds, dataset.pixels))
    if not (audited or remarks):
        raise DataMissing(
            "there is no dataset to audit",
            f"looked in {workspace.data_root or 'no data root'} for folders named {', '.join(known)}",
            "give --data-root DIR (or BENCHX_DATA), or --root DATASET=DIR",
        )
    report = audit(audited, progress.stage("audit: pictures"))
    return AuditReport((*report.findings, *remarks))
