"""The MIMIC-CXR phantom: its files by plain csv and Pillow, and through the reader against what was drawn."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import mimic_cxr as reader
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.reports import report
from benchx.phantom.writers import mimic_cxr, studies
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 14, 1, 64


def _write(root: Path, patients: int = PATIENTS) -> Path:
    write_layouts(mimic_cxr.LAYOUTS, {"mimic-cxr": root}, patients, SEED, SIZE, lambda done, total: None)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("mimic-cxr"))


@pytest.fixture(scope="module")
def samples(root):
    return reader.read(root)


def _rows(root: Path, table: str) -> list[dict[str, str]]:
    with gzip.open(root / f"mimic-cxr-2.0.0-{table}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def test_tables_agree_with_each_other_and_with_the_files(root):
    split, metadata, labels = (_rows(root, name) for name in ("split", "metadata", "chexpert"))
    assert [row["dicom_id"] for row in split] == [row["dicom_id"] for row in metadata]
    assert {row["study_id"] for row in split} == {row["study_id"] for row in labels}
    assert {row["split"] for row in split} == {"train", "validate", "test"}
    assert {row["ViewPosition"] for row in metadata} == {"PA", "AP", "LATERAL"}
    assert list(labels[0])[:4] == ["subject_id", "study_id", "Atelectasis", "Cardiomegaly"]
    assert {value for row in labels for value in list(row.values())[2:]} == {"1.0", "0.0", "-1.0", ""}
    for row in split:
        subject = row["subject_id"]
        folder = root / "files" / f"p{subject[:2]}" / f"p{subject}"
        assert (folder / f"s{row['study_id']}" / f"{row['dicom_id']}.jpg").is_file()
        assert (folder / f"s{row['study_id']}.txt").is_file()
    assert len(list(root.rglob("*.jpg"))) == len(split)
    assert len(list(root.rglob("*.txt"))) == len(labels)


def test_images_are_the_rendered_ones(root, samples):
    of_first = samples.table[samples.table["patient"] == "10000001"]
    assert of_first["view"].tolist() == ["PA", "LATERAL"]
    for number, path in enumerate(of_first["image"]):
        with Image.open(root / path) as image:
            assert (image.format, image.mode) == ("JPEG", "L")
            drawn = render(make_patient(SEED, 1), number, SIZE).pixels >> 4
            assert np.abs(np.asarray(image).astype(int) - drawn).mean() < 3


def test_the_reader_gives_the_reports_and_labels_of_every_study(samples):
    assert samples.phantom
    assert (samples.missing, samples.notes) == ((), ())
    table = samples.table
    for index in range(1, PATIENTS + 1):
        patient = make_patient(SEED, index)
        for number, images in enumerate(studies.studies(patient)):
            rows = np.flatnonzero(table["study"] == f"{50_000_000 + 10 * index + number}")
            specs = [patient.images[image] for image in images]
            assert table["view"].iloc[rows].tolist() == [spec.view for spec in specs]
            seen = report(specs[0].findings, sorted({name for spec in specs for name in spec.objects}))
            for row in rows:
                read = samples.reports[table["sample"][row]]
                if index % 7 == 0:
                    assert (read.findings, read.impression) == (None, seen)
                else:
                    assert read.findings == seen
                    assert read.impression
            said = studies.observations(specs, certain=False)
            for column, name in enumerate(samples.classes):
                label = said.get(name, 0.0)
                expected = np.nan if label == -1 else label
                np.testing.assert_array_equal(samples.labels[rows, column], expected)
    assert np.isnan(samples.labels).any()


def test_the_official_split_divides_patients(samples):
    folds = make_folds(samples, "official")
    assert units_in_two_parts(samples, folds) == []
    tested = {int(patient) - 10_000_000 for patient in samples.table["patient"].iloc[folds[0].test]}
    assert tested == {index for index in range(1, PATIENTS + 1) if index % 9 in (4, 8)}
    assert set(samples.table["patient"].iloc[folds[0].val]) == {"10000003", "10000012"}


def test_report_text_is_laid_out_as_the_originals(root):
    path = next(root.glob("files/p10/p10000001/s*.txt"))
    lines = path.read_text().splitlines()
    assert lines[0].strip() == "FINAL REPORT"
    headings = re.findall(r"^ ([A-Z]+): ", "\n".join(lines), re.MULTILINE)
    assert headings == ["EXAMINATION", "INDICATION", "FINDINGS", "IMPRESSION"]
    assert max(map(len, lines)) <= 79


def test_the_same_bytes_twice_and_fewer_patients_are_the_first_of_more(root, tmp_path):
    few = _write(tmp_path / "few", 4)
    for path in (*few.rglob("*.jpg"), *few.rglob("*.txt")):
        assert path.read_bytes() == (root / path.relative_to(few)).read_bytes()
    before = {path: path.read_bytes() for path in few.glob("*.gz")}
    _write(few, 4)
    assert {path: path.read_bytes() for path in few.glob("*.gz")} == before
