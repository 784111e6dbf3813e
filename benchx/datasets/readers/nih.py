"""NIH ChestX-ray14 (Wang et al., CVPR 2017), read from the files as published.

Layout: `images/*.png` or `images_001/images/*.png` ... `images_012/images/*.png`,
`Data_Entry_2017_v2020.csv` (or the older `Data_Entry_2017.csv`), `train_val_list.txt`, `test_list.txt`, and
`BBox_List_2017.csv` where wanted. The published lists have no validation part; benchx takes one by patient hash
(see `splits`), where BenchX uses the lists of MRM, which are not the official ones.

Outlines: 984 boxes of eight findings on 880 images, in pixels of the published 1024 x 1024 PNGs; an image of
another size is taken as those stretched. The other images were not boxed, so nothing is known of where their
findings lie, and the dataset serves no segmentation task. BenchX uses no boxes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import (
    read_csv,
    read_list,
    read_numbers,
    refuse_blanks,
    refuse_duplicates,
    refuse_others,
    refuse_unknown,
)
from benchx.datasets.folders import find_images, is_phantom
from benchx.datasets.regions import Box, Region, refuse_fault
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
"""The 14 findings in alphabetical order; `No Finding` means none of them."""

MASK_CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
)
"""The findings that were boxed; the table of boxes calls `Infiltration` `Infiltrate`."""

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOXES = "BBox_List_2017.csv"
LISTS = {"test_list.txt": "test", "train_val_list.txt": "train"}
_REQUIRED = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)
_CORNER_AND_SIZE = ["Bbox [x", "y", "w", "h]"]
"""The header holds commas in brackets, so that a CSV reader sees four columns."""

_BOX_FRAME = (1024, 1024)
_OLDEST = 120


def read(root: Path) -> Samples:
    """Read NIH ChestX-ray14 from its official files.

    Raises:
        DatasetError: a file, column or image folder is missing, an image id is listed twice, a label is
            not one of the 14 classes, an image stands in both official lists, a list or the table of boxes names
            an unknown image, or a box is malformed.
    """
    path = next((root / name for name in TABLES if (root / name).is_file()), root / TABLES[0])
    entries = read_csv(path, _REQUIRED)
    refuse_blanks(entries, ("Image Index", "Patient ID", "Follow-up #"), path)
    refuse_duplicates(entries["Image Index"], path)
    found = find_images(root, ("images", "images_[0-9][0-9][0-9]/images"), (".png",))
    names = entries["Image Index"].astype(object)
    patients = entries["Patient ID"]
    table = pd.DataFrame(
        {
            "sample": names,
            "patient": patients,
            "study": patients + "_" + entries["Follow-up #"],
            "view": entries["View Position"],
            "sex": entries["Patient Gender"],
            "age": _ages(entries["Patient Age"], path),
            "image": [found.get(name, f"images/{name}") for name in names],
        }
    )
    table["official"], notes = _official(root, names)
    missing = tuple(names[~names.isin(found.keys())])
    if extra := len(found.keys() - set(names)):
        notes = (*notes, f"{extra} image files stand in no row of {path.name} and are not used")
    return Samples(
        "nih",
        root,
        table,
        _labels(entries["Finding Labels"], path),
        CLASSES,
        missing,
        is_phantom(root),
        notes,
        regions=_regions(root, names),
        mask_classes=MASK_CLASSES,
    )


def _ages(texts: pd.Series, path: Path) -> pd.Series:
    """Return ages in years: `58`, or in the older table `058Y`, `013M`, `005D`; over 120 is a slip, and unknown."""
    parts = texts.str.extract(r"^(?P<number>\d+)(?P<unit>[YMD]?)$")
    wrong = texts.index[texts.notna() & parts["number"].isna()]
    if len(wrong):
        raise DatasetError(
            f"{path}, line {int(wrong[0]) + 2}: Patient Age is '{texts[wrong[0]]}'",
            "it must be a number, of years or with Y, M or D",
            "use the file as published",
        )
    years = parts["number"].astype(float) / parts["unit"].map({"": 1, "Y": 1, "M": 12, "D": 365.25}).astype(float)
    return years.where(years <= _OLDEST)


def _regions(root: Path, names: pd.Series) -> dict[str, tuple[Region, ...]]:
    """Return the boxes of the boxed images: none where the table of boxes is not there or has its header only."""
    path = root / BOXES
    if not path.is_file() or len(read_list(path)) == 1:
        return {}
    rows = read_csv(path, ("Image Index", "Finding Label", *_CORNER_AND_SIZE))
    finding = rows["Finding Label"].replace({"Infiltrate": "Infiltration"})
    refuse_others(finding, MASK_CLASSES, path)
    refuse_blanks(rows, _CORNER_AND_SIZE, path)
    unknown = rows.index[~rows["Image Index"].isin(names)]
    if len(unknown):
        raise DatasetError(
            f"{path}, line {int(unknown[0]) + 2}: '{rows['Image Index'][unknown[0]]}' is not in the table of images",
            f"{len(unknown)} of {len(rows)} boxes are so, so the two tables belong to different releases",
            "use both as published",
        )
    values = np.column_stack([read_numbers(rows[column], path) for column in _CORNER_AND_SIZE]).tolist()
    boxes: dict[str, list[Region]] = {name: [] for name in rows["Image Index"].unique()}
    for line, (name, label, box) in enumerate(zip(rows["Image Index"], finding, values, strict=True), start=2):
        x, y, width, height = box
        region = Box(label, x, y, width, height, f"{BOXES}, line {line}", _BOX_FRAME)
        refuse_fault(region, *_BOX_FRAME, root)
        boxes[name].append(region)
    return {name: tuple(outlined) for name, outlined in boxes.items()}


def _labels(findings: pd.Series, path: Path) -> np.ndarray:
    """Turn `A|B` strings into a 0/1 matrix, float32 [N, 14]."""
    codes, texts = pd.factorize(findings.fillna(""))
    rows = np.zeros((len(texts), len(CLASSES)), np.float32)
    for row, text in enumerate(texts):
        if text == "No Finding":
            continue
        for name in text.split("|"):
            if name not in CLASSES:
                line = int(np.argmax(codes == row)) + 2
                raise DatasetError(
                    f"{path}, line {line}: label '{name}' is not in the class list",
                    f"the 14 classes are {', '.join(CLASSES)}; 'No Finding' stands alone",
                    "use the file as published",
                )
            rows[row, CLASSES.index(name)] = 1
    return rows[codes]


def _official(root: Path, names: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Return the published split of every image, and notes."""
    split = pd.Series("", index=names.index, dtype=object)
    notes = []
    for file, part in LISTS.items():
        if not (root / file).is_file():
            notes.append(f"{file} is not there, so the official split is not known")
            continue
        listed = read_list(root / file)
        refuse_unknown(listed, names, root / file, "the table of images")
        inside = names.isin(listed)
        both = names[inside & (split != "")]
        if len(both):
            raise DatasetError(
                f"{len(both)} images stand in both test_list.txt and train_val_list.txt, first '{both.iloc[0]}'",
                "an image cannot be trained on and tested on",
                "use the two lists as published",
            )
        split[inside] = part
    if not any("is not there" in note for note in notes) and (unlisted := int((split == "").sum())):
        notes.append(f"{unlisted} images of the CSV stand in neither official list and are not used")
    return split, tuple(notes)


DATASET = Dataset(
    name="nih",
    title="NIH ChestX-ray14",
    licence="unrestricted use with citation (NIH Clinical Center)",
    source="nihcc.app.box.com/v/ChestXray-NIHCC",
    citation="Wang et al., ChestX-ray8, CVPR 2017",
    size="112 120 images, 45 GB",
    tasks=("classification", "few_shot", "zero_shot"),
    family="nih",
    classes=CLASSES,
    read=read,
    mask_classes=MASK_CLASSES,
)
