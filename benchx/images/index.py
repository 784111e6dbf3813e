"""The index of a finished pixel store on disk, and the record that makes it count as finished."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchx.digests import digest_json
from benchx.images.journal import JOURNAL, PIXELS, Entry

STORE_VERSION = 2
"""Raised by hand when the stored pixels of the same files may change."""

_INDEX, _META = "index.parquet", "meta.json"
_COLUMNS = {
    "sample": pa.string(),
    "offset": pa.int64(),
    "height": pa.int32(),
    "width": pa.int32(),
    "original_height": pa.int32(),
    "original_width": pa.int32(),
    "sha256": pa.string(),
}


def finish(folder: Path, stamp: str, short_side: int, entries: Sequence[Entry], unreadable: dict[str, str]) -> None:
    """Write the index, then the record, each whole or not at all.

    The journal goes, unless files were left out: once repaired, they are then the only ones to decode.
    """
    by_name = dict(zip(Entry._fields, zip(*entries, strict=True), strict=True)) if entries else {}
    table = pa.table({name: pa.array(by_name.get(name, ()), kind) for name, kind in _COLUMNS.items()})
    pq.write_table(table, folder / f"{_INDEX}.tmp")
    _put(folder, _INDEX)
    checksums = sorted((entry.sample, entry.sha256) for entry in entries)
    meta = {
        "version": STORE_VERSION,
        "stamp": stamp,
        "short_side": short_side,
        "digest": digest_json([STORE_VERSION, short_side, checksums]),
        "bytes": (folder / PIXELS).stat().st_size,
        "unreadable": unreadable,
    }
    (folder / f"{_META}.tmp").write_text(json.dumps(meta, indent=1))
    _put(folder, _META)
    if not unreadable:
        (folder / JOURNAL).unlink()


def unfinish(folder: Path) -> None:
    """Let a store no longer count as finished."""
    (folder / _META).unlink(missing_ok=True)


def read_meta(folder: Path) -> dict[str, Any] | None:
    """Read the record of a finished store; None where the store is not finished or not whole."""
    try:
        meta = json.loads((folder / _META).read_text())
        whole = meta["version"] == STORE_VERSION and meta["bytes"] == (folder / PIXELS).stat().st_size
    except (OSError, ValueError, KeyError):
        return None
    return meta if whole and (folder / _INDEX).is_file() else None


def read_index(folder: Path) -> dict[str, np.ndarray]:
    """Read the index: one array [N] per column."""
    table = pq.read_table(folder / _INDEX)
    return {name: table[name].to_numpy() for name in _COLUMNS}


def _put(folder: Path, name: str) -> None:
    """Move `name`.tmp to its place once its bytes are on disk."""
    draft = folder / f"{name}.tmp"
    with draft.open("r+b") as file:
        os.fsync(file.fileno())
    os.replace(draft, folder / name)
