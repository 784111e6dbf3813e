"""CheXpert (Irvin et al., AAAI 2019), in full or downsampled, read from the files as published.

Layout: the root is the folder `CheXpert-v1.0` or `CheXpert-v1.0-small` itself, with `train.csv`, `valid.csv`
and `train/patient00001/study1/view1_frontal.jpg`. `Path` begins with the name of that folder, whatever it is.

Split: `train.csv` is for training and the 234 expert-labelled images of `valid.csv` are the test set, as most
papers report. The hidden test set, published later with CheXlocalize, is not read. The source has no other
validation part; benchx takes one by patient hash from the training images (see `splits`).

Labels: the 14 observations with blanks as absent and -1 as uncertain (see `chexpert_labels`); `valid.csv` has
neither. View: `AP/PA` of a frontal image as published (17 of them say LL or RL), `LATERAL` for a lateral one.

BenchX's release has no reader for CheXpert, so nothing here differs from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, read_numbers, refuse_duplicates, refuse_others
from benchx.datasets.folders import find_paths, is_phantom, note_unlisted
from benchx.datasets.readers.chexpert_labels import OBSERVATIONS, Observed, read_observations
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CLASSES = OBSERVATIONS
LISTS = {"train": "train", "valid": "test"}
"""The part that each list, and the folder of its images, stands for."""

_REQUIRED = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)
_PATH = r"^[^/]+/(?P<image>{folder}/(?P<sample>(?P<study>(?P<patient>patient\d+)/study\d+)/[^/.]+)\.jpg)$"


class _Part(NamedTuple):
    table: pd.DataFrame
    observed: Observed


def read(root: Path) -> Samples:
    """Read CheXpert from its official files.

    Raises:
        DatasetError: a file, a column or both image folders are missing, a path is not of the published form, an
            image is listed twice, a value is not one of those published, or a patient stands in both lists.
    """
    parts = [_read_list(root, name) for name in LISTS]
    table = pd.concat([part.table for part in parts], ignore_index=True)
    _refuse_patients_in_both(parts, root)
    found = find_paths(root, tuple(LISTS), (".jpg",))
    there = table["image"].isin(found)
    return Samples(
        "chexpert",
        root,
        table,
        np.concatenate([part.observed.labels for part in parts]),
        CLASSES,
        tuple(table["sample"][~there]),
        is_phantom(root),
        note_unlisted(len(found) - there.sum(), "train.csv or valid.csv"),
        uncertain=np.concatenate([part.observed.uncertain for part in parts]),
    )


def _read_list(root: Path, name: str) -> _Part:
    path = root / f"{name}.csv"
    rows = read_csv(path, _REQUIRED)
    refuse_others(rows["Frontal/Lateral"], ("Frontal", "Lateral"), path)
    refuse_others(rows["Sex"], ("Male", "Female", "Unknown"), path)
    table = rows["Path"].str.extract(_PATH.format(folder=name))
    _refuse_other_paths(rows["Path"], table["image"].isna(), path, name)
    refuse_duplicates(table["sample"], path)
    table["view"] = rows["AP/PA"].where(rows["Frontal/Lateral"] == "Frontal", "LATERAL")
    table["sex"] = rows["Sex"].map({"Male": "M", "Female": "F"})
    table["age"] = read_numbers(rows["Age"], path)
    table["official"] = LISTS[name]
    return _Part(table, read_observations(rows, path))


def _refuse_other_paths(paths: pd.Series, wrong: pd.Series, path: Path, folder: str) -> None:
    lines = paths.index[wrong]
    if len(lines):
        value = paths[lines[0]]
        raise DatasetError(
            f"{path}, line {int(lines[0]) + 2}: Path is " + ("empty" if pd.isna(value) else f"'{value}'"),
            f"it must be of the form CheXpert-v1.0/{folder}/patient00001/study1/view1_frontal.jpg",
            "use the file as published",
        )


def _refuse_patients_in_both(parts: list[_Part], root: Path) -> None:
    train, valid = (part.table["patient"] for part in parts)
    both = valid[valid.isin(train.unique())]
    if len(both):
        raise DatasetError(
            f"{root / 'valid.csv'}, line {int(both.index[0]) + 2}: {both.iloc[0]} is also in train.csv",
            f"{both.nunique()} patients stand in both, and nobody may be trained and tested on",
            "use the two lists as published, of the same release",
        )


DATASET = Dataset(
    name="chexpert",
    title="CheXpert",
    licence="Stanford University Dataset Research Use Agreement: non-commercial research, no redistribution",
    source="stanfordmlgroup.github.io/competitions/chexpert (registration)",
    citation="Irvin et al., CheXpert, AAAI 2019",
    size="223 648 images, 440 GB (small: 11 GB)",
    tasks=("classification", "few_shot", "zero_shot"),
    family="chexpert",
    classes=CLASSES,
    read=read,
    access="registration",
)
