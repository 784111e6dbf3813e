"""RSNA Pneumonia Detection Challenge, stage 2 (Shih et al., Radiology: AI 2019), as published on Kaggle.

Layout: `stage_2_train_images/<patientId>.dcm`, `stage_2_train_labels.csv` (one row per box). The test
images of the challenge have no public labels and are not used. Despite its name, `patientId` identifies
an image: Kaggle publishes no patient.

The images are NIH ChestX-ray14's. RSNA publishes which is which in `pneumonia-challenge-dataset-mappings_2018.json`,
a list of objects with `subset_img_id` (the `patientId` here) and `img_id` (the NIH file, `00001234_005.png`); the
key names are those that public readers of the file use. Where it lies in the root, the patient is NIH's `Patient ID`
and splits and intervals go by patient; without it they go by image. BenchX does not use it: its lists
divide images, whoever the patient is.

Outlines: the boxes of `Target` 1; an image of `Target` 0 is known to have none. BenchX draws them as one mask too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, read_json, read_numbers, refuse_blanks, refuse_others
from benchx.datasets.folders import find_images, first_of, is_phantom
from benchx.datasets.regions import Box, Region
from benchx.datasets.samples import Dataset, Overlap, Samples
from benchx.errors import DatasetError

CLASSES = ("Pneumonia",)
TABLE = "stage_2_train_labels.csv"
FOLDER = "stage_2_train_images"
MAPPINGS = ("pneumonia-challenge-dataset-mappings_2018.json", "pneumonia-challenge-dataset-mappings-2018.json")

_BOX = ["x", "y", "width", "height"]


def read(root: Path) -> Samples:
    """Read the RSNA stage 2 training set; the label is `Target` (an opacity suspicious of pneumonia).

    Raises:
        DatasetError: a file, column or the image folder is missing; `Target` is not 0/1, differs between the
            rows of one image, or contradicts its box; a box is malformed; the mapping lacks images.
    """
    path = root / TABLE
    rows = read_csv(path, ("patientId", *_BOX, "Target"))
    refuse_blanks(rows, ("patientId",), path)
    refuse_others(rows["Target"], ("0", "1"), path)
    targets = rows.groupby("patientId", sort=False)["Target"]
    conflicting = targets.nunique()
    conflicting = conflicting[conflicting > 1]
    if len(conflicting):
        raise DatasetError(
            f"{path} gives {len(conflicting)} ids both Target 0 and 1, first '{conflicting.index[0]}'",
            "which label holds is undecidable",
            "use the file as published",
        )
    labels = targets.first()
    names = pd.Series(labels.index.to_numpy(dtype=object))
    present = find_images(root, (FOLDER,), (".dcm",))
    files = names + ".dcm"
    table = pd.DataFrame({"sample": names, "image": FOLDER + "/" + files, "official": ""})
    table["patient"], notes = _patients(root, names)
    for column in ("study", "view", "sex", "age"):
        table[column] = None
    if extra := len(present.keys() - set(files)):
        notes = (*notes, f"{extra} image files stand in no row of {TABLE} and are not used")
    return Samples(
        "rsna",
        root,
        table,
        labels.to_numpy().astype(np.float32)[:, None],
        CLASSES,
        tuple(names[~files.isin(present.keys())]),
        is_phantom(root),
        notes,
        publishes_split=False,
        regions=_regions(rows, path),
        mask_classes=CLASSES,
    )


def _regions(rows: pd.DataFrame, path: Path) -> dict[str, tuple[Region, ...]]:
    """Return the boxes of every image, none where `Target` is 0."""
    numbers = pd.DataFrame({name: read_numbers(rows[name], path) for name in _BOX})
    positive = rows["Target"] == "1"
    faults = {
        "Target 1 without a complete box": positive & numbers.isna().any(axis=1),
        "Target 0 with a box": ~positive & numbers.notna().any(axis=1),
        "a box without width or height": (numbers[["width", "height"]] <= 0).any(axis=1),
    }
    for what, wrong in faults.items():
        if wrong.any():
            raise DatasetError(
                f"{path}, line {int(wrong.to_numpy().argmax()) + 2}: {what}",
                f"{int(wrong.sum())} rows are so, and whether there is an opacity is undecidable",
                "use the file as published",
            )
    boxes: dict[str, list[Region]] = {name: [] for name in rows["patientId"].unique()}
    boxed = numbers[positive].assign(image=rows["patientId"], line=rows.index.to_series() + 2)
    for x, y, width, height, name, line in boxed.itertuples(index=False):
        boxes[name].append(Box(CLASSES[0], x, y, width, height, f"{TABLE}, line {line}"))
    return {name: tuple(outlined) for name, outlined in boxes.items()}


def _patients(root: Path, names: pd.Series) -> tuple[pd.Series | None, tuple[str, ...]]:
    """Return the NIH patient of every image, or None and a note where the mapping is not there."""
    path = first_of(root, MAPPINGS)
    if not path.is_file():
        return None, (f"{path.name} is not there; with it patients are known, and splits and intervals go by patient",)
    patients = names.map(_read_mapping(path))
    unmapped = names[patients.isna()]
    if len(unmapped):
        raise DatasetError(
            f"{path} lacks {len(unmapped)} of {len(names)} images, first '{unmapped.iloc[0]}'",
            "splits go by patient only if the patient of every image is known",
            "use the file as published by RSNA, or remove it to go by image",
        )
    return patients, ()


def _read_mapping(path: Path) -> dict[str, str]:
    """Return the NIH patient by RSNA image id."""
    entries = read_json(path)
    patients: dict[str, str] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], start=1):
        try:
            image, patient = str(entry["subset_img_id"]), str(int(entry["img_id"].split("_")[0]))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DatasetError(
                f"{path}, entry {number}: subset_img_id and img_id are not given as expected",
                "expected a list of objects such as {'subset_img_id': '0004cfab-...', 'img_id': '00001234_005.png'}",
                "use the file as published by RSNA",
            ) from error
        if patients.setdefault(image, patient) != patient:
            raise DatasetError(
                f"{path}, entry {number}: '{image}' is of patient {patient} here and {patients[image]} before",
                "an image has one patient",
                "use the file as published by RSNA",
            )
    return patients


DATASET = Dataset(
    name="rsna",
    title="RSNA Pneumonia Detection Challenge (stage 2)",
    licence="RSNA challenge terms: non-commercial research, no redistribution",
    source="kaggle.com/c/rsna-pneumonia-detection-challenge",
    citation="Shih et al., Radiology: Artificial Intelligence 2019",
    size="26 684 images, 4 GB",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="nih",
    classes=CLASSES,
    read=read,
    access="registration",
    mask_classes=CLASSES,
    overlaps=(Overlap("nih", "all images", "Shih et al., Radiology: Artificial Intelligence 2019"),),
)
