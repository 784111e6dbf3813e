"""Object-CXR: foreign objects on chest radiographs (JF Healthcare, MIDL 2020 challenge).

Layout: `train.csv`, `dev.csv` and `test.csv` with the columns `image_name` (or `image_path`, `dir/name.jpg`) and
`annotation`; the images as `train/*.jpg`, `dev/*.jpg`, `test/*.jpg`, or deeper in these folders. The test part was
published later than the two others; without it there is no official split. No patient is published.

An annotation is a list of outlines separated by `;`, each a kind and integer pixels: `0 x1 y1 x2 y2` a rectangle,
`1 x1 y1 x2 y2` the ellipse in that rectangle, `2 x1 y1 ... xn yn` a polygon. An empty one says that there is no
object. The authors state x1 < x2 and y1 < y2; corners in another order are the same rectangle and are put in order.
Support devices were not annotated.

Differences from BenchX:
 - ellipses: BenchX draws the rectangle around them (`read_benchx_2024` does so, too).
 - rectangles: BenchX rounds their corners down at 512 pixels and counts the corner pixels as inside.
 - file names: BenchX's masks and images end in `.png` while its code looks for `.jpg`; here they stay as published.
 - classification: BenchX's loader makes the labels before it takes the split, so that they belong to other images.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, refuse_blanks, refuse_duplicates
from benchx.datasets.folders import by_stem, find_images, is_phantom
from benchx.datasets.regions import Box, Ellipse, Polygon, Region
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CLASSES = ("Foreign object",)
PARTS = {"train": "train", "dev": "val", "test": "test"}
"""The official split by the name of table and folder."""

NAME_COLUMNS = ("image_name", "image_path")


def read(root: Path) -> Samples:
    """Read Object-CXR; the label says whether anything is outlined.

    Raises:
        DatasetError: `train.csv`, a column or every image folder is missing; an image is listed twice; or an
            annotation is malformed.
    """
    present = [part for part in PARTS if part == "train" or (root / f"{part}.csv").is_file()]
    notes = [f"{part}.csv is not there, so its part of the official split is not known" for part in PARTS]
    notes = [note for part, note in zip(PARTS, notes, strict=True) if part not in present]
    rows = pd.concat([_read_part(root / f"{part}.csv", part) for part in present], ignore_index=True)
    names = rows["sample"]
    _refuse_two_parts(rows, root)
    outlines = {
        name: read_outlines(text, root, where)
        for name, text, where in zip(names, rows["annotation"], rows["where"], strict=True)
    }
    regions = {name: tuple(region for region in its if not _is_flat(region)) for name, its in outlines.items()}
    if flat := sum(map(len, outlines.values())) - sum(map(len, regions.values())):
        notes.append(f"{flat} outlines have no width or no height and are not drawn; their images count as positive")
    found = by_stem(find_images(root, tuple(PARTS), (".jpg", ".jpeg"), deep=True))
    if unlisted := len(found.keys() - set(names)):
        notes.append(f"{unlisted} images on disk are in no table and are not used")
    images = [
        found.get(name, f"{part}/{file}") for name, part, file in zip(names, rows["part"], rows["file"], strict=True)
    ]
    table = pd.DataFrame({"sample": names, "image": images, "official": rows["part"].map(PARTS)})
    for column in ("patient", "study", "view", "sex", "age"):
        table[column] = None
    return Samples(
        "object-cxr",
        root,
        table,
        np.array([bool(outlines[name]) for name in names], np.float32)[:, None],
        CLASSES,
        tuple(names[~names.isin(found.keys())]),
        is_phantom(root),
        tuple(notes),
        regions=regions,
        mask_classes=CLASSES,
    )


def read_benchx_2024(root: Path) -> Samples:
    """Read Object-CXR with the rectangle of every ellipse in its place, as BenchX draws them."""
    samples = read(root)
    regions = {name: tuple(map(_as_box, outlines)) for name, outlines in samples.regions.items()}
    return replace(samples, regions=regions)


def _is_flat(region: Region) -> bool:
    return isinstance(region, Box | Ellipse) and not (region.width and region.height)


def _as_box(region: Region) -> Region:
    if not isinstance(region, Ellipse):
        return region
    return Box(region.label, region.x, region.y, region.width, region.height, region.where)


def _read_part(path: Path, part: str) -> pd.DataFrame:
    """Read one table into the columns sample, file, annotation (empty text for none), part and where."""
    rows = read_csv(path, ("annotation",))
    column = next((name for name in NAME_COLUMNS if name in rows), None)
    if column is None:
        raise DatasetError(
            f"{path} has no column {' or '.join(map(repr, NAME_COLUMNS))}",
            f"found: {', '.join(rows.columns)}",
            "use the file as published, with its original header",
        )
    refuse_blanks(rows, (column,), path)
    files = rows[column].str.rsplit("/", n=1).str[-1]
    samples = files.str.rsplit(".", n=1).str[0]
    refuse_duplicates(samples, path)
    where = [f"{path.name}, line {row + 2}" for row in rows.index]
    annotations = rows["annotation"].fillna("")
    return pd.DataFrame({"sample": samples, "file": files, "annotation": annotations, "part": part, "where": where})


def _refuse_two_parts(rows: pd.DataFrame, root: Path) -> None:
    again = rows[rows["sample"].duplicated()]
    if len(again):
        first = again["sample"].iloc[0]
        places = " and ".join(rows["where"][rows["sample"] == first])
        raise DatasetError(
            f"image '{first}' stands in two tables of {root}: {places}",
            "an image cannot be trained on and tested on",
            "use the tables as published",
        )


def read_outlines(text: str, root: Path, where: str) -> tuple[Region, ...]:
    """Read an annotation.

    Args:
        root: of the dataset.
        where: file relative to the root and line, for errors.

    Raises:
        DatasetError: an outline is of an unknown kind, holds something else than numbers, or too few or too many.
    """
    return tuple(_outline(part.split(), root, where) for part in text.split(";") if part.strip())


def _outline(words: list[str], root: Path, where: str) -> Region:
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise _fault(root / where, "a coordinate is not a number")
    if words[0] == "2":
        if len(numbers) % 2 or len(numbers) < 6:
            raise _fault(root / where, f"a polygon (2) has {len(numbers)} numbers; it needs an even count, from 6")
        return Polygon(CLASSES[0], tuple(zip(numbers[::2], numbers[1::2], strict=True)), where)
    if words[0] not in ("0", "1"):
        raise _fault(root / where, f"an outline is of the kind '{words[0]}'; it must be 0, 1 or 2")
    if len(numbers) != 4:
        raise _fault(root / where, f"a rectangle (0) or ellipse (1) has {len(numbers)} numbers; it needs 4")
    (left, right), (top, bottom) = sorted(numbers[::2]), sorted(numbers[1::2])
    shape = Box if words[0] == "0" else Ellipse
    return shape(CLASSES[0], left, top, right - left, bottom - top, where)


def _fault(place: Path, why: str) -> DatasetError:
    return DatasetError(f"{place}: the annotation cannot be read", why, "use the file as published")


DATASET = Dataset(
    name="object-cxr",
    title="Object-CXR",
    licence="CC BY-NC 4.0: research, non-commercial",
    source="jfhealthcare.github.io/object-CXR",
    citation="JF Healthcare, Object-CXR: automatic detection of foreign objects on chest X-rays, MIDL 2020",
    size="10 000 images",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="object-cxr",
    classes=CLASSES,
    read=read,
    mask_classes=CLASSES,
    read_benchx_2024=read_benchx_2024,
)
