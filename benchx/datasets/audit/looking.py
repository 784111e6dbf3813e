"""One pass over the pixels of a dataset: all that the audit wants to know of every picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.borders import uniform_borders, without_borders
from benchx.datasets.audit.descriptors import describe, grey_ranks, thumbnail
from benchx.datasets.audit.polarity import polarity
from benchx.images.batches import prefetch

CONSTANT = 1.0
"""Grey levels: a picture whose standard deviation is below shows nothing."""

_CHUNK = 64


class Look(NamedTuple):
    """What is seen of one picture.

    Attributes:
        digest: of the stored pixels and their shape.
        deviation: standard deviation of the pixels, grey levels.
        borders: uniform bands at top, bottom, left and right, as shares of the height and the width.
        polarity: correlation with an average chest, -1 to 1.
        thumbnails: uint8 [64, 64] each: of the whole, and of what lies inside a uniform border where there is one.
        vectors: the description of each thumbnail, float32 [207].
    """

    digest: bytes
    deviation: float
    borders: tuple[float, float, float, float]
    polarity: float
    thumbnails: tuple[np.ndarray, ...]
    vectors: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Looks:
    """What is seen of a dataset.

    Attributes:
        rows: int [n], the row of `samples.table` of each picture.
        files: sha256 (hex) of each picture's file.
        original_shapes: int [n, 2], height and width of the file.
        each: the looks.
    """

    rows: np.ndarray
    files: list[str]
    original_shapes: np.ndarray
    each: list[Look]


def look(image: np.ndarray) -> Look:
    """Look at one picture, uint8 [h, w]."""
    height, width = image.shape
    borders = uniform_borders(image)
    inside = without_borders(image, borders)
    thumbnails = tuple(thumbnail(face) for face in ([image] if inside.shape == image.shape else [image, inside]))
    ranks = [grey_ranks(small) for small in thumbnails]
    return Look(
        hashlib.sha256(image.tobytes()).digest() + height.to_bytes(4, "little"),
        float(cv2.meanStdDev(image)[1][0, 0]),
        (borders[0] / height, borders[1] / height, borders[2] / width, borders[3] / width),
        polarity(ranks[-1]),
        thumbnails,
        tuple(describe(face) for face in ranks),
    )


def look_at_all(audited: Audited, on_progress: Callable[[int], None]) -> Looks:
    """Look at every picture that the pixel store and the samples both hold, in the order of the samples.

    Args:
        on_progress: called with the pictures done.
    """
    store = audited.pixels
    places = {sample: place for place, sample in enumerate(store.samples)}
    rows = np.array([row for row, sample in enumerate(audited.ids) if sample in places], int)
    wanted = np.array([places[audited.ids[row]] for row in rows], int)
    chunks = np.split(wanted, range(_CHUNK, len(wanted), _CHUNK)) if len(wanted) else []
    each: list[Look] = []
    for looks in prefetch(lambda chunk: [look(image) for image in store.images(chunk)], chunks, os.cpu_count() or 1):
        each += looks
        on_progress(len(each))
    files = [store.checksums[audited.ids[row]] for row in rows]
    return Looks(rows, files, store.original_shapes[wanted], each)
