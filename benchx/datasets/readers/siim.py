"""SIIM-ACR Pneumothorax Segmentation Challenge (Kaggle 2019), in either of the two forms in which it is passed on.

As DICOM, the challenge's own form: `train-rle.csv` (or one of `TABLES`: the second stage's table, or the name under
which torchxrayvision ships it) with `ImageId` and ` EncodedPixels` (with a leading blank), and
`dicom-images-train/<study>/<series>/<ImageId>.dcm`. `-1` says that there is no pneumothorax; else the cell is a mask
as relative run lengths (see `run_lengths`) over 1024 x 1024 pixels. The rows of one image are united; the same row
twice counts once; `-1` beside a mask is an error. The second stage's table is said to cover the first stage's test
images in `dicom-images-test`, too (not seen in a file). Without it those have no labels and are not used, nor are the
second stage's own test images (`stage_2_images`). So no split is published with this form.

As PNG, the form that BenchX uses (Kaggle, vbookshelf): `png_images/*.png`, `png_masks/*.png` of the same names
`<n>_<train|test>_<0|1>_.png`, and `stage_1_train_images.csv`, `stage_1_test_images.csv` with `new_filename` and
`has_pneumo`. The two tables are the official split. The columns were not seen in a file, only in code that reads them.

The images are a part of NIH ChestX-ray14. No patient is published: in the DICOM files `PatientID` names the image. The
study folders are not used, since no table names them: the split must not hang on where the files lie.

Differences from BenchX:
 - ids: BenchX's lists use the PNG names, so they fit the PNG form only.
 - masks: BenchX shrinks them with a Lanczos filter and keeps values above 128; here run lengths are exact, and mask
   files are stretched by nearest neighbour and count from 128.
 - validation: BenchX takes 1372 images of the training table at random; here a hash does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, refuse_blanks, refuse_duplicates, refuse_others
from benchx.datasets.folders import by_stem, find_images, first_of, is_phantom
from benchx.datasets.readers.run_lengths import read_relative_runs
from benchx.datasets.regions import MaskFile, Region
from benchx.datasets.samples import Dataset, Overlap, Samples
from benchx.errors import DatasetError

CLASSES = ("Pneumothorax",)
FRAME = (1024, 1024)
"""Height and width that the run lengths refer to."""

TABLES = (
    "train-rle.csv",
    "stage_2_train.csv",
    "siim-pneumothorax-train-rle.csv",
    "siim-pneumothorax-train-rle.csv.gz",
)
FOLDERS = ("dicom-images-train", "dicom-images-test")
PNG_TABLES = {"stage_1_train_images.csv": "train", "stage_1_test_images.csv": "test"}


def read(root: Path) -> Samples:
    """Read the challenge's images and masks, in the form that is there.

    Raises:
        DatasetError: both forms are there; a table, column or image folder is missing; a label is not 0 or 1 or an
            image has two; or a row's run lengths are malformed or leave the image.
    """
    table = first_of(root, TABLES)
    as_png = any((root / name).is_file() for name in PNG_TABLES)
    if as_png and table.is_file():
        raise DatasetError(
            f"{root} holds both {table.name} and {' or '.join(PNG_TABLES)}",
            "they are two forms of this dataset with different image names, and which is meant cannot be told",
            "keep one form per folder",
        )
    return _read_png(root) if as_png else _read_dicom(root, table)


def _read_dicom(root: Path, path: Path) -> Samples:
    rows = read_csv(path, ("ImageId", "EncodedPixels"))
    refuse_blanks(rows, ("ImageId", "EncodedPixels"), path)
    rows = rows[["ImageId", "EncodedPixels"]].apply(lambda column: column.str.strip())
    _refuse_contradiction(rows, path)
    masked = rows["EncodedPixels"] != "-1"
    present = masked.groupby(rows["ImageId"], sort=False).any()
    outlines: dict[str, list[Region]] = {name: [] for name in present.index}
    for line, name, text in rows[masked].drop_duplicates().itertuples():
        where = f"{path.name}, line {line + 2}"
        outlines[name].append(read_relative_runs(text, CLASSES[0], FRAME, root, where))
    found = by_stem(find_images(root, FOLDERS, (".dcm",), deep=True))
    names = pd.Series(present.index.to_numpy(dtype=object))
    images = [found.get(name, f"{FOLDERS[0]}/{name}.dcm") for name in names]
    table = pd.DataFrame({"sample": names, "image": images})
    return _samples(root, table, present.to_numpy(), found, {name: tuple(r) for name, r in outlines.items()}, ())


def _refuse_contradiction(rows: pd.DataFrame, path: Path) -> None:
    """Raise a DatasetError when an image has a mask and is said to have none."""
    kinds = (rows["EncodedPixels"] == "-1").groupby(rows["ImageId"]).transform("nunique")
    if (kinds > 1).any():
        first = rows["ImageId"][kinds > 1].iloc[0]
        lines = ", ".join(str(row + 2) for row in rows.index[rows["ImageId"] == first])
        raise DatasetError(
            f"{path}, lines {lines}: '{first}' has a mask and is said to have none (-1)",
            "which label holds is undecidable",
            "use the file as published",
        )


def _read_png(root: Path) -> Samples:
    tables, notes = [], []
    for file, part in PNG_TABLES.items():
        path = root / file
        if not path.is_file():
            notes.append(f"{file} is not there, so the official split is not known")
            continue
        rows = read_csv(path, ("new_filename", "has_pneumo"))
        refuse_blanks(rows, ("new_filename",), path)
        refuse_others(rows["has_pneumo"], ("0", "1"), path)
        names = rows["new_filename"].str.removesuffix(".png")
        refuse_duplicates(names, path)
        _refuse_other_name(names, part, rows["has_pneumo"], path)
        tables.append(pd.DataFrame({"sample": names, "has_pneumo": rows["has_pneumo"], "official": part}))
    rows = pd.concat(tables, ignore_index=True)
    names = rows["sample"]
    if names.duplicated().any():
        raise DatasetError(
            f"'{names[names.duplicated()].iloc[0]}' stands in both {' and '.join(PNG_TABLES)} of {root}",
            "an image cannot be trained on and tested on",
            "use the two tables as published",
        )
    found = by_stem(find_images(root, ("png_images",), (".png",)))
    masks = by_stem(find_images(root, ("png_masks",), (".png",)))
    regions: dict[str, tuple[Region, ...]] = {
        name: (MaskFile(CLASSES[0], masks[name]),) for name in names if name in masks
    }
    if lacking := len(names) - len(regions):
        notes.append(f"{lacking} images have no file in png_masks, so their outlines are not known")
    images = [found.get(name, f"png_images/{name}.png") for name in names]
    table = pd.DataFrame({"sample": names, "image": images, "official": rows["official"]})
    return _samples(root, table, (rows["has_pneumo"] == "1").to_numpy(), found, regions, tuple(notes))


def _refuse_other_name(names: pd.Series, part: str, present: pd.Series, path: Path) -> None:
    """Raise a DatasetError when a name `<n>_<part>_<0|1>_` says another part or label than its row."""
    said = names.str.extract(r"^\d+_(?P<part>train|test)_(?P<present>[01])_$")
    wrong = names.index[said["part"].notna() & ((said["part"] != part) | (said["present"] != present))]
    if len(wrong):
        raise DatasetError(
            f"{path}, line {int(wrong[0]) + 2}: '{names[wrong[0]]}' stands in the {part} table with has_pneumo "
            f"{present[wrong[0]]}",
            "its name says another part or label",
            "use the file as published",
        )


def _samples(
    root: Path,
    table: pd.DataFrame,
    present: np.ndarray,
    found: dict[str, str],
    regions: dict[str, tuple[Region, ...]],
    notes: tuple[str, ...],
) -> Samples:
    publishes_split = "official" in table
    table = table.assign(**{name: None for name in ("patient", "study", "view", "sex", "age")})
    if not publishes_split:
        table["official"] = ""
    if unlisted := len(found.keys() - set(table["sample"])):
        notes += (f"{unlisted} images on disk are in no table and are not used",)
    return Samples(
        "siim",
        root,
        table,
        present.astype(np.float32)[:, None],
        CLASSES,
        tuple(table["sample"][~table["sample"].isin(found.keys())]),
        is_phantom(root),
        notes,
        publishes_split=publishes_split,
        regions=regions,
        mask_classes=CLASSES,
    )


DATASET = Dataset(
    name="siim",
    title="SIIM-ACR Pneumothorax Segmentation",
    licence="SIIM-ACR challenge terms: non-commercial research",
    source="kaggle.com/c/siim-acr-pneumothorax-segmentation",
    citation="Society for Imaging Informatics in Medicine, SIIM-ACR Pneumothorax Segmentation, Kaggle 2019",
    size="12 047 images, 1.5 GB",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="nih",
    classes=CLASSES,
    read=read,
    access="registration",
    mask_classes=CLASSES,
    overlaps=(Overlap("nih", "every image", "the challenge's description: a subset of NIH ChestX-ray14"),),
)
