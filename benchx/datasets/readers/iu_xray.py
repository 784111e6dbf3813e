"""IU X-Ray, the Indiana University chest X-ray collection (Demner-Fushman et al., JAMIA 2016), in both its forms.

R2Gen's form (Chen et al., EMNLP 2020): `annotation.json` and `images/CXR2384_IM-0942/0.png`. It holds the 2 955
studies that have two images and findings, with a published split of 2 069 / 296 / 590; its `report` is the findings.
Which of the two images is frontal is not said, so the view is unknown.

Open-i's form: see `open_i`. It is read where there is no `annotation.json`.

Neither form publishes a patient id. The paper counts as many patients as reports (3 996), so that a study stands
for a patient; the unit is the study. Neither has labels.

Differences from BenchX: BenchX reads a CSV that it makes from the same JSON, its configurations name the validation
part `valid` where the file says `val` (so theirs is empty), and it counts the two images of a study as one sample;
here an image is a sample, and the images of a study share its report.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.files import read_json, shown
from benchx.datasets.folders import find_paths, is_phantom, note_unlisted
from benchx.datasets.readers import open_i
from benchx.datasets.samples import Dataset, Report, Samples
from benchx.errors import DatasetError

TABLE = "annotation.json"
IMAGES = "images"
PARTS = ("train", "val", "test")
_IMAGE_PATH = re.compile(r"[\w-]+(?:/[\w-]+)*\.(?:png|jpg)")


def read(root: Path) -> Samples:
    """Read IU X-Ray in R2Gen's form, or in Open-i's where there is no `annotation.json`.

    Raises:
        DatasetError: neither form is there, the image folder is missing, a file is malformed or lists no study,
            or a study or an image is listed twice.
    """
    if (root / TABLE).is_file():
        return _read_r2gen(root)
    if (root / open_i.REPORTS).is_dir():
        return open_i.read(root)
    raise DatasetError(
        f"neither {TABLE} nor {open_i.REPORTS}/ is in {root}",
        "IU X-Ray is read in R2Gen's form, which has the first, or in Open-i's, which has the second",
        "point --root iu-xray=DIR at the folder that holds one of them",
    )


def _read_r2gen(root: Path) -> Samples:
    path = root / TABLE
    rows: list[tuple[str, str, str, str]] = []
    reports: dict[str, Report] = {}
    studies: dict[str, str] = {}
    for part, number, entry in _entries(path):
        where = f"{path}, {part} entry {number}"
        _check(entry, part, where)
        study = entry["id"]
        if study in studies:
            raise DatasetError(
                f"{where}: id '{shown(study)}' is already listed as {studies[study]}",
                "a study that is listed twice may be trained and tested on",
                "use the file as published",
            )
        studies[study] = f"{part} entry {number}"
        report = Report(findings=entry["report"].strip() or None)
        for image in entry["image_path"]:
            sample = image.rsplit(".", 1)[0]
            if sample in reports:
                raise DatasetError(
                    f"{where}: image '{shown(sample)}' is listed twice",
                    "which report belongs to it is undecidable",
                    "use the file as published",
                )
            reports[sample] = report
            rows.append((sample, study, f"{IMAGES}/{image}", part))
    table = pd.DataFrame(rows, columns=["sample", "study", "image", "official"])
    for column in ("patient", "view", "sex", "age"):
        table[column] = None
    found = find_paths(root, (IMAGES,), (".png", ".jpg"))
    there = table["image"].isin(found)
    return Samples(
        "iu-xray",
        root,
        table,
        np.empty((len(table), 0), np.float32),
        (),
        tuple(table["sample"][~there]),
        is_phantom(root),
        note_unlisted(len(found) - there.sum(), TABLE),
        reports=reports,
    )


def _entries(path: Path) -> list[tuple[str, int, Any]]:
    """Return (part, number from 1, entry) of every study listed."""
    content = read_json(path)
    keys = sorted(content) if isinstance(content, dict) else []
    if keys != sorted(PARTS) or not all(isinstance(content[key], list) for key in keys):
        found = ", ".join(repr(shown(key)) for key in keys) if keys else "no keys"
        raise DatasetError(
            f"{path} has the keys {found}",
            f"it must have the keys {', '.join(map(repr, PARTS))}, each with a list of studies",
            "use R2Gen's file as published; if one key was renamed, rename it back",
        )
    if not any(content.values()):
        raise DatasetError(f"{path} lists no studies", "its three parts are empty", "download the file again")
    return [(part, number, entry) for part in PARTS for number, entry in enumerate(content[part], start=1)]


def _check(entry: Any, part: str, where: str) -> None:
    """Raise a DatasetError when an entry is not of the published form."""
    keys = ("id", "report", "image_path")
    lacking = [key for key in keys if not isinstance(entry, dict) or key not in entry]
    if lacking:
        found = ", ".join(repr(shown(key)) for key in entry) if isinstance(entry, dict) else "no keys"
        raise DatasetError(
            f"{where} has no {', '.join(map(repr, lacking))}", f"found: {found}", "use the file as published"
        )
    images = entry["image_path"]
    if not isinstance(entry["id"], str) or not isinstance(entry["report"], str):
        raise DatasetError(f"{where}: id and report must be texts", "one of them is not", "use the file as published")
    if not isinstance(images, list) or not images:
        raise DatasetError(f"{where}: image_path must be a list of paths", "it is none", "use the file as published")
    for image in images:
        if not isinstance(image, str) or not _IMAGE_PATH.fullmatch(image):
            raise DatasetError(
                f"{where}: '{shown(image)}' is no image path",
                f"it must lead to a .png or .jpg file under {IMAGES}/, such as CXR2384_IM-0942/0.png",
                "use the file as published",
            )
    if entry.get("split", part) != part:
        raise DatasetError(
            f"{where} says split '{shown(entry['split'])}'",
            f"it is listed under '{part}'; which holds is undecidable",
            "use the file as published",
        )


DATASET = Dataset(
    name="iu-xray",
    title="IU X-Ray (Indiana University chest X-rays)",
    licence="CC BY-NC-ND 4.0",
    source="openi.nlm.nih.gov (Open-i), or the copy that R2Gen links to",
    citation="Demner-Fushman et al., JAMIA 2016; split of Chen et al., R2Gen, EMNLP 2020",
    size="5 910 images of 2 955 studies, 1 GB (Open-i: 7 470 images, 14 GB)",
    tasks=("report_generation", "retrieval"),
    family="openi",
    classes=(),
    read=read,
)
