"""COVIDx CXR-4 (Wang et al., COVID-Net, Scientific Reports 2020; Kaggle andyczhao/covidx-cxr2, version 9).

Layout: `train/`, `val/`, `test/` with PNG and JPEG files, and `train.txt`, `val.txt`, `test.txt`: one line per
image, no header, separated by spaces: patient id, file name, class (positive or negative), source.

A sample's id is `<part>/<file name>`, as one name may stand in two parts. Patient ids are unique within a source
only (the source cohen counts from 1), so the patient is `<source>/<patient id>`. The source rsna publishes no
patients: its ids name images, so that each of its images counts as a patient of its own, and a note says how many.

Where `read` differs from BenchX (its `preprocess_covidx.py`):
 - the first line of each list counts; BenchX takes it for a header and loses three images (84 815 of 84 818);
 - file names are kept whole; BenchX cuts them at the first dot, so that different images get one name
   (`train/DX.png` stands for 89) and overwrite each other on disk while each line keeps its own label.
`read_benchx_2024` repeats both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_list
from benchx.datasets.folders import find_images, is_phantom
from benchx.datasets.samples import Dataset, Overlap, Samples
from benchx.errors import DatasetError

CLASSES = ("COVID-19",)
PARTS = ("train", "val", "test")
SUFFIXES = (".png", ".jpg", ".jpeg")
_LINE = r"^(?P<patient>\S+) +(?P<file>\S.*?) +(?P<kind>\S+) +(?P<source>\S+)$"
_VALUES = {"negative": 0, "positive": 1}


def read(root: Path) -> Samples:
    """Read COVIDx CXR-4 from its official files.

    Raises:
        DatasetError: a list or a folder is missing, a line has not the four fields, a class is neither positive
            nor negative, or a part lists a file twice.
    """
    rows = pd.concat([_read_part(root, part) for part in PARTS], ignore_index=True)
    found = _find(root)
    unlisted = len(found.difference(rows["part"] + "/" + rows["file"]))
    notes = (f"{unlisted} images on disk stand in no list and are not used",) if unlisted else ()
    return _samples(root, rows, found, notes)


def read_benchx_2024(root: Path) -> Samples:
    """Read COVIDx CXR-4 as BenchX does: without the first line of each list, file names cut at the first dot.

    Lines whose cut names collide become one sample `<part>/<cut name>.png`: the image, the label and the patient
    of the last of them, as BenchX writes its files in the order of the list. So the images are BenchX's, and the
    label of a collided name is the one of its image. Not repeated: BenchX's further lines of that name, each
    showing the surviving image with the label of an overwritten one (413 training lines on 96 names, 39
    validation lines on 5).

    Raises:
        DatasetError: as `read`.
    """
    rows = pd.concat([_read_part(root, part).iloc[1:] for part in PARTS], ignore_index=True)
    rows["sample"] = rows["part"] + "/" + rows["file"].str.split(".", n=1).str[0] + ".png"
    kept = rows.drop_duplicates("sample", keep="last").reset_index(drop=True)
    collided = rows["sample"].duplicated(keep=False)
    note = (
        f"as BenchX: {int(collided.sum())} lines share {rows['sample'][collided].nunique()} cut file names, "
        "of which the image and label of the last line hold"
    )
    return _samples(root, kept, _find(root), (note,))


def _read_part(root: Path, part: str) -> pd.DataFrame:
    """Read one list: columns patient, file, kind, source, part and sample, one row per line."""
    path = root / f"{part}.txt"
    lines = pd.Series(read_list(path), dtype=object)
    if lines.empty:
        raise DatasetError(f"{path} holds no lines", "every part has images", "download the file again")
    rows = lines.str.extract(_LINE)
    wrong = rows.index[rows["patient"].isna()]
    if len(wrong):
        raise DatasetError(
            f"{path}, entry {wrong[0] + 1}: not four fields",
            "a line is 'patient filename class source', separated by spaces",
            "use the file as published",
        )
    _refuse_faults(rows, path)
    return rows.assign(part=part, sample=part + "/" + rows["file"])


def _refuse_faults(rows: pd.DataFrame, path: Path) -> None:
    """Raise a DatasetError when a class is not known or a file is listed twice."""
    unknown = rows.index[~rows["kind"].isin(_VALUES)]
    if len(unknown):
        raise DatasetError(
            f"{path}, entry {unknown[0] + 1}: the class is '{rows['kind'][unknown[0]]}'",
            f"it must be one of: {', '.join(_VALUES)}",
            "use the file as published",
        )
    repeated = rows["file"][rows["file"].duplicated(keep=False)]
    if len(repeated):
        entries = [str(row + 1) for row in repeated.index[repeated == repeated.iloc[0]]]
        raise DatasetError(
            f"{path} lists {repeated.nunique()} files more than once, first '{repeated.iloc[0]}'",
            f"it is entry {', '.join(entries)}; which label holds is undecidable",
            "use the file as published, or remove the surplus lines",
        )


def _find(root: Path) -> set[str]:
    """Return the paths of all image files, relative to the root."""
    return {f"{part}/{name}" for part in PARTS for name in find_images(root, (part,), SUFFIXES)}


def _samples(root: Path, rows: pd.DataFrame, found: set[str], notes: tuple[str, ...]) -> Samples:
    images = rows["part"] + "/" + rows["file"]
    table = pd.DataFrame({"sample": rows["sample"], "image": images, "official": rows["part"]})
    table["patient"] = rows["source"] + "/" + rows["patient"]
    if nameless := int((rows["source"] == "rsna").sum()):
        notes = (*notes, f"{nameless} images of source rsna have no known patient; each counts as one of its own")
    for column in ("study", "view", "sex", "age"):
        table[column] = None
    return Samples(
        "covidx",
        root,
        table,
        rows["kind"].map(_VALUES).to_numpy(np.float32)[:, None],
        CLASSES,
        tuple(rows["sample"][~images.isin(found)]),
        is_phantom(root),
        notes,
    )


DATASET = Dataset(
    name="covidx",
    title="COVIDx CXR-4",
    licence="that of each source; non-commercial research (COVID-Net open source initiative)",
    source="kaggle.com/datasets/andyczhao/covidx-cxr2 (version 9)",
    citation="Wang et al., COVID-Net, Scientific Reports 2020",
    size="84 818 images, 31 GB",
    tasks=("classification", "few_shot", "zero_shot"),
    family="covidx",
    classes=CLASSES,
    read=read,
    access="registration",
    overlaps=(
        Overlap("covid-chestxray", "the images of source cohen", "COVIDx lists, fourth field"),
        Overlap("rsna", "the images of source rsna", "COVIDx lists, fourth field"),
        Overlap("nih", "the images of source rsna, which RSNA took from NIH", "Shih et al. 2019"),
    ),
    read_benchx_2024=read_benchx_2024,
)
