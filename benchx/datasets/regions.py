"""What is outlined on an image: boxes, ellipses, polygons, run lengths and mask files, and how they are drawn.

Coordinates are pixels, x to the right and y down, pixel i covering [i, i + 1); they are those of the original
image, or of a `frame` (height, width) that is stretched over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from benchx.digests import digest_file, digest_lines
from benchx.errors import DatasetError

Frame = tuple[int, int]

SLACK = 1.0
"""Pixels by which a box or point may lie outside its image: annotation tools round."""

ASPECT_SLACK = 0.02
"""Relative difference of width / height by which a mask file may differ from its image."""

MASK_THRESHOLD = 128
"""Value from which a pixel of a mask file counts."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: the pixels whose centres lie in it. `where` names file and line, for errors."""

    label: str
    x: float
    y: float
    width: float
    height: float
    where: str = ""
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An upright ellipse in a rectangle: the pixels whose centres lie in it."""

    label: str
    x: float
    y: float
    width: float
    height: float
    where: str = ""
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline; a point names a pixel, and the pixels of the outline count as inside."""

    label: str
    points: tuple[tuple[float, float], ...]
    where: str = ""
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of pixels counted down the columns, left to right.

    Attributes:
        starts, lengths: of each run, from 0.
        frame: the height and width that the count refers to.
    """

    label: str
    starts: tuple[int, ...] = field(repr=False)
    lengths: tuple[int, ...] = field(repr=False)
    frame: Frame
    where: str = ""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask image beside the original, stretched over it by nearest neighbour: pixels from 128 count.

    Attributes:
        path: relative to the dataset's root.
    """

    label: str
    path: str

    @property
    def where(self) -> str:
        """The file, for errors."""
        return self.path


Region = Box | Ellipse | Polygon | Runs | MaskFile


def fingerprint(regions: Sequence[Region], root: Path) -> str:
    """Return a digest of what is outlined on an image, of mask files by their content.

    Raises:
        DatasetError: a mask file is not there.
    """
    said = []
    for region in regions:
        if not isinstance(region, MaskFile):
            said.append(repr((type(region).__name__, *astuple(replace(region, where="")))))
        elif not (root / region.path).is_file():
            raise DatasetError(f"there is no mask {region.path}", f"it is not in {root}", "complete the download")
        else:
            said.append(f"{region.label} {digest_file(root / region.path)}")
    return digest_lines(said)


def fault(region: Region, height: int, width: int) -> str | None:
    """Say what is wrong with a region of an image of this size, or None. A mask file is not opened."""
    if isinstance(region, MaskFile):
        return None
    height, width = region.frame or (height, width)
    if isinstance(region, Runs):
        ends = np.add(region.starts, region.lengths)
        if min((*region.starts, *region.lengths), default=0) < 0:
            return "a run length is negative"
        if len(ends) and ends.max() > height * width:
            return f"a run ends at pixel {ends.max()} of an image of {height} x {width} = {height * width}"
        return None
    if isinstance(region, Polygon):
        if len(region.points) < 3:
            return f"a polygon has {len(region.points)} points, and needs 3"
        points = np.array(region.points)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    else:
        left, top, right, bottom = region.x, region.y, region.x + region.width, region.y + region.height
        if not (region.width > 0 and region.height > 0):
            return f"a box is {region.width:g} wide and {region.height:g} high"
    if not (left >= -SLACK and top >= -SLACK and right <= width + SLACK and bottom <= height + SLACK):
        return (
            f"x {left:g} to {right:g} and y {top:g} to {bottom:g} lie outside the image of {width} x {height} "
            "(width x height)"
        )
    return None


def misfit(region: Region, height: int, width: int, root: Path) -> str | None:
    """Say where and why a region does not fit an image of this size, or None; a mask file is opened."""
    if isinstance(region, MaskFile):
        why = _mask_file_fault(region, height, width, root)
    else:
        why = fault(region, height, width)
    return f"{region.where}: {why}" if why and region.where else why


def _mask_file_fault(region: MaskFile, height: int, width: int, root: Path) -> str | None:
    from benchx.images.decode import UnreadableImage, read

    try:
        rows, columns = read(root / region.path).shape
    except UnreadableImage as error:
        return error.why
    if abs(columns * height / (rows * width) - 1) > ASPECT_SLACK:
        return f"it is of {columns} x {rows} for an image of {width} x {height} (width x height)"
    return None


def refuse_fault(region: Region, height: int, width: int, root: Path) -> None:
    """Raise a DatasetError when a region does not fit an image of this size."""
    if (why := fault(region, height, width)) is not None:
        raise DatasetError(
            f"{root / region.where}: the outline of '{region.label}' does not fit its image",
            why,
            "use annotations and images of the same release, as published",
        )


def draw(regions: Sequence[Region], classes: Sequence[str], height: int, width: int, root: Path) -> np.ndarray:
    """Draw regions, one layer per class.

    Returns:
        uint8 [len(classes), height, width] of 0 and 1; regions of one class are united.

    Raises:
        DatasetError: a region does not fit the image, or a mask file cannot be read.
    """
    layers = np.zeros((len(classes), height, width), np.uint8)
    for region in regions:
        refuse_fault(region, height, width, root)
        layer = layers[classes.index(region.label)]
        match region:
            case Box() | Ellipse():
                _draw_box(layer, region)
            case Polygon():
                _draw_polygon(layer, region)
            case Runs():
                layer |= _stretch(_decode_runs(region), height, width)
            case MaskFile():
                layer |= _stretch(_read_mask(root / region.path), height, width)
    return layers


def _draw_box(layer: np.ndarray, box: Box | Ellipse) -> None:
    height, width = layer.shape
    scale_y, scale_x = (height / box.frame[0], width / box.frame[1]) if box.frame else (1.0, 1.0)
    x, y = (np.arange(width) + 0.5) / scale_x, (np.arange(height) + 0.5) / scale_y
    # From -1 to 1 across the box; half open, so that integer corners give exactly the pixels between them.
    across = (2 * (x - box.x) / box.width - 1)[None, :]
    down = (2 * (y - box.y) / box.height - 1)[:, None]
    if isinstance(box, Ellipse):
        inside = across**2 + down**2 < 1
    else:
        inside = (across >= -1) & (across < 1) & (down >= -1) & (down < 1)
    layer[inside] = 1


def _draw_polygon(layer: np.ndarray, polygon: Polygon) -> None:
    points = np.array(polygon.points)
    if polygon.frame:
        points = points * (layer.shape[1] / polygon.frame[1], layer.shape[0] / polygon.frame[0])
    cv2.fillPoly(layer, [np.rint(points).astype(np.int32)], 1)


def _decode_runs(runs: Runs) -> np.ndarray:
    height, width = runs.frame
    steps = np.zeros(height * width + 1, np.int32)
    np.add.at(steps, np.array(runs.starts, int), 1)
    np.add.at(steps, np.add(runs.starts, runs.lengths).astype(int), -1)
    covered = (np.cumsum(steps[:-1]) > 0).astype(np.uint8)
    return covered.reshape(width, height).T


def _read_mask(path: Path) -> np.ndarray:
    from benchx.images.decode import read, to_uint8

    return (to_uint8(read(path)) >= MASK_THRESHOLD).astype(np.uint8)


def _stretch(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    if mask.shape == (height, width):
        return mask
    return cv2.resize(np.ascontiguousarray(mask), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
