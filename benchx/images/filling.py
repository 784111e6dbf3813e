"""Decoding the files of a pixel store with threads, in order, a committed chunk at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchx.errors import StoreError
from benchx.images.batches import prefetch
from benchx.images.decode import UnreadableImage, read_with_checksum, to_uint8
from benchx.images.index import STORE_VERSION, unfinish
from benchx.images.journal import Entry, commit, recover

_CHUNK = 32
"""Images per commit: what a killed build loses at most, and few enough to share out evenly."""


class Source(NamedTuple):
    """An image file as it was found; size and time are -1 where it is missing."""

    sample: str
    path: Path
    file_bytes: int
    mtime_ns: int


class _Decoded(NamedTuple):
    pixels: np.ndarray
    original_height: int
    original_width: int
    sha256: str


def fill(
    sources: Sequence[Source],
    short_side: int,
    folder: Path,
    workers: int | None,
    on_progress: Callable[[int, int], None],
) -> tuple[list[Entry], dict[str, str]]:
    """Bring every readable source into the pixel file; what an earlier build committed is kept.

    Returns:
        The entries in the order of the sources, and the reason for every sample that cannot be read.

    Raises:
        StoreError: the disk is full (names the space needed) or cannot be written.
    """
    entries: dict[str, Entry] = {}
    try:
        unfinish(folder)
        committed = recover(folder, {"version": STORE_VERSION, "short_side": short_side})
        entries = _still_valid(committed, sources)
        end = committed[-1].end if committed else 0
        unreadable = _fill_rest(sources, entries, end, short_side, folder, workers, on_progress)
    except OSError as error:
        written = sum(entry.height * entry.width for entry in entries.values())
        each = written / len(entries) if entries else short_side**2 * 1.25
        needed = each * (len(sources) - len(entries)) / 1e9
        raise StoreError(
            f"the pixel store in {folder} could not be written",
            error.strerror or str(error),
            f"make about {needed:.3g} GB available there and run again: it continues where it stopped",
        ) from error
    return [entries[source.sample] for source in sources if source.sample in entries], unreadable


def shrink(image: np.ndarray, short_side: int) -> np.ndarray:
    """Reduce uint8 [H, W] to a short side of at most `short_side` pixels, aspect kept.

    OpenCV's INTER_AREA (the mean over each target pixel's area): for this one reduction it is several
    times faster than an antialiased bilinear filter and differs from it by a grey level at most on
    smooth images. The long side is rounded. Smaller images stay as they are.
    """
    height, width = image.shape
    short = min(height, width)
    if short <= short_side:
        return image
    size = round(width * short_side / short), round(height * short_side / short)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _still_valid(committed: Sequence[Entry], sources: Sequence[Source]) -> dict[str, Entry]:
    """Return the last entry of each sample, where its file has not changed since."""
    latest = {entry.sample: entry for entry in committed}
    found = ((source, latest.get(source.sample)) for source in sources)
    return {s.sample: e for s, e in found if e and (e.file_bytes, e.mtime_ns) == (s.file_bytes, s.mtime_ns)}


def _fill_rest(
    sources: Sequence[Source],
    entries: dict[str, Entry],
    end: int,
    short_side: int,
    folder: Path,
    workers: int | None,
    on_progress: Callable[[int, int], None],
) -> dict[str, str]:
    """Decode what has no entry yet, adding to `entries`; return the reasons of the unreadable."""
    rest = np.array([row for row, source in enumerate(sources) if source.sample not in entries], np.int64)
    chunks = np.split(rest, range(_CHUNK, len(rest), _CHUNK)) if len(rest) else []
    unreadable: dict[str, str] = {}

    def decode_chunk(rows: np.ndarray) -> list[tuple[Source, _Decoded | str]]:
        return [(sources[row], _decode(sources[row].path, short_side)) for row in rows]

    on_progress(len(entries), len(sources))
    with _one_opencv_thread(), closing(prefetch(decode_chunk, chunks, workers or _cores())) as decoded_chunks:
        for decoded_chunk in decoded_chunks:
            new: list[Entry] = []
            images: list[np.ndarray] = []
            for source, decoded in decoded_chunk:
                if isinstance(decoded, str):
                    unreadable[source.sample] = decoded
                    continue
                images.append(decoded.pixels)
                new.append(_entry(source, decoded, end))
                end = new[-1].end
            if new:
                commit(folder, new, images)
                entries.update((entry.sample, entry) for entry in new)
            on_progress(len(entries) + len(unreadable), len(sources))
    return unreadable


def _decode(path: Path, short_side: int) -> _Decoded | str:
    try:
        image, sha256 = read_with_checksum(path)
    except UnreadableImage as error:
        return error.why
    height, width = image.shape
    return _Decoded(shrink(to_uint8(image), short_side), height, width, sha256)


def _entry(source: Source, decoded: _Decoded, offset: int) -> Entry:
    height, width = decoded.pixels.shape
    return Entry(
        source.sample,
        source.file_bytes,
        source.mtime_ns,
        offset,
        height,
        width,
        decoded.original_height,
        decoded.original_width,
        decoded.sha256,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own under ours."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
