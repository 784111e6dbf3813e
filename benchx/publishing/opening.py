"""Open a bundle of unknown origin: archive, manifest and hashes, before anything in it is believed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from benchx.errors import BenchxError, UsageError
from benchx.planning import Cell, plan
from benchx.publishing.archive import unpack
from benchx.publishing.manifest import MANIFEST, MAX_CELLS, Manifest, PublishedSuite
from benchx.publishing.pseudonyms import is_hidden, salt_of
from benchx.publishing.records import is_canonical
from benchx.publishing.suite_identity import suite_findings
from benchx.publishing.verdict import Finding
from benchx.results.record import Record
from benchx.results.store import PREDICTIONS, RECORD, TRIALS
from benchx.suites import Suite


@dataclass(frozen=True)
class Opened:
    """A bundle whose archive and manifest can be read.

    Attributes:
        suite: as the manifest has it.
        planned: its cells for the bundle's method, by digest.
        records: by key; those that do not read are left out.
        tables, trials: the predictions and the trials of searches, still as bytes, by key.
        findings: what is wrong so far.
    """

    manifest: Manifest
    suite: PublishedSuite
    planned: dict[str, Cell]
    records: dict[str, Record]
    tables: dict[str, bytes]
    trials: dict[str, bytes]
    findings: tuple[Finding, ...]


def open_bundle(path: Path, suite: Suite | None = None) -> Opened | tuple[Finding, ...]:
    """Read a bundle; nothing of it is extracted, unpickled or run.

    Args:
        suite: the one that the bundle must be of; None = that which it says it is of.

    Returns:
        The bundle, or, where there is nothing to go on with, why.

    Raises:
        UsageError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "the file does not exist"
        raise UsageError(f"there is no bundle {path}", why, "name the file that `benchx bundle` wrote")
    try:
        files, problems = unpack(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", error.strerror or str(error), "check the file") from error
    findings = [Finding("error", "archive", path.name, problem) for problem in problems]
    if not files:
        return tuple(findings) or (Finding("error", "archive", path.name, "it is empty"),)
    if MANIFEST not in files:
        return (*findings, Finding("error", "manifest", MANIFEST, "the bundle has none"))
    try:
        manifest = Manifest.model_validate_json(files[MANIFEST])
        findings += _manifest(manifest, files)
        claimed = PublishedSuite.model_validate(manifest.suite)
        if claimed.grid() > MAX_CELLS:
            raise ValueError(f"the suite asks for {claimed.grid()} cells, at most {MAX_CELLS} are planned")
        planned = {cell.digest: cell for cell in plan(claimed, [manifest.method])}
    except (ValidationError, BenchxError, ValueError, RecursionError) as error:
        return (*findings, Finding("error", "manifest", MANIFEST, _reason(error)))
    findings += suite_findings(manifest, claimed, suite)
    records = {}
    for name in sorted(files):
        folder, _, file = name.rpartition("/")
        if file == RECORD:
            try:
                records[folder.removeprefix("cells/")] = Record.model_validate_json(files[name])
            except (ValidationError, RecursionError) as error:
                findings.append(Finding("error", "record", name, _reason(error)))
                continue
            if not is_canonical(files[name]):
                findings.append(Finding("error", "record", name, "it is not written as benchx writes it"))
    with_reports = {name.split("/")[1] for name in files if _is_report(name)}
    findings += _pseudonymous(manifest, claimed, planned, records, with_reports)
    tables, trials = (
        {name.split("/")[1]: content for name, content in files.items() if name.endswith(f"/{ending}")}
        for ending in (PREDICTIONS, TRIALS)
    )
    return Opened(manifest, claimed, planned, records, tables, trials, tuple(findings))


def _is_report(name: str) -> bool:
    return name.rpartition("/")[2].startswith("reports")


def _manifest(manifest: Manifest, files: dict[str, bytes]) -> list[Finding]:
    """Compare what the manifest lists with what is there."""
    entries = {entry.path: entry for entry in manifest.files}
    present = {name: content for name, content in files.items() if name != MANIFEST}
    found = [
        Finding("error", "manifest", name, "it is not listed in the manifest")
        for name in present
        if name not in entries
    ]
    found += [Finding("error", "manifest", name, "it is listed but not there") for name in entries if name not in files]
    if len(entries) < len(manifest.files):
        found.append(Finding("error", "manifest", MANIFEST, "a file is listed twice"))
    for name, content in present.items():
        entry = entries.get(name)
        if entry and (entry.size, entry.sha256) != (len(content), hashlib.sha256(content).hexdigest()):
            found.append(Finding("error", "hash", name, "its bytes are not those that the manifest lists"))
        if _is_report(name):
            found.append(Finding("note", "reports", name, "report text is not checked"))
    if manifest.id != manifest.digest():
        found.append(Finding("error", "hash", MANIFEST, "its id is not the digest of its content"))
    if manifest.to_bytes() != files[MANIFEST]:
        found.append(Finding("error", "hash", MANIFEST, "it is not written as benchx writes it"))
    return found


def _pseudonymous(
    manifest: Manifest,
    suite: PublishedSuite,
    planned: dict[str, Cell],
    records: dict[str, Record],
    with_reports: set[str],
) -> list[Finding]:
    """Check that the data that has to be hidden is, and only that.

    Args:
        with_reports: keys of the results that report text stands beside.
    """
    found = []
    cells = {key: planned[record.cell_digest] for key, record in records.items() if record.cell_digest in planned}
    for name in sorted({cell.dataset for cell in cells.values()}):
        if suite.datasets[name].file is not None:
            continue
        must, does = is_hidden(suite.dataset(name), manifest.data), name in manifest.pseudonymous
        if must and not does:
            what = "ids and labels of data that is not open stand in the bundle: do not pass it on"
            found.append(Finding("error", "pseudonyms", name, what))
        if must and any(cells[key].dataset == name for key in with_reports & set(cells)):
            what = "report text of data that is not open stands in the bundle: do not pass it on"
            found.append(Finding("error", "reports", name, what))
        if does and not must:
            found.append(
                Finding("error", "pseudonyms", name, "its labels are left out, though it is open to everybody")
            )
    expected = salt_of(records) if manifest.pseudonymous else None
    if manifest.salt != expected:
        found.append(Finding("error", "pseudonyms", MANIFEST, "the salt is not the digest of the bundle's keys"))
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else first["msg"]
    if isinstance(error, BenchxError):
        return f"{error.what} ({error.why})"
    return str(error) or type(error).__name__
