"""MIMIC-CXR-JPG 2 (Johnson et al., 2019), with the reports of MIMIC-CXR where they are there.

Layout: `mimic-cxr-2.0.0-{split,metadata,chexpert}.csv.gz` (or unpacked; version 2.1.0 keeps these names) and
`files/p10/p10000032/s50414267/<dicom_id>.jpg`. The reports are published with MIMIC-CXR as
`mimic-cxr-reports.zip`; unpack it in the root, where its `files/p10/p10000032/s50414267.txt` joins the images, or
in `mimic-cxr-reports/`, with or without its `files/`; the first of these places that has a study's report holds. They
are read when asked for (`ReportFiles`), and split by `report_sections`.

Labels: those of the CheXpert labeller, per study, with blanks as absent and -1 as uncertain (see
`chexpert_labels`). A study without a row (8 of 227 835) has unknown labels. The NegBio labels and the radiologist's
labels of the test set (`mimic-cxr-2.1.0-test-set-labeled.csv`) are not read.

Split: as published, `validate` is the validation part. View: `ViewPosition` as published (PA, AP, LATERAL, LL
and rarer ones, or blank). Sex and age are not published with these files. Column and file names are those that
the data description of version 2.1.0 gives.

BenchX pretrains on this dataset and publishes ids of a retrieval subset; it has no reader of its official tables.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, refuse_blanks, refuse_duplicates, refuse_others, shown
from benchx.datasets.folders import find_paths, first_of, is_phantom, note_unlisted
from benchx.datasets.readers.chexpert_labels import OBSERVATIONS, Observed, read_observations
from benchx.datasets.readers.report_files import ReportFiles
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CLASSES = OBSERVATIONS
IMAGES = "files"
REPORTS = "mimic-cxr-reports"
PARTS = {"train": "train", "validate": "val", "test": "test"}


def read(root: Path) -> Samples:
    """Read MIMIC-CXR-JPG from its official files; reports are read when asked for.

    Raises:
        DatasetError: a file, column or the image folder is missing, an id is blank or listed twice, a value is not
            one of those published, or the tables contradict each other or belong to different releases.
    """
    path = _table(root, "split")
    rows = read_csv(path, ("dicom_id", "study_id", "subject_id", "split"))
    refuse_blanks(rows, ("dicom_id", "study_id", "subject_id"), path)
    refuse_duplicates(rows["dicom_id"], path)
    refuse_others(rows["split"], PARTS, path)
    _refuse_other_ids(rows, path)
    patient, study = "p" + rows["subject_id"], "s" + rows["study_id"]
    folders = patient.str[:3] + "/" + patient + "/" + study
    table = pd.DataFrame(
        {
            "sample": rows["dicom_id"],
            "patient": rows["subject_id"],
            "study": rows["study_id"],
            "view": _views(root, rows, path),
            "sex": None,
            "age": None,
            "image": IMAGES + "/" + folders + "/" + rows["dicom_id"] + ".jpg",
            "official": rows["split"].map(PARTS),
        }
    )
    observed, unlabelled = _observed(root, rows, path)
    found = find_paths(root, (IMAGES, REPORTS), (".jpg", ".txt"))
    images = {path for path in found if path.endswith(".jpg")}
    there = table["image"].isin(images)
    reports, unreported = _reports(root, rows["dicom_id"], folders, found - images)
    return Samples(
        "mimic-cxr",
        root,
        table,
        observed.labels,
        CLASSES,
        tuple(rows["dicom_id"][~there]),
        is_phantom(root),
        (*unlabelled, *unreported, *note_unlisted(len(images) - there.sum(), path.name)),
        uncertain=observed.uncertain,
        reports=reports,
    )


def _table(root: Path, name: str) -> Path:
    return first_of(root, (f"mimic-cxr-2.0.0-{name}.csv.gz", f"mimic-cxr-2.0.0-{name}.csv"))


def _refuse_other_ids(rows: pd.DataFrame, path: Path) -> None:
    """Refuse ids that are no plain names, as they become parts of paths."""
    for name, form in (("dicom_id", r"[0-9a-f-]+"), ("study_id", r"\d+"), ("subject_id", r"\d+")):
        wrong = rows.index[~rows[name].str.fullmatch(form)]
        if len(wrong):
            raise DatasetError(
                f"{path}, line {int(wrong[0]) + 2}: {name} is '{shown(rows[name][wrong[0]])}'",
                "a dicom_id is made of hexadecimal digits and hyphens, the other ids of digits",
                "use the file as published",
            )


def _views(root: Path, rows: pd.DataFrame, listed_in: Path) -> pd.Series:
    """Return the view of every image."""
    images = rows["dicom_id"]
    path = _table(root, "metadata")
    metadata = read_csv(path, ("dicom_id", "ViewPosition"))
    refuse_duplicates(metadata["dicom_id"], path)
    position = pd.Index(metadata["dicom_id"]).get_indexer(pd.Index(images))
    absent = images.index[position < 0]
    if len(absent):
        raise DatasetError(
            f"{listed_in}, line {int(absent[0]) + 2}: '{images[absent[0]]}' is not in {path.name}",
            f"{len(absent)} images are not, so the two tables belong to different releases",
            "use both as published, of the same release",
        )
    _refuse_contradictions("study_id", (rows, listed_in), (metadata, path), position)
    return metadata["ViewPosition"].take(position).set_axis(images.index)


def _refuse_contradictions(
    column: str, split: tuple[pd.DataFrame, Path], other: tuple[pd.DataFrame, Path], position: np.ndarray
) -> None:
    """Raise a DatasetError where two tables that are joined differ in an id that both give.

    Args:
        split, other: the two tables, each with its path; `other` may be without the column.
        position: the row of `other` for every row of `split`, -1 where there is none.
    """
    (rows, path), (others, other_path) = split, other
    if column not in others:
        return
    here, there = rows[column].to_numpy(), others[column].to_numpy()[position]
    wrong = np.flatnonzero((here != there) & (position >= 0))
    if len(wrong):
        row = wrong[0]
        raise DatasetError(
            f"{other_path}, line {position[row] + 2}: {column} is '{shown(there[row])}'",
            f"{path}, line {row + 2} says '{here[row]}'; {len(wrong)} rows differ",
            "use both as published, of the same release, with ids written as whole numbers",
        )


def _observed(root: Path, split: pd.DataFrame, listed_in: Path) -> tuple[Observed, tuple[str, ...]]:
    """Return the labels of every image's study, and a note where studies have none."""
    path = _table(root, "chexpert")
    rows = read_csv(path, ("study_id", *OBSERVATIONS))
    refuse_blanks(rows, ("study_id",), path)
    refuse_duplicates(rows["study_id"], path)
    known = read_observations(rows, path)
    studies = split["study_id"]
    position = pd.Index(rows["study_id"]).get_indexer(pd.Index(studies))
    _refuse_contradictions("subject_id", (split, listed_in), (rows, path), position)
    without = position < 0
    labels = np.where(without[:, None], np.float32(np.nan), known.labels[position])
    uncertain = known.uncertain[position] & ~without[:, None]
    count, total = studies[without].nunique(), studies.nunique()
    if 2 * count > total:
        raise DatasetError(
            f"{path} has no row for {count} of the {total} studies of {listed_in.name}",
            f"the releases differ, or ids are written in another way; line 2 has '{shown(rows['study_id'][0])}'",
            "use both as published, of the same release, with ids written as whole numbers",
        )
    note = (f"{count} studies have no row in {path.name}; their labels are unknown",) if count else ()
    return Observed(labels, uncertain), note


def _reports(root: Path, images: pd.Series, folders: pd.Series, found: set[str]) -> tuple[ReportFiles, tuple[str, ...]]:
    """Return the reports that are there, by image, and a note on those that are not."""
    paths = pd.Series("", index=folders.index)
    for place in (IMAGES, f"{REPORTS}/files", REPORTS):
        here = place + "/" + folders + ".txt"
        paths = paths.mask((paths == "") & here.isin(found), here)
    there = paths != ""
    reports = ReportFiles(root, dict(zip(images[there], paths[there], strict=True)))
    if not there.any():
        return reports, ("there are no report files; for tasks with reports, unpack mimic-cxr-reports.zip in the root",)
    lacking = folders[~there].nunique()
    return reports, (f"{lacking} studies have no report file",) if lacking else ()


DATASET = Dataset(
    name="mimic-cxr",
    title="MIMIC-CXR-JPG",
    licence="PhysioNet Credentialed Health Data License 1.5.0: no redistribution",
    source="physionet.org/content/mimic-cxr-jpg (credentialed; reports from physionet.org/content/mimic-cxr)",
    citation="Johnson et al., MIMIC-CXR-JPG, arXiv:1901.07042, 2019",
    size="377 110 images, 570 GB",
    tasks=("classification", "few_shot", "retrieval", "report_generation", "zero_shot"),
    family="mimic",
    classes=CLASSES,
    read=read,
    access="credentialed",
)
