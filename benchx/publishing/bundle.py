"""Make a result bundle: the finished results of one method on one suite, in one file that anyone can check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import benchx
from benchx.digests import digest_json
from benchx.errors import StoreError
from benchx.planning import Cell
from benchx.publishing.archive import pack
from benchx.publishing.columns import columns_of
from benchx.publishing.manifest import MANIFEST, Manifest, MissingCell, listed, published_suite
from benchx.publishing.pseudonyms import hide, is_hidden, salt_of
from benchx.publishing.publishable import publishable_predictions
from benchx.publishing.records import record_bytes
from benchx.publishing.selection import Selection, select
from benchx.publishing.tables import write_table
from benchx.results.store import PREDICTIONS, RECORD, TRIALS, Store
from benchx.suites import Suite
from benchx.writing import write_file

REPORTS = "reports*.parquet"
"""The private sidecars of a cell that hold report text."""

SUFFIX = ".benchx.zip"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was made: its manifest and the bytes of its archive."""

    manifest: Manifest
    content: bytes

    @property
    def file_name(self) -> str:
        """The name that the file has unless another is asked for."""
        return f"{_slug(self.manifest.suite_name)}-{_slug(self.manifest.method)}{SUFFIX}"


def make_bundle(suite: Suite, store: Store, method: str, *, with_reports: bool = False) -> Bundle:
    """Bundle a method's finished results on a suite: records, predictions, trials and a manifest; no images.

    The same store gives the same bytes. Predictions on data that is not open hold pseudonyms and no labels, see
    `benchx.publishing.pseudonyms`.

    Args:
        with_reports: also take the report text that cells have beside their predictions.

    Raises:
        StoreError: nothing is done, phantom and real results stand together, predictions cannot be read or do not
            give the recorded scores, or report text is asked for and there is none, or it is that of data which is
            not open.
    """
    selection = select(suite, store, method)
    hidden = {
        name for name in suite.datasets if is_hidden(suite.dataset(name), selection.data)
    } & {cell.dataset for cell, _ in selection.finished}  # fmt: skip
    salt = salt_of(record.key for _, record in selection.finished) if hidden else None
    files: dict[str, bytes] = {}
    for cell, record in selection.finished:
        folder = f"cells/{record.key}"
        files[f"{folder}/{RECORD}"] = record_bytes(record)
        if record.state == "done":
            table = publishable_predictions(store, cell, record)
            if salt is not None and cell.dataset in hidden:
                table = hide(table, cell, salt)
            files[f"{folder}/{PREDICTIONS}"] = write_table(table, columns_of(cell))
            if (trials := store.cells / record.key / TRIALS).is_file():
                files[f"{folder}/{TRIALS}"] = trials.read_bytes()
    if with_reports:
        files |= _reports(selection, store, hidden)
    published = published_suite(suite)
    draft = Manifest(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=digest_json(published),
        suite=published,
        method=method,
        data=selection.data,
        benchx=benchx.__version__,
        pseudonymous=tuple(sorted(hidden)),
        salt=salt,
        missing=tuple(_missing(cell, state) for cell, state in selection.missing),
        files=listed(files),
    )
    manifest = draft.model_copy(update={"id": draft.digest()})
    return Bundle(manifest, pack({MANIFEST: manifest.to_bytes(), **files}))


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    write_file(path, bundle.content)


def _missing(cell: Cell, state: str) -> MissingCell:
    return MissingCell(cell=cell.digest, label=cell.label, state=state)


def _reports(selection: Selection, store: Store, hidden: set[str]) -> dict[str, bytes]:
    found = {
        (cell.dataset, f"cells/{record.key}/{path.name}"): path.read_bytes()
        for cell, record in selection.finished
        for path in sorted((store.cells / record.key).glob(REPORTS))
    }
    if not found:
        raise StoreError("no report text in this store", "no cell keeps any", "leave --with-reports out")
    if private := sorted({dataset for dataset, _ in found if dataset in hidden}):
        raise StoreError(
            f"report text of '{private[0]}' cannot be bundled",
            "its terms of access do not allow that it is passed on",
            "leave --with-reports out",
        )
    return {name: content for (_, name), content in found.items()}


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "unnamed"
