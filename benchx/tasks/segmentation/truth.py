"""The outlines of a dataset as masks at the network's size: drawn once, kept on disk bit by bit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from benchx.datasets.regions import MaskFile, misfit
from benchx.digests import digest_json
from benchx.errors import DatasetError, StoreError
from benchx.images.batches import prefetch
from benchx.images.masks import prepare_masks
from benchx.images.spec import InputSpec
from benchx.progress import Advance
from benchx.tasks.kinds import FOREGROUND
from benchx.workspace import OpenDataset

VERSION = 1
"""Raised when masks may change."""

_CHUNK = 16


@dataclass(frozen=True, eq=False)
class Truth:
    """What is outlined on every image whose outlines are known.

    Attributes:
        classes: the K names.
        size: side of the masks.
        places: int [N], of every row of the dataset among the M outlined images, -1 where it is not outlined.
        present: bool [M, K], whether a mask has a pixel.
        packed: uint8 [M, K, size, size / 8 rounded up], a bit per pixel, memory-mapped.
    """

    classes: tuple[str, ...]
    size: int
    places: np.ndarray
    present: np.ndarray
    packed: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """float32 [N, K]: 1 where the class is on the image, 0 where it is not, NaN where nobody outlined."""
        labels = np.full((len(self.places), len(self.classes)), np.nan, np.float32)
        known = self.places >= 0
        labels[known] = self.present[self.places[known]]
        return labels

    def masks(self, rows: np.ndarray) -> np.ndarray:
        """Return uint8 [n, K, size, size] of 0 and 1, of rows that are outlined."""
        return np.unpackbits(self.packed[self.places[rows]], axis=-1, count=self.size)


def draw_truth(
    dataset: OpenDataset,
    classes: Sequence[str],
    spec: InputSpec,
    cache: Path,
    *,
    union: bool,
    advance: Advance,
) -> Truth:
    """Draw the outlines of a dataset at the size of its images' originals and bring them to the network's square.

    A pixel of the square is set when more than half of it is covered, see `benchx.images.masks`; a small outline may
    vanish.

    Args:
        classes: chosen from the dataset's mask classes.
        spec: the encoder's input.
        cache: folder of caches; masks lie under a name that tells all they depend on.
        union: all classes as one, `FOREGROUND`.
        advance: told the images drawn and the images in all.

    Raises:
        DatasetError: an outline does not fit its image, or a mask file cannot be read.
        StoreError: the masks cannot be written.
    """
    samples = dataset.samples
    rows = np.flatnonzero([name in samples.regions for name in samples.table["sample"]])
    layers = [samples.mask_classes.index(name) for name in classes]
    geometry = spec.model_dump(mode="json", include={"size", "resize", "resize_to"})
    outlined = list(samples.table["sample"].iloc[rows])
    content = dataset.digest_with(outlines=True, texts=False)
    folder = cache / "masks" / digest_json([VERSION, content, outlined, list(classes), union, geometry])

    shape = (len(rows), 1 if union else len(classes), spec.size, (spec.size + 7) // 8)
    names = (FOREGROUND,) if union else tuple(classes)
    places = np.full(len(samples.table), -1)
    places[rows] = np.arange(len(rows))
    if not len(rows):
        return Truth(names, spec.size, places, np.zeros(shape[:2], bool), np.zeros(shape, np.uint8))

    def drawn(chosen: np.ndarray) -> np.ndarray:
        return prepare_masks([_layers(dataset, row, layers, union) for row in rows[chosen]], spec)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            if not (folder / "masks.npy").is_file():
                _fill(folder, shape, drawn, advance)
    except OSError as error:
        raise StoreError(
            f"masks could not be written to {folder}", error.strerror or str(error), "free space and run again"
        ) from error
    return Truth(
        names, spec.size, places, np.load(folder / "present.npy"), np.load(folder / "masks.npy", mmap_mode="r")
    )


def _layers(dataset: OpenDataset, row: int, layers: list[int], union: bool) -> np.ndarray:
    height, width = map(int, dataset.pixels.original_shapes[row])
    name, samples = dataset.samples.table["sample"].iloc[row], dataset.samples
    for region in samples.regions[name]:
        why = misfit(region, height, width, samples.root) if isinstance(region, MaskFile) else None
        if why:
            raise DatasetError(
                f"a mask of '{samples.dataset}' does not fit its image", why, "use masks and images of one release"
            )
    masks = samples.masks(name, height, width)[layers]
    return masks.max(axis=0, keepdims=True) if union else masks


def _fill(folder: Path, shape: tuple[int, ...], drawn: Callable[[np.ndarray], np.ndarray], advance: Advance) -> None:
    """Write `present.npy`, then `masks.npy`, whose being there says that both are whole."""
    partial, present = folder / "partial.npy", np.zeros(shape[:2], bool)
    packed = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    chunks = [np.arange(start, min(start + _CHUNK, shape[0])) for start in range(0, shape[0], _CHUNK)]
    batches = prefetch(lambda chunk: (chunk, drawn(chunk)), chunks, workers=os.cpu_count() or 1)
    for chunk, masks in batches:
        packed[chunk], present[chunk] = np.packbits(masks, axis=-1), masks.any(axis=(2, 3))
        advance(int(chunk[-1]) + 1, shape[0])
    packed.flush()
    del packed
    np.save(folder / "present.npy", present)
    os.replace(partial, folder / "masks.npy")
