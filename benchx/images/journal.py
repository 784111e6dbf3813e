"""The pixel file in the making and its journal: what a killed build has safely written."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

PIXELS = "pixels.u8"
JOURNAL = "journal.jsonl"


class Entry(NamedTuple):
    """One decoded image: the file it came from, its place in the pixel file and its shapes in pixels."""

    sample: str
    file_bytes: int
    mtime_ns: int
    offset: int
    height: int
    width: int
    original_height: int
    original_width: int
    sha256: str

    @property
    def end(self) -> int:
        """The first byte behind the image."""
        return self.offset + self.height * self.width


def recover(folder: Path, header: dict[str, int]) -> list[Entry]:
    """Return the entries that are safe on disk and cut both files back to them.

    A torn last line, and every line whose pixels are not in the pixel file, is dropped. A journal with
    another header is begun anew; the old pixel file is unlinked and not cut, so that whoever still has
    it mapped keeps it.
    """
    journal, pixels = folder / JOURNAL, folder / PIXELS
    first = _line(header)
    data = journal.read_bytes() if journal.is_file() else b""
    if not data.startswith(first) or not pixels.is_file():
        pixels.unlink(missing_ok=True)
        pixels.touch()
        journal.write_bytes(first)
        return []
    entries: list[Entry] = []
    size, valid = pixels.stat().st_size, len(first)
    for line in data[valid:].splitlines(keepends=True):
        chunk = _parse(line)
        if not chunk or chunk[-1].end > size:
            break
        entries += chunk
        valid += len(line)
    os.truncate(journal, valid)
    os.truncate(pixels, entries[-1].end if entries else 0)
    return entries


def commit(folder: Path, chunk: Sequence[Entry], images: Sequence[np.ndarray]) -> None:
    """Append images to the pixel file, wait until they are on disk, then journal them in one line.

    Args:
        folder: where `recover` was called before.
        chunk: one entry per image, offsets following the end of the pixel file.
        images: uint8 [h, w] each.
    """
    with (folder / PIXELS).open("ab") as file:
        for image in images:
            file.write(np.ascontiguousarray(image).data)
        file.flush()
        os.fsync(file.fileno())
    with (folder / JOURNAL).open("ab") as file:
        file.write(_line(chunk))


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _parse(line: bytes) -> list[Entry]:
    """Read one line; empty where it is torn."""
    if not line.endswith(b"\n"):
        return []
    try:
        return [Entry(*fields) for fields in json.loads(line)]
    except (ValueError, TypeError):
        return []
