"""Shenzhen chest X-ray set (Jaeger et al., QIMS 2014; U.S. National Library of Medicine, Shenzhen No. 3 Hospital).

Layout: `ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png` (662; last digit 1 = tuberculosis),
`ChinaSet_AllFiles/ClinicalReadings/<name>.txt`; the root is `ChinaSet_AllFiles` or its parent. Lung masks are
published apart (Stirenko et al. 2018, Kaggle yoctoman/shcxr-lung-mask, 566 images): `mask/<name>_mask.png`, also
found as `masks/` or `mask/mask/`, in the root or in `ChinaSet_AllFiles`; without them nothing is outlined.

A reading begins `male 45yrs`, with variants that users of the set list: `Female, 30yrs`, `femal 32yrs`,
`female24yrs`, `male 16month`, `female 64days`, and `male 42` without a unit, of which no age is taken.

No patient id is published, so the unit of intervals is the image. BenchX does not have this dataset.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchx.datasets.folders import first_of
from benchx.datasets.readers.nlm_tuberculosis import (
    CLASSES,
    MASK_CLASSES,
    Files,
    build_samples,
    find_beside,
    find_files,
    parse_reading,
    read_text,
)
from benchx.datasets.regions import MaskFile, Region
from benchx.datasets.samples import Dataset, Overlap, Samples

_NAME = re.compile(r"CHNCXR_\d{4,}_[01]")
_READING = re.compile(r"\A\s*(?P<sex>fe(?=mal)|ma(?=le))[a-z]*[ \t,.]*(?P<age>\d+)?", re.IGNORECASE)
_MASKS = ("mask/mask", "mask", "masks")


def read(root: Path) -> Samples:
    """Read the set from its official files, with the lung masks where they are there.

    Raises:
        DatasetError: there is no image folder, or a file's name is not as published.
    """
    files = find_files(root, "ChinaSet_AllFiles", _NAME)
    readings = {name: parse_reading(read_text(root / path), _READING) for name, path in files.readings.items()}
    return build_samples("shenzhen", root, files, readings, _regions(root, files), None)


def _regions(root: Path, files: Files) -> dict[str, tuple[Region, ...]]:
    places = [f"{folder}{name}" for folder in dict.fromkeys((files.folder, "")) for name in _MASKS]
    masks = find_beside(root, first_of(root, places).relative_to(root).as_posix(), ".png")
    outlined = {stem.removesuffix("_mask"): path for stem, path in masks.items() if stem.endswith("_mask")}
    known = files.images.keys() | files.readings.keys()
    return {name: (MaskFile("Lung", path),) for name, path in outlined.items() if name in known}


DATASET = Dataset(
    name="shenzhen",
    title="Shenzhen chest X-ray set",
    licence="open, with citation (National Library of Medicine); lung masks CC BY-NC-SA 4.0",
    source="data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets",
    citation="Jaeger et al., Quantitative Imaging in Medicine and Surgery 2014",
    size="662 images, 3.7 GB",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="nlm-tuberculosis",
    classes=CLASSES,
    read=read,
    mask_classes=MASK_CLASSES,
    overlaps=(Overlap("tbx11k", "all images, in the folder imgs/extra of TBX11K", "Liu et al., CVPR 2020"),),
)
