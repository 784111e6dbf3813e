"""The written VinDr-CXR roots, read by plain csv, pydicom and Pillow, and by the reader."""

import csv

import numpy as np
import pydicom
import pytest
from PIL import Image

from benchx.datasets.readers import vindr as reader
from benchx.images.decode import read
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import vindr
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 18, 6, 64
MAIN_FILES = {"image_labels_train", "image_labels_test", "annotations_train", "annotations_test"}


def write(names, folder, patients=PATIENTS):
    roots = {name: folder / name for name in names}
    write_layouts(vindr.LAYOUTS, roots, patients, SEED, SIZE, lambda done, total: None)
    return roots


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return write(["vindr", "vindr-png"], tmp_path_factory.mktemp("vindr"))


@pytest.fixture(scope="module")
def truth():
    """Patient and radiograph of every image, by id."""
    patients = [make_patient(SEED, index) for index in range(1, PATIENTS + 1)]
    return {vindr.image_id(p): (p, render(p, p.frontal[-1], SIZE)) for p in patients}


def rows_of(root, name):
    with (root / "annotations" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def expected_names(boxes):
    local = {vindr.NAMES[name] for name, *_ in boxes if name in vindr.NAMES}
    return local | {"Pneumonia" for name, *_ in boxes if name == "Pneumonia"}


def present(row):
    return {name for name in reader.CLASSES if row[name] == "1"}


def test_the_files_are_those_of_the_release(roots):
    root = roots["vindr"]
    assert {path.stem for path in (root / "annotations").iterdir()} == MAIN_FILES
    header = (root / "annotations" / "annotations_train.csv").read_text().splitlines()[0]
    assert header == "image_id,rad_id,class_name,x_min,y_min,x_max,y_max"
    train, test = (list(rows_of(root, f"image_labels_{part}")[0]) for part in ("train", "test"))
    assert train[:3] == ["image_id", "rad_id", "Aortic enlargement"]
    assert train[-2:] == ["Other diseases", "No finding"]
    assert test[:2] == ["image_id", "Aortic enlargement"]
    assert test[-2:] == ["Other disease", "No finding"]
    assert len(train) == len(test) + 1 == 30
    for part in ("train", "test"):
        ids = {row["image_id"] for row in rows_of(root, f"image_labels_{part}")}
        assert ids == {path.stem for path in (root / part).iterdir()}
        assert all(len(name) == 32 and int(name, 16) for name in ids)


def test_dicom_pixels_are_the_rendered_ones_with_12_bits(roots, truth):
    kinds = set()
    for path in roots["vindr"].rglob("*.dicom"):
        data = pydicom.dcmread(path)
        pixels = data.pixel_array
        kinds.add(data.PhotometricInterpretation)
        assert (data.BitsAllocated, data.BitsStored) == (16, 12)
        upright = 4095 - pixels if data.PhotometricInterpretation == "MONOCHROME1" else pixels
        np.testing.assert_array_equal(upright, truth[path.stem][1].pixels)
        np.testing.assert_array_equal(read(path).argmax(), upright.argmax())
    assert kinds == {"MONOCHROME1", "MONOCHROME2"}


def test_the_conversion_to_png_differs_in_its_images_only(roots, truth):
    for name in MAIN_FILES:
        dicom, png = (root / "annotations" / f"{name}.csv" for root in roots.values())
        assert dicom.read_bytes() == png.read_bytes()
    paths = list(roots["vindr-png"].rglob("*.png"))
    assert len(paths) == PATIENTS
    for path in paths:
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), truth[path.stem][1].pixels >> 4)


def test_test_images_carry_the_truth(roots, truth):
    rows = rows_of(roots["vindr"], "image_labels_test")
    assert len(rows) == PATIENTS // 6
    annotations = rows_of(roots["vindr"], "annotations_test")
    for row in rows:
        radiograph = truth[row["image_id"]][1]
        row["Other diseases"] = row["Other disease"]
        wanted = expected_names(radiograph.boxes)
        assert present(row) == wanted
        assert row["No finding"] == str(int(not wanted))
        drawn = [
            (one["class_name"], *(float(one[corner]) for corner in ("x_min", "y_min", "x_max", "y_max")))
            for one in annotations
            if one["image_id"] == row["image_id"] and one["class_name"] != "No finding"
        ]
        assert drawn == [
            (vindr.NAMES[name], x, y, x + w, y + h) for name, x, y, w, h in radiograph.boxes if name in vindr.NAMES
        ]


def test_readers_overlook_findings_and_draw_near_the_truth(roots, truth):
    rows = rows_of(roots["vindr"], "image_labels_train")
    missed = kept = 0
    for row in rows:
        wanted, marked = expected_names(truth[row["image_id"]][1].boxes), present(row)
        assert marked <= wanted
        missed, kept = missed + len(wanted - marked), kept + len(marked)
    assert {row["rad_id"] for row in rows} == {"R8", "R9", "R10"}
    assert len(rows) == 3 * PATIENTS * 5 // 6
    assert 0.05 < missed / (missed + kept) < 0.30
    near = 0
    for _, radiograph in truth.values():
        boxes = [box for box in radiograph.boxes if box[0] in vindr.NAMES]
        for name in vindr.READERS:
            drawn = vindr.seen(make_patient(SEED, 1), radiograph, name)
            true = [box for box in boxes if box[0] in {one for one, *_ in drawn}]
            assert len(true) == len(drawn)
            near += len(true)
            for ours, theirs in zip(drawn, true, strict=True):
                assert np.abs(np.subtract(ours[1:], theirs[1:])).max() <= 0.2 * max(theirs[3:]) + 1
    assert near


def test_the_reader_takes_the_majority_and_benchx_the_union(roots, truth):
    samples = reader.read(roots["vindr"])
    assert samples.phantom
    votes = {}
    for row in rows_of(roots["vindr"], "image_labels_train"):
        votes.setdefault(row["image_id"], []).append(present(row))
    for name, official, values in zip(samples.table["sample"], samples.table["official"], samples.labels, strict=True):
        found = {reader.CLASSES[column] for column in np.flatnonzero(values)}
        if official == "test":
            assert found == expected_names(truth[name][1].boxes)
        else:
            assert found == {one for one in reader.CLASSES if sum(one in vote for vote in votes[name]) >= 2}
    union = reader.read_benchx_2024(roots["vindr"])
    effusions = dict(zip(union.table["sample"], union.class_labels(("Effusion",))[:, 0], strict=True))
    for name, vote in votes.items():
        assert effusions[name] == any("Pleural effusion" in one for one in vote)


def test_masks_of_test_images_cover_the_findings(roots, truth):
    samples = reader.read(roots["vindr"])
    checked = 0
    for name in samples.table["sample"][samples.table["official"] == "test"]:
        radiograph = truth[name][1]
        layers = samples.masks(name, SIZE, SIZE)
        for finding in radiograph.labels - {"Mass", "Nodule"}:
            x, y, w, h = next(box for box in radiograph.boxes if box[0] == finding)[1:]
            layer = layers[samples.mask_classes.index(vindr.NAMES[finding])]
            assert layer[y : y + h, x : x + w].all()
            checked += 1
    assert checked


def test_boxes_are_not_used_with_png_files_whose_scale_is_unknown(roots):
    samples = reader.read(roots["vindr-png"])
    assert samples.regions == {}
    assert any("boxes are in pixels of the DICOM files" in note for note in samples.notes)


def test_fewer_patients_have_the_same_files(roots, tmp_path):
    few = write(["vindr"], tmp_path, patients=5)["vindr"]
    for path in few.rglob("*.dicom"):
        assert path.read_bytes() == (roots["vindr"] / path.relative_to(few)).read_bytes()
    for name in MAIN_FILES:
        lines = (few / "annotations" / f"{name}.csv").read_text().splitlines()
        assert lines == (roots["vindr"] / "annotations" / f"{name}.csv").read_text().splitlines()[: len(lines)]
