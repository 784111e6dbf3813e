"""Montgomery County chest X-ray set (Jaeger et al., QIMS 2014; U.S. National Library of Medicine).

Layout: `MontgomerySet/CXR_png/MCUCXR_0001_0.png` (138; last digit 1 = tuberculosis),
`MontgomerySet/ManualMask/{leftMask,rightMask}/<same name>` (1 bit), `MontgomerySet/ClinicalReadings/<name>.txt`;
the root is `MontgomerySet` or its parent.

A reading begins `Patient's Sex: F`, `Patient's Age: 027Y`; one sex is `O`. Each image is a patient of its own,
but where a reading says `same pt as MCUCXR_0113_1` the two are one patient (true of two readings; users of the set
add MCUCXR_0170_1 to the patient of MCUCXR_0162_1 by age and findings, which no file says and benchx does not do).

The lungs end at the heart and at the dome. `leftMask` is the lung on the left of the image, the patient's right
one (found by users of the set); both are united into one class, as in Shenzhen. BenchX does not have this dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

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
from benchx.errors import DatasetError

_NAME = re.compile(r"MCUCXR_\d{4,}_[01]")
_READING = re.compile(r"Sex:\s*(?P<sex>[MFO])?.*?Age:\s*(?P<age>\d+)?", re.I | re.S)
_SAME_PATIENT = re.compile(rf"same (?:pt|patient) as ({_NAME.pattern})", re.I)


def read(root: Path) -> Samples:
    """Read the set from its official files.

    Raises:
        DatasetError: there is no image folder, a file's name is not as published, or a lung of the two is missing.
    """
    files = find_files(root, "MontgomerySet", _NAME)
    texts = {name: read_text(root / path) for name, path in files.readings.items()}
    readings = {name: parse_reading(text, _READING) for name, text in texts.items()}
    return build_samples("montgomery", root, files, readings, _regions(root, files), _patients(files, texts))


def _patients(files: Files, texts: Mapping[str, str]) -> dict[str, str]:
    """Name the patient of every image by the first image that the readings say is of the same one."""
    patients = {name: name for name in sorted(files.images.keys() | files.readings.keys())}
    for name, text in sorted(texts.items()):
        found = _SAME_PATIENT.search(text)
        if found and found[1] in patients:
            kept, given_up = sorted((patients[found[1]], patients[name]))
            patients = {key: kept if patient == given_up else patient for key, patient in patients.items()}
    return patients


def _regions(root: Path, files: Files) -> dict[str, tuple[Region, ...]]:
    left, right = (find_beside(root, f"{files.folder}ManualMask/{side}Mask", ".png") for side in ("left", "right"))
    if alone := sorted(left.keys() ^ right.keys()):
        here = left.get(alone[0]) or right[alone[0]]
        raise DatasetError(
            f"{root / here} has no counterpart in ManualMask/leftMask or ManualMask/rightMask",
            f"both lungs of an image are outlined, and {len(alone)} images have one of them only",
            "download the masks again",
        )
    return {name: (MaskFile("Lung", left[name]), MaskFile("Lung", right[name])) for name in left}


DATASET = Dataset(
    name="montgomery",
    title="Montgomery County chest X-ray set",
    licence="open, with citation (National Library of Medicine)",
    source="data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets",
    citation="Jaeger et al., Quantitative Imaging in Medicine and Surgery 2014; Candemir et al., IEEE TMI 2014",
    size="138 images, 0.6 GB",
    tasks=("classification", "few_shot", "segmentation", "zero_shot"),
    family="nlm-tuberculosis",
    classes=CLASSES,
    read=read,
    mask_classes=MASK_CLASSES,
    overlaps=(Overlap("tbx11k", "all images, in the folder imgs/extra of TBX11K", "Liu et al., CVPR 2020"),),
)
