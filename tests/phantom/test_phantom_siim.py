"""Phantom SIIM-ACR folders: the written files, parsed plainly, and the reader agree with what was rendered."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image

from benchx.datasets.readers import siim as reader
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import siim
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 9, 9, 64


def _write(roots, patients=PATIENTS):
    write_layouts(siim.LAYOUTS, roots, patients, SEED, SIZE, lambda done, total: None)


def _contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("siim")
    roots = {name: base / name for name in siim.LAYOUTS}
    _write(roots)
    return roots


@pytest.fixture(scope="module")
def truth():
    """The image of every patient, in order: the first frontal one with a pneumothorax, else the last."""
    radiographs = []
    for patient in (make_patient(SEED, index) for index in range(1, PATIENTS + 1)):
        with_finding = [n for n in patient.frontal if any(f.name == "Pneumothorax" for f in patient.images[n].findings)]
        radiographs.append(render(patient, (with_finding or patient.frontal[-1:])[0], SIZE))
    assert 0 < sum("Pneumothorax" in radiograph.labels for radiograph in radiographs) < PATIENTS
    return radiographs


def _mask(radiograph):
    return radiograph.masks.get("Pneumothorax", np.zeros((SIZE, SIZE), np.uint8))


@pytest.mark.parametrize("form", sorted(siim.LAYOUTS))
def test_the_reader_gives_back_labels_and_masks(roots, truth, form):
    samples = reader.read(roots[form])
    assert len(samples.table) == PATIENTS
    assert samples.missing == ()
    assert samples.phantom
    # The PNG form lists its test images last; the files carry the patient's number.
    order = range(PATIENTS)
    if form == "siim-png":
        order = [int(name.split("_")[0]) - 1 for name in samples.table["sample"]]
    for row, number in enumerate(order):
        mask = _mask(truth[number])
        assert samples.labels[row, 0] == mask.any()
        np.testing.assert_array_equal(samples.masks(samples.table["sample"][row], SIZE, SIZE)[0], mask)


def test_the_run_lengths_parsed_plainly_are_the_stretched_masks(roots, truth):
    with (roots["siim"] / "train-rle.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["ImageId", " EncodedPixels"]
    cells = {}
    for name, cell in rows[1:]:
        cells.setdefault(name, []).append(cell)
    assert len(rows) - 1 > len(cells) == PATIENTS
    for radiograph, parts in zip(truth, cells.values(), strict=True):
        flat = np.zeros(1024 * 1024, np.uint8)
        for part in parts:
            at, numbers = 0, iter(map(int, part.split() if part != "-1" else []))
            for skip, run in zip(numbers, numbers, strict=True):
                flat[at + skip : at + skip + run] += 1
                at += skip + run
        stretched = np.kron(_mask(radiograph), np.ones((1024 // SIZE, 1024 // SIZE), np.uint8))
        np.testing.assert_array_equal(flat.reshape(1024, 1024).T, stretched)


def test_the_dicom_files_lie_and_read_as_the_original_s(roots, truth):
    files = {path.stem: path for path in roots["siim"].glob("dicom-images-train/*/*/*.dcm")}
    names = list(reader.read(roots["siim"]).table["sample"])
    assert sorted(files) == sorted(names)
    for radiograph, name in zip(truth, names, strict=True):
        data = pydicom.dcmread(files[name])
        assert data.SOPInstanceUID == name
        assert files[name].parts[-3:-1] == (data.StudyInstanceUID, data.SeriesInstanceUID)
        assert data.file_meta.TransferSyntaxUID.name == "JPEG Baseline (Process 1)"
        assert (data.BitsStored, data.PhotometricInterpretation) == (8, "MONOCHROME2")
        assert data.ViewPosition == radiograph.view
        assert np.abs(data.pixel_array.astype(int) - (radiograph.pixels >> 4)).mean() < 3


def test_the_png_form_has_the_original_s_tables_and_names(roots, truth):
    listed = {}
    for part in ("train", "test"):
        with (roots["siim-png"] / f"stage_1_{part}_images.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                assert list(row) == ["new_filename", "ImageId", "has_pneumo"]
                listed[row["new_filename"]] = (part, row["has_pneumo"])
    assert {path.name for path in (roots["siim-png"] / "png_images").iterdir()} == set(listed)
    assert {path.name for path in (roots["siim-png"] / "png_masks").iterdir()} == set(listed)
    assert {part for part, _ in listed.values()} == {"train", "test"}
    for name, (part, label) in listed.items():
        number, named_part, named_label, rest = name.split("_")
        assert (named_part, named_label, rest) == (part, label, ".png")
        with Image.open(roots["siim-png"] / "png_images" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), truth[int(number) - 1].pixels >> 4)
        with Image.open(roots["siim-png"] / "png_masks" / name) as mask:
            np.testing.assert_array_equal(np.asarray(mask), 255 * _mask(truth[int(number) - 1]))


def test_a_second_run_and_fewer_patients_write_the_same_bytes(roots, tmp_path):
    few = {name: tmp_path / name for name in roots}
    _write(few, 4)
    for name, root in roots.items():
        many = _contents(root)
        written = {path: data for path, data in _contents(few[name]).items() if path.endswith((".png", ".dcm"))}
        assert written
        assert all(many[path] == data for path, data in written.items())
    before = {name: _contents(root) for name, root in few.items()}
    _write(few, 4)
    assert {name: _contents(root) for name, root in few.items()} == before


def test_touching_parts_are_one_row_and_every_pixel_is_in_one(truth):
    mask = np.zeros((1024, 1024), np.uint8)
    mask[3:5, 0:2] = mask[5:7, 2:3] = mask[1000:1024, 1023] = 1
    first, second = siim._encode_parts(mask)
    assert first == "3 2 1022 2 1024 2"
    assert second == f"{1023 * 1024 + 1000} 24"
    assert siim._encode_parts(np.zeros((SIZE, SIZE), np.uint8)) == []
    assert cv2.connectedComponents(mask, connectivity=8)[0] == 3
