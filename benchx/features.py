"""Features of a frozen encoder: computed once per weights, transform and images, then read from disk.

Pooled features and embeddings are kept as float32. Tokens and maps, which are hundreds of times larger, as bfloat16.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock

from benchx.digests import digest_json
from benchx.encoding import Execution, Part, make_encode
from benchx.errors import BenchxError, StoreError
from benchx.images.batches import prefetch
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import PixelStore
from benchx.progress import Advance
from benchx.writing import reserve

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder

CHECKPOINT_EVERY = 16
"""Batches between two points from which a killed extraction continues."""


Shape = tuple[int, ...]


@dataclass(frozen=True)
class Features:
    """The extracted part of every image, memory-mapped.

    Attributes:
        matrix: float32, or uint16 of bfloat16's bits, [N, sum of the products of `shapes`].
        shapes: of one image's tensors: one for pooled features, embeddings and tokens, one per map.
    """

    matrix: np.ndarray
    shapes: tuple[Shape, ...]

    def tensors(self, rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Return float32 [n, *shape] for every shape, of some images."""
        stored = torch.from_numpy(self.matrix[rows])
        flat = stored.view(torch.bfloat16).float() if stored.dtype == torch.uint16 else stored
        parts = flat.split([prod(shape) for shape in self.shapes], dim=1)
        return tuple(part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True))


def feature_folder(
    cache: Path,
    *,
    card: dict[str, object],
    weights: str,
    pixels: str,
    spec: InputSpec,
    execution: Execution,
    part: Part = "pooled",
) -> Path:
    """Return the folder of a feature matrix, named by everything that its numbers depend on."""
    parts = {
        "card": card,
        "weights": weights,
        "pixels": pixels,
        "input": spec.model_dump(mode="json"),
        **execution.numerics(),
        "version": 3,
    }
    return cache / "features" / digest_json(parts if part == "pooled" else parts | {"part": part})


def is_complete(folder: Path) -> bool:
    """Whether a feature matrix is finished."""
    return (folder / "features.npy").is_file()


def extract(
    load_encoder: Callable[[], Encoder],
    pixels: PixelStore,
    spec: InputSpec,
    folder: Path,
    *,
    execution: Execution,
    advance: Advance,
    part: Part = "pooled",
) -> Features:
    """Return a part of what an encoder says of every image; the encoder is loaded if needed.

    A killed extraction continues at its last checkpoint with the same batches, so that the matrix is the
    same bit for bit.

    Raises:
        BenchxError: a feature is NaN or infinite (named by method, not by image).
        StoreError: the disk is full.
        UsageError: the method has no such part.
    """
    final = folder / "features.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not final.is_file():
            encoder = load_encoder()
            try:
                _fill(encoder, pixels, spec, folder, execution, advance, part)
            except OSError as error:
                raise StoreError(
                    f"features could not be written to {folder}",
                    error.strerror or str(error),
                    f"free space (several bytes x {len(pixels.samples)} images x their width) and run again",
                ) from error
    matrix = np.load(final, mmap_mode="r")
    shapes = json.loads((folder / "shapes.json").read_text()) if part != "pooled" else [matrix.shape[1:]]
    return Features(matrix, tuple(map(tuple, shapes)))


def _fill(
    encoder: Encoder,
    pixels: PixelStore,
    spec: InputSpec,
    folder: Path,
    execution: Execution,
    advance: Advance,
    part: Part,
) -> None:
    total = len(pixels.samples)
    partial, journal = folder / "partial.npy", folder / "partial.json"
    done = json.loads(journal.read_text())["done"] if journal.is_file() and partial.is_file() else 0
    matrix = np.lib.format.open_memmap(partial, mode="r+") if done else None
    starts = range(done, total, execution.batch)
    batches = [np.arange(start, min(start + execution.batch, total)) for start in starts]
    encode = make_encode(encoder, execution, part)
    advance(done, total)
    for number, (rows, images) in enumerate(_prepared(pixels, spec, batches), start=1):
        tensors = encode(images)
        flat = torch.cat([tensor.flatten(1) for tensor in tensors], dim=1)
        if not flat.isfinite().all():
            raise BenchxError(
                "the encoder gives NaN or infinite features",
                "its weights or its input statistics do not fit",
                "check the checkpoint with: benchx methods check METHOD --checkpoint FILE",
            )
        values = flat.numpy() if part in ("pooled", "embedding") else flat.bfloat16().view(torch.uint16).numpy()
        if matrix is None:
            shape = (total, flat.shape[1])
            matrix = np.lib.format.open_memmap(partial, mode="w+", dtype=values.dtype, shape=shape)
            reserve(partial)
            (folder / "shapes.json").write_text(json.dumps([list(tensor.shape[1:]) for tensor in tensors]))
        matrix[rows] = values
        if number % CHECKPOINT_EVERY == 0:
            matrix.flush()
            _write_json(journal, {"done": int(rows[-1]) + 1})
        advance(int(rows[-1]) + 1, total)
    if matrix is None:
        raise BenchxError("there are no images to encode", "the dataset is empty", "check the dataset")
    matrix.flush()
    del matrix
    os.replace(partial, folder / "features.npy")
    journal.unlink(missing_ok=True)


def _prepared(
    pixels: PixelStore, spec: InputSpec, batches: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    def make(rows: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        return rows, prepare(pixels.images(rows), spec)

    return prefetch(make, batches, workers=1)


def _write_json(path: Path, value: dict[str, int]) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(value))
    os.replace(draft, path)
