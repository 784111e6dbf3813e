"""COVID-19 Image Data Collection (Cohen et al., arXiv:2006.11988; github ieee8023/covid-chestxray-dataset).

Layout: `metadata.csv` (one row per image), `images/` (X-rays, PNG and JPEG), `volumes/` (CT, not used),
`annotations/semantic_masks_v7labs_lungs/<file name>` (lungs outlined by hand; PNG data under the image's name).

Labels come from `finding`, a path such as `Pneumonia/Viral/COVID-19`. Releases before July 2020 have flat names
(`COVID-19, ARDS`, `Streptococcus`); `PNEUMONIAS` are those that later releases put under `Pneumonia`.
 - COVID-19: named in the finding. Pneumonia: the path or a name of `PNEUMONIAS` says so.
 - `todo`, `Unknown` and an empty finding leave both unknown; any other finding is no COVID-19.
 - Pneumonia is absent with `No Finding` and `Tuberculosis`, and unknown with other names, `ARDS` among them.

A file may be listed twice, under two patient ids, where two publications show it (five files of two patients in
the release of June 2020): the rows become one sample, and the patients one. `offset` (days) is often empty and
does not identify a study. `clinical_notes` stand as the findings of a report, blanks at their ends taken off. They are
descriptions of cases, by the authors of the publication, and no reports of radiologists: they tell of history, course
and laboratory values, and often of several images at once.

Masks: 255 is lung, 127 marks arrows and devices that annotators left out; the masks of lateral images are empty,
as laterals were not outlined (both seen in the files). The masks of `annotations/lungVAE-masks` are machine-made
and end at the heart, where these go on behind it: the two are not mixed. BenchX does not have this dataset.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.files import read_csv, read_numbers, refuse_blanks, refuse_others
from benchx.datasets.folders import find_images, is_phantom
from benchx.datasets.regions import MaskFile, Region
from benchx.datasets.samples import Dataset, Report, Samples
from benchx.errors import DatasetError

CLASSES = ("COVID-19", "Pneumonia")
MASK_CLASSES = ("Lung",)
MASKS = "annotations/semantic_masks_v7labs_lungs"
SUFFIXES = (".png", ".jpg", ".jpeg")
PNEUMONIAS = frozenset(
    {
        "Pneumonia",
        "Aspergillosis",
        "Aspiration",
        "Bacterial",
        "COVID-19",
        "Chlamydophila",
        "E.Coli",
        "Fungal",
        "H1N1",
        "Herpes",
        "Influenza",
        "Klebsiella",
        "Legionella",
        "Lipoid",
        "MERS-CoV",
        "MRSA",
        "Mycoplasma",
        "Mycoplasma Bacterial Pneumonia",
        "Nocardia",
        "Pneumocystis",
        "SARS",
        "Staphylococcus",
        "Streptococcus",
        "Varicella",
        "Viral",
    }
)
"""Names in `finding` that are kinds of pneumonia."""

_UNKNOWN = frozenset({"", "todo", "Unknown"})
_NO_PNEUMONIA = frozenset({"No Finding", "Tuberculosis"})
_REQUIRED = ("patientid", "sex", "age", "finding", "view", "modality", "folder", "filename")


def read(root: Path) -> Samples:
    """Read the X-rays of the collection.

    Raises:
        DatasetError: the table, a column or the image folder is missing, an X-ray has no file name or patient id
            or lies outside `images`, a sex is not M or F, an age is no number, or a file has two findings.
    """
    path = root / "metadata.csv"
    entries = read_csv(path, _REQUIRED)
    refuse_blanks(entries, ("modality",), path)
    rows = entries[entries["modality"] == "X-ray"]
    refuse_blanks(rows, ("filename", "patientid"), path)
    refuse_others(rows["folder"], ("images",), path)
    refuse_others(rows["sex"].dropna(), ("M", "F"), path)
    rows = rows.assign(age=read_numbers(rows["age"], path))
    _refuse_contradictions(rows, path)
    rows, notes = _unite(rows)
    if skipped := len(entries) - int((entries["modality"] == "X-ray").sum()):
        notes = (f"{skipped} rows are not X-rays (CT) and are not used", *notes)
    found = find_images(root, ("images",), SUFFIXES)
    names = rows["filename"]
    if unlisted := len(set(found).difference(names)):
        notes = (*notes, f"{unlisted} images on disk stand on no X-ray row and are not used")
    labels = np.array([_label(finding) for finding in rows["finding"].fillna("")], np.float32).reshape(-1, 2)
    if unclear := int((np.isnan(labels[:, 1]) & ~np.isnan(labels[:, 0])).sum()):
        notes = (*notes, f"{unclear} images have a finding of which it is not said whether it is a pneumonia")
    regions, lateral = _regions(root, rows)
    if lateral:
        notes = (*notes, f"{lateral} lateral images have a mask file, which is not used: laterals were not outlined")
    reports = _reports(rows)
    if reports:
        notes = (*notes, f"{len(reports)} images have clinical notes: descriptions of cases, which stand for reports")
    table = pd.DataFrame(
        {
            "sample": names,
            "patient": rows["patientid"],
            "study": None,
            "view": rows["view"],
            "sex": rows["sex"],
            "age": rows["age"],
            "image": "images/" + names,
            "official": "",
        }
    )
    return Samples(
        "covid-chestxray",
        root,
        table,
        labels,
        CLASSES,
        tuple(names[~names.isin(found.keys())]),
        is_phantom(root),
        notes,
        publishes_split=False,
        reports=reports,
        regions=regions,
        mask_classes=MASK_CLASSES,
    )


def _refuse_contradictions(rows: pd.DataFrame, path: Path) -> None:
    """Raise a DatasetError when two rows of one file differ in the finding."""
    distinct = rows.drop_duplicates(["filename", "finding"])["filename"]
    repeated = distinct[distinct.duplicated(keep=False)]
    if len(repeated):
        lines = [str(row + 2) for row in repeated.index[repeated == repeated.iloc[0]]]
        raise DatasetError(
            f"{path} gives {repeated.nunique()} files more than one finding, first '{repeated.iloc[0]}'",
            f"lines {', '.join(lines)} differ; which label holds is undecidable",
            "use the file as published, or remove the wrong row",
        )


def _unite(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Make one row (the first) of the rows of a file, and one patient of the patients who share a file."""
    same: dict[str, str] = {}

    def first_name(patient: str) -> str:
        while patient in same:
            patient = same[patient]
        return patient

    shared = rows[rows["filename"].duplicated(keep=False)]
    for _, patients in shared.groupby("filename", sort=False)["patientid"]:
        kept, *others = dict.fromkeys(map(first_name, patients))
        same.update(dict.fromkeys(others, kept))
    rows = rows.assign(patientid=rows["patientid"].map(first_name))
    surplus = rows["filename"].duplicated()
    notes = (
        f"{int(surplus.sum())} rows name a file again and are left out",
        f"{len(same)} patient ids are taken for others with whom they share a file",
    )
    return rows[~surplus].reset_index(drop=True), notes if surplus.any() else ()


def _label(finding: str) -> tuple[float, float]:
    """Return COVID-19 and Pneumonia as 1, 0 or NaN."""
    names = {name.strip() for name in finding.replace("/", ",").split(",")}
    if names <= _UNKNOWN:
        return np.nan, np.nan
    pneumonia = 1.0 if names & PNEUMONIAS else 0.0 if names <= _NO_PNEUMONIA else np.nan
    return float("COVID-19" in names), pneumonia


def _reports(rows: pd.DataFrame) -> dict[str, Report]:
    if "clinical_notes" not in rows:
        return {}
    texts = rows["clinical_notes"].fillna("").str.strip()
    return {name: Report(findings=text) for name, text in zip(rows["filename"], texts, strict=True) if text}


def _regions(root: Path, rows: pd.DataFrame) -> tuple[dict[str, tuple[Region, ...]], int]:
    """Return the masks of the frontal images, and how many lateral ones have a mask."""
    if not (root / MASKS).is_dir():
        return {}, 0
    masks = find_images(root, (MASKS,), SUFFIXES)
    outlined = rows[rows["filename"].isin(masks.keys())]
    frontal = outlined["filename"][outlined["view"] != "L"]
    return {name: (MaskFile("Lung", masks[name]),) for name in frontal}, len(outlined) - len(frontal)


DATASET = Dataset(
    name="covid-chestxray",
    title="COVID-19 Image Data Collection",
    licence="that of each image (column license, mostly CC BY-NC-SA); lung masks CC BY 4.0 (V7 Labs)",
    source="github.com/ieee8023/covid-chestxray-dataset",
    citation="Cohen et al., COVID-19 Image Data Collection, arXiv:2006.11988, 2020",
    size="about 700 X-rays, 0.6 GB",
    tasks=("classification", "few_shot", "segmentation", "retrieval", "report_generation", "zero_shot"),
    family="covid-chestxray",
    classes=CLASSES,
    read=read,
    mask_classes=MASK_CLASSES,
)
