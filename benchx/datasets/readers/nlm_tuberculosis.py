"""What the two tuberculosis sets of the U.S. National Library of Medicine have in common (Jaeger et al., QIMS 2014).

`CXR_png/<name>.png` and `ClinicalReadings/<name>.txt`, in a folder of the set or in its parent. The last digit of
a name is the label: 0 normal, 1 manifestations of tuberculosis. A reading gives sex and age and goes on with free
text, of which nothing is kept. Neither set publishes a split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.folders import by_stem, find_images, is_phantom
from benchx.datasets.regions import Region
from benchx.datasets.samples import Samples
from benchx.errors import DatasetError

CLASSES = ("Tuberculosis",)
MASK_CLASSES = ("Lung",)
_UNIT = re.compile(r"[ \t]*(y(?:ea)?rs?|m(?:on)?ths?|d(?:ays?)?|[ymd])\b", re.IGNORECASE)
_IN_YEAR = {"y": 1.0, "m": 12.0, "d": 365.25}


@dataclass(frozen=True)
class Reading:
    """Who a reading says the patient is: `M`, `F` or `O` (as published), and years; None where it does not say."""

    sex: str | None
    age: float | None


def parse_reading(text: str, pattern: re.Pattern[str]) -> Reading:
    """Read sex and age from a reading.

    Args:
        pattern: has the groups `sex` and `age`. The word that follows the age on its line is its unit: years,
            months or days, whole or cut short (`yrs`, `y`). An age without a unit is not taken for years.
    """
    found = pattern.search(text)
    if found is None:
        return Reading(None, None)
    sex, age = found["sex"], found["age"]
    unit = _UNIT.match(text, found.end("age")) if age else None
    years = int(age) / _IN_YEAR[unit[1][0].lower()] if unit else None
    return Reading(sex[0].upper() if sex else None, years)


@dataclass(frozen=True)
class Files:
    """What is on disk of a set; names without suffix to paths relative to the root.

    Attributes:
        folder: of the set, relative to the root, with its slash; empty where the root is it.
    """

    folder: str
    images: Mapping[str, str]
    readings: Mapping[str, str]


def find_files(root: Path, folder: str, pattern: re.Pattern[str]) -> Files:
    """Find images and readings.

    Args:
        folder: of the set, where the root is its parent.
        pattern: of names without suffix.

    Raises:
        DatasetError: there is no image folder, or a file's name is not as published.
    """
    images = by_stem(find_images(root, ("CXR_png", f"{folder}/CXR_png"), (".png",)))
    inside = "" if (root / "CXR_png").is_dir() else f"{folder}/"
    readings = find_beside(root, f"{inside}ClinicalReadings", ".txt")
    for stem, path in (*images.items(), *readings.items()):
        if not pattern.fullmatch(stem):
            raise DatasetError(
                f"{root / path}: the name is not one of this dataset",
                f"names match {pattern.pattern}, and their last digit is the label: 0 normal, 1 tuberculosis",
                "use the files as published, under their names",
            )
    return Files(inside, images, readings)


def find_beside(root: Path, folder: str, suffix: str) -> dict[str, str]:
    """Map names without suffix to paths relative to the root, for a folder that may be absent."""
    return by_stem(find_images(root, (folder,), (suffix,))) if (root / folder).is_dir() else {}


def read_text(path: Path) -> str:
    """Read a reading; bytes that are no UTF-8 are replaced, as only its plain parts are used."""
    return path.read_bytes().decode("utf-8-sig", "replace")


def build_samples(
    dataset: str,
    root: Path,
    files: Files,
    readings: Mapping[str, Reading],
    regions: Mapping[str, tuple[Region, ...]],
    patients: Mapping[str, str] | None,
) -> Samples:
    """Make one sample per image, and per reading whose image is not on disk.

    Args:
        readings: by name, of the images that have one.
        regions: by name, of the images that are outlined.
        patients: by name, where they are known.
    """
    names = sorted(files.images.keys() | files.readings.keys())
    who = [readings.get(name, Reading(None, None)) for name in names]
    table = pd.DataFrame(
        {
            "sample": names,
            "patient": [patients[name] for name in names] if patients else None,
            "study": None,
            "view": None,
            "sex": [reading.sex for reading in who],
            "age": [reading.age for reading in who],
            "image": [files.images.get(name, f"{files.folder}CXR_png/{name}.png") for name in names],
            "official": "",
        }
    )
    return Samples(
        dataset,
        root,
        table,
        np.array([[name.endswith("_1")] for name in names], np.float32),
        CLASSES,
        tuple(name for name in names if name not in files.images),
        is_phantom(root),
        _notes(names, readings),
        publishes_split=False,
        regions=regions,
        mask_classes=MASK_CLASSES,
    )


def _notes(names: list[str], readings: Mapping[str, Reading]) -> tuple[str, ...]:
    counts = (
        (len(names) - len(readings), "images have no reading, so sex and age are not known"),
        (sum(reading.sex is None for reading in readings.values()), "readings give no sex that can be read"),
        (sum(reading.age is None for reading in readings.values()), "readings give no age that can be read"),
    )
    return tuple(f"{count} {what}" for count, what in counts if count)
