"""PixelStore: a dataset decoded once into one flat file of 8-bit grey pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock

from benchx.digests import digest_json
from benchx.errors import DatasetError, StoreError
from benchx.images.filling import Source, fill
from benchx.images.index import STORE_VERSION, finish, read_index, read_meta
from benchx.images.journal import PIXELS
from benchx.images.sources import stat_of

__all__ = ["STORE_VERSION", "PixelStore", "build", "open_current", "open_store"]


@dataclass(frozen=True, eq=False)
class PixelStore:
    """The pixels of a dataset, uncropped, aspect kept, 8 bit; memory-mapped when first read.

    Attributes:
        folder: holds `pixels.u8`, `index.parquet` and `meta.json`.
        short_side: the largest short side of an image, pixels; smaller originals keep their size.
        digest: sha256 over the short side, the store's version and the sorted (sample, checksum):
            no paths and no dates.
        samples: the N readable samples, in the order they were given.
        offsets: int64 [N], of each image in the pixel file, bytes.
        shapes: int32 [N, 2], stored height and width.
        original_shapes: int32 [N, 2], height and width of the file.
        unreadable: the samples left out, with the reason.
    """

    folder: Path
    short_side: int
    digest: str
    samples: tuple[str, ...]
    offsets: np.ndarray
    shapes: np.ndarray
    original_shapes: np.ndarray
    unreadable: dict[str, str]
    _sha256: np.ndarray

    def images(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return images by position, uint8 [h, w] each: read-only views, nothing is copied."""
        views = []
        for index in indices:
            height, width = map(int, self.shapes[index])
            offset = int(self.offsets[index])
            views.append(self._pixels[offset : offset + height * width].reshape(height, width))
        return views

    @cached_property
    def checksums(self) -> dict[str, str]:
        """The sha256 (hex) of every sample's file."""
        return {sample: sha.decode() for sample, sha in zip(self.samples, self._sha256, strict=True)}

    @cached_property
    def _pixels(self) -> np.ndarray:
        path = self.folder / PIXELS
        # An empty file cannot be mapped; a plain view is several times faster to slice than a memmap.
        return np.memmap(path, np.uint8, "r").view(np.ndarray) if path.stat().st_size else np.zeros(0, np.uint8)

    def __reduce__(self) -> tuple[Callable[[Path], PixelStore], tuple[Path]]:
        return open_store, (self.folder,)


def build(
    items: Sequence[tuple[str, Path]],
    short_side: int,
    folder: Path,
    workers: int | None = None,
    skip_unreadable: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> PixelStore:
    """Decode a dataset with threads, or open the finished store of the same files.

    The same files means the same samples in the same order with unchanged sizes and modification
    times, the same short side and the same version of the store. A build that was killed continues
    after its last commit, and its pixel file equals that of an undisturbed build byte for byte. Two
    processes that build the same folder wait for each other.

    Args:
        items: (sample, file) pairs, samples unique.
        short_side: pixels; at least the largest encoder input that will be cut from the store.
        folder: where the store is kept; nothing else belongs there.
        workers: decoding threads; None means one per available core.
        skip_unreadable: leave unreadable files out, recorded in `unreadable`.
        on_progress: called with the images done and the images in all.

    Raises:
        DatasetError: samples are repeated, or files are unreadable (up to 10 are listed); what was
            decoded is kept, and only the unreadable files are tried again.
        StoreError: the disk is full or cannot be written.
    """
    if short_side < 1:
        raise ValueError(f"short_side must be at least 1, not {short_side}")
    sources = [_source(sample, path) for sample, path in items]
    _refuse_duplicates([source.sample for source in sources])
    stamp = _stamp(sources, short_side)
    report = on_progress or (lambda done, total: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "build.lock"):
            meta = read_meta(folder)
            if meta is None or meta["stamp"] != stamp:
                entries, unreadable = fill(sources, short_side, folder, workers, report)
                if unreadable and not skip_unreadable:
                    raise _unreadable_error(unreadable, len(sources))
                finish(folder, stamp, short_side, entries, unreadable)
            else:
                report(len(sources), len(sources))
    except OSError as error:
        raise StoreError(
            f"the pixel store in {folder} could not be written",
            error.strerror or str(error),
            "free space or name another folder, and run again: it continues where it stopped",
        ) from error
    store = open_store(folder)
    if store.unreadable and not skip_unreadable:
        raise _unreadable_error(store.unreadable, len(sources))
    return store


def open_current(items: Sequence[tuple[str, Path]], short_side: int, folder: Path) -> PixelStore | None:
    """Open the finished store of exactly these files, or return None where it has to be built."""
    meta = read_meta(folder)
    current = meta is not None and meta["stamp"] == _stamp([_source(*item) for item in items], short_side)
    return open_store(folder) if current else None


def open_store(folder: Path) -> PixelStore:
    """Open a finished store.

    Raises:
        StoreError: it is not finished, of another version, or its pixel file is not whole.
    """
    meta = read_meta(folder)
    if meta is None:
        raise StoreError(
            f"{folder} holds no finished pixel store",
            "it was not built to its end, or was damaged",
            "build it again",
        )
    index = read_index(folder)

    def shapes(prefix: str) -> np.ndarray:
        return np.stack([index[f"{prefix}height"], index[f"{prefix}width"]], axis=1)

    return PixelStore(
        folder=folder,
        short_side=meta["short_side"],
        digest=meta["digest"],
        samples=tuple(index["sample"]),
        offsets=index["offset"],
        shapes=shapes(""),
        original_shapes=shapes("original_"),
        unreadable=meta["unreadable"],
        _sha256=index["sha256"].astype("S64"),
    )


def _stamp(sources: Sequence[Source], short_side: int) -> str:
    return digest_json([STORE_VERSION, short_side, [(s.sample, s.file_bytes, s.mtime_ns) for s in sources]])


def _source(sample: str, path: Path) -> Source:
    try:
        stat = stat_of(path)
    except OSError:
        return Source(sample, path, -1, -1)
    return Source(sample, path, stat.st_size, stat.st_mtime_ns)


def _refuse_duplicates(samples: Sequence[str]) -> None:
    repeated = [sample for sample, count in Counter(samples).items() if count > 1]
    if repeated:
        raise DatasetError(
            f"{len(repeated)} samples are listed more than once, first '{repeated[0]}'",
            "a sample's pixels are found by its id",
            "give every image its own id",
        )


def _unreadable_error(unreadable: dict[str, str], total: int) -> DatasetError:
    listed = [f"{sample}: {reason}" for sample, reason in list(unreadable.items())[:10]]
    more = f"; and {len(unreadable) - 10} more" if len(unreadable) > 10 else ""
    return DatasetError(
        f"{len(unreadable)} of {total} images cannot be read",
        "; ".join(listed) + more,
        "restore these files, or leave them out with --skip-unreadable (every result then says so)",
    )
