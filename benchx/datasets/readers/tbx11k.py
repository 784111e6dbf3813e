"""TBX11K (Liu et al., Rethinking Computer-Aided Tuberculosis Diagnosis, CVPR 2020), in either of two forms.

Simplified (Kaggle, vbookshelf), as BenchX uses it: `images/*.png`, 512 x 512, and `data.csv` with one row per box:
`fname`, `image_height`, `image_width`, `source` (train or val), `bbox` (`none` or a Python dict of `xmin`, `ymin`,
`width`, `height`), `target` (tb or no_tb), `image_type` (healthy, sick_but_no_tb or tb).

Full: `imgs/{health,sick,tb}/*.png` and `annotations/json/TBX11K_{train,val}.json` in the COCO format (see
`tbx11k_coco`). `imgs/test` has no public labels, and `imgs/extra` holds other datasets (see `DATASET.overlaps`);
neither is read.

The label is tuberculosis, active or healed, against all else: healthy and sick with something else count as 0. Boxes
of every kind of tuberculosis are one mask class. An image of tuberculosis without a box (`tb1199` in the full form)
has an unknown outline, not an empty one. No patient is published.

Split: the published training list is `train`. The published validation list is `test`, because it is the only labelled
part that the authors hold out, and others report on it; validation images are taken from `train` by hash.

Differences from BenchX:
 - split: BenchX draws 70/15/15 at random from both lists together; its lists fit these ids.
 - table: BenchX's `tbx11k_labels.csv` has lost `fname`, which its loader needs; here nothing is written.
 - boxes: BenchX cuts x, y, width and height down to integers, which moves edges by up to two pixels
   (`read_benchx_2024` does so, too); here a pixel counts when its centre lies in the box.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, read_numbers, refuse_blanks, refuse_others
from benchx.datasets.folders import by_stem, find_images, is_phantom
from benchx.datasets.readers.tbx11k_coco import FOLDER, IMAGE_FOLDERS, TbxImage, read_coco
from benchx.datasets.regions import Box, Frame, Region
from benchx.datasets.samples import Dataset, Overlap, Samples
from benchx.errors import DatasetError

CLASSES = ("Tuberculosis",)
OFFICIAL = {"train": "train", "val": "test"}
"""The part that a published list counts as."""

TABLE = "data.csv"
_REQUIRED = ("fname", "image_height", "image_width", "source", "bbox", "target", "image_type")


def read(root: Path) -> Samples:
    """Read TBX11K, in the form that is there.

    Raises:
        DatasetError: both forms are there; a file, column or every image folder is missing; an image is listed with
            two labels or lists; a box is malformed, or stands on an image without tuberculosis.
    """
    full, path = (root / FOLDER).is_dir(), root / TABLE
    if full and path.is_file():
        raise DatasetError(
            f"{root} holds both {TABLE} and {FOLDER}",
            "they are two forms of this dataset, and which is meant cannot be told",
            "keep one form per folder",
        )
    images, notes = read_coco(root) if full else (_read_table(path), ())
    folders = tuple(f"imgs/{folder}" for folder in IMAGE_FOLDERS) if full else ("images",)
    found = by_stem(find_images(root, folders, (".png",)))
    return _samples(root, images, found, notes)


def read_benchx_2024(root: Path) -> Samples:
    """Read TBX11K with every box cut down to integers, as BenchX does; a box without a whole pixel goes."""
    samples = read(root)
    regions = {name: tuple(filter(None, map(_cut, boxes))) for name, boxes in samples.regions.items()}
    return replace(samples, regions=regions)


def _cut(region: Region) -> Box | None:
    assert isinstance(region, Box)
    x, y, width, height = (int(value) for value in (region.x, region.y, region.width, region.height))
    return replace(region, x=x, y=y, width=width, height=height) if width > 0 and height > 0 else None


def _samples(root: Path, images: list[TbxImage], found: dict[str, str], notes: tuple[str, ...]) -> Samples:
    names = [image.sample for image in images]
    regions = {image.sample: image.boxes for image in images if image.boxes or not image.tuberculosis}
    if unknown := len(images) - len(regions):
        notes += (f"{unknown} images of tuberculosis have no box, so their outlines are not known",)
    if unlisted := len(found.keys() - set(names)):
        notes += (f"{unlisted} images on disk are in no list and are not used",)
    table = pd.DataFrame(
        {
            "sample": names,
            "image": [found.get(image.sample, image.expected) for image in images],
            "official": [OFFICIAL[image.source] for image in images],
        }
    )
    for column in ("patient", "study", "view", "sex", "age"):
        table[column] = None
    return Samples(
        "tbx11k",
        root,
        table,
        np.array([image.tuberculosis for image in images], np.float32)[:, None],
        CLASSES,
        tuple(name for name in names if name not in found),
        is_phantom(root),
        notes,
        regions=regions,
        mask_classes=CLASSES,
    )


def _read_table(path: Path) -> list[TbxImage]:
    rows = read_csv(path, _REQUIRED)
    refuse_blanks(rows, _REQUIRED, path)
    refuse_others(rows["source"], OFFICIAL, path)
    refuse_others(rows["target"], ("no_tb", "tb"), path)
    rows["sample"] = rows["fname"].str.removesuffix(".png")
    _refuse_contradictions(rows, path)
    frames = pd.DataFrame({name: read_numbers(rows[name], path) for name in ("image_height", "image_width")})
    boxes: dict[str, list[Box]] = {name: [] for name in rows["sample"]}
    for row in rows.index[rows["bbox"] != "none"]:
        frame = (int(frames["image_height"][row]), int(frames["image_width"][row]))
        boxes[rows["sample"][row]].append(_read_box(rows["bbox"][row], frame, path, int(row) + 2))
    first = rows[~rows["sample"].duplicated()]
    return [
        TbxImage(name, f"images/{name}.png", source, target == "tb", tuple(boxes[name]))
        for name, source, target in zip(first["sample"], first["source"], first["target"], strict=True)
    ]


def _refuse_contradictions(rows: pd.DataFrame, path: Path) -> None:
    """Raise a DatasetError when an image has two labels or lists, or a row's cells contradict each other."""
    tuberculosis = rows["target"] == "tb"
    by_image = rows.groupby("sample")
    for column in ("target", "source"):
        differ = rows.index[by_image[column].transform("nunique") > 1]
        if len(differ):
            raise DatasetError(
                f"{path}, line {int(differ[0]) + 2}: '{rows['fname'][differ[0]]}' has two values of '{column}'",
                "the rows of an image differ, and which holds is undecidable",
                "use the file as published",
            )
    odd = rows.index[((rows["image_type"] == "tb") != tuberculosis) | ((rows["bbox"] != "none") & ~tuberculosis)]
    if len(odd):
        raise DatasetError(
            f"{path}, line {int(odd[0]) + 2}: target is '{rows['target'][odd[0]]}', image_type "
            f"'{rows['image_type'][odd[0]]}' and bbox {'none' if rows['bbox'][odd[0]] == 'none' else 'given'}",
            "they contradict each other: only images of tuberculosis have image_type 'tb', and only they have boxes",
            "use the file as published",
        )


def _read_box(text: str, frame: Frame, path: Path, line: int) -> Box:
    where = f"{path.name}, line {line}"
    try:
        box = ast.literal_eval(text)
        x, y, width, height = (float(box[key]) for key in ("xmin", "ymin", "width", "height"))
        if min(frame) < 1 or not (all(map(math.isfinite, (x, y))) and 0 < width < math.inf and 0 < height < math.inf):
            raise ValueError
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise DatasetError(
            f"{path}, line {line}: bbox cannot be read",
            "it must be none, or {'xmin': a, 'ymin': b, 'width': c, 'height': d} in an image with a size",
            "use the file as published",
        ) from None
    return Box(CLASSES[0], x, y, width, height, where, frame)


DATASET = Dataset(
    name="tbx11k",
    title="TBX11K",
    licence="TBX11K terms: non-commercial research",
    source="mmcheng.net/tb (full) or kaggle.com/datasets/vbookshelf/tbx11k-simplified",
    citation="Liu et al., Rethinking Computer-Aided Tuberculosis Diagnosis, CVPR 2020",
    size="8 400 labelled images, 3 GB",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="tbx11k",
    classes=CLASSES,
    read=read,
    mask_classes=CLASSES,
    overlaps=(
        Overlap("montgomery", "imgs/extra of the full form, which is not read", "the dataset's lists/all_*.txt"),
        Overlap("shenzhen", "imgs/extra of the full form, which is not read", "the dataset's lists/all_*.txt"),
    ),
    read_benchx_2024=read_benchx_2024,
)
