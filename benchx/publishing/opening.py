"""Open a bundle of unknown origin: archive, manifest and hashes, before anything in it is believed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import benchx
from benchx.digests import digest_json
from benchx.errors import BenchxError, UsageError
from benchx.planning import Cell, plan
from benchx.publishing.archive import unpack
from benchx.publishing.manifest import MANIFEST, MAX_CELLS, Manifest, PublishedSuite, published_suite
from benchx.publishing.pseudonyms import is_hidden, salt_of
from benchx.publishing.verdict import Finding
from benchx.results.record import Record
from benchx.results.store import PREDICTIONS, RECORD
from benchx.suites import read_suite, suite_names


@dataclass(frozen=True)
class Opened:
    """A bundle whose archive and manifest can be read.

    Attributes:
        suite: as the manifest has it.
        planned: its cells for the bundle's method, by digest.
        records: by key; those that do not read are left out.
        tables: the predictions, still as bytes, by key.
        findings: what is wrong so far.
    """

    manifest: Manifest
    suite: PublishedSuite
    planned: dict[str, Cell]
    records: dict[str, Record]
    tables: dict[str, bytes]
    findings: tuple[Finding, ...]


def open_bundle(path: Path) -> Opened | tuple[Finding, ...]:
    """Read a bundle; nothing of it is extracted, unpickled or run.

    Returns:
        The bundle, or, where there is nothing to go on with, why.

    Raises:
        UsageError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"there is no bundle {path}", "the file does not exist", "check the path")
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
        suite = PublishedSuite.model_validate(manifest.suite)
        if suite.grid() > MAX_CELLS:
            raise ValueError(f"the suite asks for {suite.grid()} cells, at most {MAX_CELLS} are planned")
        planned = {cell.digest: cell for cell in plan(suite, [manifest.method])}
    except (ValidationError, BenchxError, ValueError, RecursionError) as error:
        return (*findings, Finding("error", "manifest", MANIFEST, _reason(error)))
    findings += _suite(manifest, suite)
    records = {}
    for name in sorted(files):
        folder, _, file = name.rpartition("/")
        if file == RECORD:
            try:
                records[folder.removeprefix("cells/")] = Record.model_validate_json(files[name])
            except (ValidationError, RecursionError) as error:
                findings.append(Finding("error", "record", name, _reason(error)))
    findings += _pseudonymous(manifest, suite, planned, records)
    tables = {name.split("/")[1]: content for name, content in files.items() if name.endswith(f"/{PREDICTIONS}")}
    return Opened(manifest, suite, planned, records, tables, tuple(findings))


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
        if "/reports" in name:
            found.append(Finding("note", "reports", name, "report text is not checked"))
    if manifest.id != manifest.digest():
        found.append(Finding("error", "hash", MANIFEST, "its id is not the digest of its content"))
    if manifest.to_bytes() != files[MANIFEST]:
        found.append(Finding("error", "hash", MANIFEST, "it is not written as benchx writes it"))
    return found


def _suite(manifest: Manifest, suite: PublishedSuite) -> list[Finding]:
    """Check that the suite is the one it is called, and compare it with the one that ships."""
    name = manifest.suite_name
    found: list[Finding] = []
    if manifest.suite_digest != digest_json(manifest.suite) or digest_json(suite.model_dump(mode="json")) != (
        manifest.suite_digest
    ):
        found.append(Finding("error", "suite", name, "the suite's digest is not that of the suite"))
    if (suite.name, suite.version) != (name, manifest.suite_version):
        found.append(Finding("error", "suite", name, f"the suite itself says {suite.name}, version {suite.version}"))
    if name not in suite_names():
        what = "it does not ship with benchx: compared only with what the bundle says of it"
        return [*found, Finding("note", "suite", name, what)]
    shipped = read_suite(name)
    if shipped.version != suite.version:
        what = f"version {suite.version}; benchx {benchx.__version__} ships version {shipped.version}"
        found.append(Finding("warning", "suite", name, what))
    elif _content(published_suite(shipped)) != _content(suite.model_dump(mode="json")):
        found.append(
            Finding("error", "suite", name, f"it differs from suite {name} version {suite.version} as shipped")
        )
    return found


def _content(suite: dict[str, object]) -> str:
    return digest_json({name: value for name, value in suite.items() if name != "description"})


def _pseudonymous(
    manifest: Manifest, suite: PublishedSuite, planned: dict[str, Cell], records: dict[str, Record]
) -> list[Finding]:
    """Check that the data that has to be hidden is, and only that."""
    found = []
    cells = [planned[record.cell_digest] for record in records.values() if record.cell_digest in planned]
    for name in sorted({cell.dataset for cell in cells}):
        if suite.datasets[name].file is not None:
            continue
        must, does = is_hidden(suite.dataset(name), manifest.data), name in manifest.pseudonymous
        if must and not does:
            what = "ids and labels of data that is not open stand in the bundle: do not pass it on"
            found.append(Finding("error", "pseudonyms", name, what))
        if does and not must:
            found.append(
                Finding("error", "pseudonyms", name, "its labels are left out, though it is open to everybody")
            )
    expected = salt_of(records) if manifest.pseudonymous else None
    if manifest.salt != expected:
        found.append(Finding("error", "pseudonyms", MANIFEST, "the salt is not the digest of the bundle's keys"))
    return found


def missing_cells(opened: Opened) -> list[Finding]:
    """Compare the plan with what is there, and with what the manifest admits.

    A bundle with cells missing is not sound: results left out are results chosen. Whoever takes it all the same sees
    here which they are.
    """
    present = {record.cell_digest for record in opened.records.values()}
    admitted = {missing.cell: missing.state for missing in opened.manifest.missing}
    found = [
        Finding("error", "missing cells", cell.label, f"not in the bundle ({admitted.get(digest, 'not admitted')})")
        for digest, cell in opened.planned.items()
        if digest not in present
    ]
    wrong = sorted(set(admitted) & present | set(admitted) - set(opened.planned))
    if wrong:
        what = f"{len(wrong)} cells are listed as missing that are there, or are no cells of the suite"
        found.append(Finding("error", "missing cells", MANIFEST, what))
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where}: {first['msg']}" if where else first["msg"]
    if isinstance(error, BenchxError):
        return f"{error.what} ({error.why})"
    return str(error) or type(error).__name__
