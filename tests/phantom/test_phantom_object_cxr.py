"""Phantom Object-CXR folders: the outlines, parsed plainly and by the reader, agree with the rendered objects."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import object_cxr as reader
from benchx.datasets.regions import Box, Ellipse, Polygon
from benchx.phantom.findings import FOREIGN_OBJECT
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import object_cxr
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 10, 6, 128


def _write(root, patients=PATIENTS):
    write_layouts(object_cxr.LAYOUTS, {"object-cxr": root}, patients, SEED, SIZE, lambda done, total: None)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("object-cxr")
    _write(root)
    return root


@pytest.fixture(scope="module")
def truth():
    """The image of every patient by its sample id: the first frontal one with an object, else the last."""
    radiographs = {}
    for patient in (make_patient(SEED, index) for index in range(1, PATIENTS + 1)):
        with_object = [n for n in patient.frontal if patient.images[n].objects]
        radiographs[f"{patient.index:05d}"] = render(patient, (with_object or patient.frontal[-1:])[0], SIZE)
    return radiographs


def _boxes(radiograph):
    return sorted(tuple(box) for name, *box in radiograph.boxes if name == FOREIGN_OBJECT)


def test_the_reader_gives_back_ids_labels_and_split(root, truth):
    samples = reader.read(root)
    # The tables come one after another; eight patients of ten are for training.
    assert dict(zip(samples.table["sample"], samples.table["official"], strict=True)) == {
        f"{index:05d}": {8: "val", 9: "test"}.get(index, "train") for index in range(1, PATIENTS + 1)
    }
    labels = dict(zip(samples.table["sample"], samples.labels[:, 0], strict=True))
    assert labels == {name: float(bool(_boxes(radiograph))) for name, radiograph in truth.items()}
    assert set(labels.values()) == {0, 1}
    assert samples.missing == ()
    assert samples.phantom


def test_every_object_is_outlined_in_its_box_by_each_kind_of_outline(root, truth):
    samples = reader.read(root)
    kinds = set()
    for name, radiograph in truth.items():
        outlined = []
        for region in samples.regions[name]:
            kinds.add(type(region))
            if isinstance(region, Polygon):
                outlined.append(cv2.boundingRect(np.array(region.points, np.int32)))
            else:
                outlined.append((region.x, region.y, region.width, region.height))
        assert sorted(outlined) == _boxes(radiograph)
    assert kinds == {Box, Ellipse, Polygon}


def test_the_drawn_outlines_cover_the_boxed_objects(root, truth):
    samples = reader.read(root)
    for name, radiograph in truth.items():
        drawn = samples.masks(name, SIZE, SIZE)[0]
        objects = radiograph.masks.get(FOREIGN_OBJECT, np.zeros((SIZE, SIZE), np.uint8))
        boxed = np.zeros_like(objects)
        for x, y, width, height in _boxes(radiograph):
            boxed[y : y + height, x : x + width] = 1
        assert not (drawn & ~boxed & 1).any()
        # Ellipses and simplified polygons may leave out a pixel at the edge, not an object.
        grown = cv2.dilate(drawn, np.ones((3, 3), np.uint8))
        parts, labels = cv2.connectedComponents(objects, connectivity=8)
        for part in range(1, parts):
            ys, xs = np.nonzero(labels == part)
            if (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1) in _boxes(radiograph):
                assert grown[ys, xs].all()


def test_the_files_are_the_official_ones(root, truth):
    headers = {part: (root / f"{part}.csv").read_text().splitlines()[0] for part in ("train", "dev", "test")}
    assert headers == {
        "train": "image_name,annotation",
        "dev": "image_name,annotation",
        "test": "image_path,annotation",
    }
    listed = {}
    for part in headers:
        with (root / f"{part}.csv").open(newline="") as file:
            for name, annotation in list(csv.reader(file))[1:]:
                listed[part + "/" + name.removeprefix("test/")] = annotation
    assert set(listed) == {str(path.relative_to(root)) for path in root.rglob("*.jpg")}
    for name, annotation in listed.items():
        radiograph = truth[name[-9:-4]]
        with Image.open(root / name) as image:
            assert image.format == "JPEG"
            assert image.mode == "L"
            assert np.abs(np.asarray(image, int) - (radiograph.pixels >> 4)).mean() < 3
        outlines = [[int(word) for word in part.split()] for part in annotation.split(";")] if annotation else []
        assert len(outlines) == len(_boxes(radiograph))
        for kind, *numbers in outlines:
            assert kind in (0, 1, 2)
            assert len(numbers) == 4 if kind < 2 else len(numbers) % 2 == 0 and len(numbers) >= 6
            if kind < 2:
                assert (*numbers[:2], numbers[2] - numbers[0], numbers[3] - numbers[1]) in _boxes(radiograph)


def test_a_second_run_and_fewer_patients_write_the_same_bytes(root, tmp_path):
    _write(tmp_path / "few", 4)
    contents = {path.relative_to(tmp_path / "few"): path.read_bytes() for path in (tmp_path / "few").rglob("*.*")}
    images = [path for path in contents if path.suffix == ".jpg"]
    assert len(images) == 4
    assert all((root / path).read_bytes() == contents[path] for path in images)
    _write(tmp_path / "few", 4)
    assert all((tmp_path / "few" / path).read_bytes() == data for path, data in contents.items())
