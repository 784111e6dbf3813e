"""The written covid-chestxray root: parsed by csv and Pillow, and read back as the patients are."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import covid_chestxray as reader
from benchx.phantom.findings import FOREIGN_OBJECT
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import covid_chestxray as writer
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 14, 6, 64
NAN = float("nan")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("covid-chestxray")
    write_layouts(writer.LAYOUTS, {"covid-chestxray": out}, PATIENTS, SEED, SIZE, lambda done, total: None)
    return out


@pytest.fixture(scope="module")
def samples(root):
    return reader.read(root)


def _image(name):
    """The patient and the image number of a file."""
    index, number = name.split(".")[0].split("_")
    return make_patient(SEED, int(index)), int(number)


def test_the_table_has_the_columns_of_the_original(root, shared):
    header = (root / "metadata.csv").read_text().splitlines()[0]
    real = (shared / "data" / "covid-chestxray" / "metadata.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert set(header.split(",")) - {"RT_PCR_positive"} == set(real.split(","))


def test_the_table_names_every_image_once_and_every_fourth_patient_has_a_ct(root):
    with (root / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    xrays = [row["filename"] for row in rows if row["modality"] == "X-ray"]
    assert sorted(xrays) == sorted(path.name for path in (root / "images").iterdir())
    assert [row["patientid"] for row in rows if row["modality"] == "CT"] == ["4", "8", "12"]
    assert not (root / "volumes").exists()
    assert all(row["clinical_notes"] for row in rows)


def test_the_reader_gives_labels_and_people(samples):
    covid_or_not = []
    for row, labels in zip(samples.table.itertuples(), samples.labels.tolist(), strict=True):
        patient, number = _image(row.sample)
        found = {finding.name for finding in patient.images[number].findings}
        covid = bool(found & {"Pneumonia", "Infiltration"})
        if covid or "Consolidation" in found or not found:
            expected = [covid, covid or "Consolidation" in found]
        else:
            expected = [NAN, NAN]
        np.testing.assert_equal(labels, expected)
        assert (row.patient, row.sex, row.age) == (str(patient.index), patient.sex, patient.age)
        assert row.view == {"PA": "PA", "AP": "AP Supine", "LATERAL": "L"}[patient.images[number].view]
        covid_or_not.append(expected[0])
    assert {True, False} <= set(covid_or_not)
    assert samples.missing == ()
    for name, report in samples.reports.items():
        patient, number = _image(name)
        assert report.findings == render(patient, number, SIZE).report
    assert set(samples.reports) == set(samples.table["sample"])
    assert "3 rows are not X-rays (CT) and are not used" in samples.notes


def test_masks_are_the_lungs_without_the_objects_over_them(samples):
    objects = 0
    for name in samples.regions:
        patient, number = _image(name)
        image = render(patient, number, SIZE)
        lungs = image.lungs.any(axis=0)
        if FOREIGN_OBJECT in image.masks:
            objects += int((lungs & (image.masks[FOREIGN_OBJECT] > 0)).sum())
            lungs &= image.masks[FOREIGN_OBJECT] == 0
        np.testing.assert_array_equal(samples.masks(name, SIZE, SIZE), [lungs])
        assert image.view != "LATERAL"
    assert objects
    assert len(samples.regions) < len(samples.table)


def test_mask_files_are_png_with_the_three_values_of_the_original(root):
    paths = sorted((root / reader.MASKS).iterdir())
    values, empty = set(), 0
    for path in paths:
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("PNG", "L")
            pixels = np.asarray(image)
        values |= set(np.unique(pixels).tolist())
        patient, number = _image(path.name)
        assert pixels.any() == (patient.images[number].view != "LATERAL")
        empty += not pixels.any()
    assert values == {0, 127, 255}
    assert empty
