"""NIH ChestX-ray14 (Wang et al., CVPR 2017), read from the files as published.

Layout: `images/*.png` or `images_001/images/*.png` ... `images_012/images/*.png`,
`Data_Entry_2017_v2020.csv` (or the older `Data_Entry_2017.csv`), `train_val_list.txt`, `test_list.txt`.
The published lists have no validation part; benchx takes one by patient hash (see `splits`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import find_images, is_phantom, read_csv, read_list, refuse_blanks, refuse_duplicates
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

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
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


def read(root: Path) -> Samples:
    """Read NIH ChestX-ray14 from its official files.

    Raises:
        DatasetError: a file, column or image folder is missing, an image id is listed twice, a label is
            not one of the 14 classes, or an image stands in both official lists.
    """
    path = next((root / name for name in TABLES if (root / name).is_file()), root / TABLES[0])
    entries = read_csv(path, _REQUIRED)
    refuse_blanks(entries, ("Image Index", "Patient ID", "Follow-up #"), path)
    refuse_duplicates(entries["Image Index"], path)
    found = find_images(root, ("images", "images_[0-9][0-9][0-9]/images"), (".png",))
    names = entries["Image Index"]
    patients = entries["Patient ID"]
    table = pd.DataFrame(
        {
            "sample": names,
            "patient": patients,
            "study": patients + "_" + entries["Follow-up #"],
            "view": entries["View Position"],
            "sex": entries["Patient Gender"],
            "age": pd.to_numeric(entries["Patient Age"].str.rstrip("Y"), errors="coerce"),
            "image": [found.get(name, f"images/{name}") for name in names],
        }
    )
    table["official"], notes = _official(root, names)
    missing = tuple(names[~names.isin(found.keys())])
    return Samples(
        "nih",
        root,
        table,
        _labels(entries["Finding Labels"], path),
        CLASSES,
        missing,
        is_phantom(root),
        notes,
    )


def _labels(findings: pd.Series, path: Path) -> np.ndarray:
    """Turn `A|B` strings into a 0/1 matrix, float32 [N, 14]."""
    codes, texts = pd.factorize(findings.fillna(""))
    rows = np.zeros((len(texts), len(CLASSES)), np.float32)
    for row, text in enumerate(texts):
        for name in text.split("|"):
            if name == "No Finding":
                continue
            if name not in CLASSES:
                line = int(np.argmax(codes == row)) + 2
                raise DatasetError(
                    f"{path}, line {line}: label '{name}' is not in the class list",
                    f"the 14 classes are {', '.join(CLASSES)}, or 'No Finding'",
                    "use the file as published",
                )
            rows[row, CLASSES.index(name)] = 1
    return rows[codes]


def _official(root: Path, names: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Return the published split of every image, and notes."""
    split = pd.Series("", index=names.index, dtype=object)
    notes = []
    known = set(names)
    for file, part in LISTS.items():
        if not (root / file).is_file():
            notes.append(f"{file} is not there, so the official split is not known")
            continue
        listed = set(read_list(root / file))
        inside = names.isin(listed)
        both = names[inside & (split != "")]
        if len(both):
            raise DatasetError(
                f"{len(both)} images stand in both test_list.txt and train_val_list.txt, first '{both.iloc[0]}'",
                "an image cannot be trained on and tested on",
                "use the two lists as published",
            )
        split[inside] = part
        if absent := len(listed - known):
            notes.append(f"{file} names {absent} images that the CSV does not hold")
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
    tasks=("classification",),
    family="nih",
    classes=CLASSES,
    read=read,
)
