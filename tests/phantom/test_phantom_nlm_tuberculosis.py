"""The written Montgomery and Shenzhen roots: looked at with Pillow, and read back as the patients are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import montgomery, shenzhen
from benchx.images.decode import read
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers.nlm_tuberculosis import LAYOUTS
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 24, 6, 64
READERS = {"montgomery": montgomery, "shenzhen": shenzhen}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nlm")
    out = {name: folder / name for name in LAYOUTS}
    write_layouts(LAYOUTS, out, PATIENTS, SEED, SIZE, lambda done, total: None)
    return out


def _image(index):
    patient = make_patient(SEED, index)
    return render(patient, patient.frontal[0], SIZE)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_the_reader_gives_labels_people_and_pixels(roots, name):
    samples = READERS[name].read(roots[name])
    assert len(samples.table) == PATIENTS
    assert 0 < samples.labels.mean() < 1
    for row, label in zip(samples.table.itertuples(), samples.labels.ravel(), strict=True):
        index = int(row.sample.split("_")[1])
        patient = make_patient(SEED, index)
        found = {finding.name for finding in patient.images[patient.frontal[0]].findings}
        assert bool(label) == bool(found & {"Consolidation", "Fibrosis"})
        assert (row.sex, row.age) == (patient.sex, patient.age)
        if index in {1, 24}:
            np.testing.assert_array_equal(read(roots[name] / row.image), _image(index).pixels >> 4)
    assert samples.notes == ()
    assert samples.missing == ()
    assert samples.phantom


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_masks_are_both_lungs(roots, name):
    samples = READERS[name].read(roots[name])
    outlined = {int(sample.split("_")[1]) for sample in samples.regions}
    assert outlined == {k for k in range(1, PATIENTS + 1) if name == "montgomery" or k % 7}
    for sample in sorted(samples.regions)[:6]:
        lungs = _image(int(sample.split("_")[1])).lungs.any(axis=0)
        np.testing.assert_array_equal(samples.masks(sample, SIZE, SIZE), [lungs])


def test_montgomery_masks_are_of_one_bit_and_named_by_the_side_of_the_image(roots):
    folder = roots["montgomery"] / "MontgomerySet" / "ManualMask"
    for path in sorted((folder / "leftMask").iterdir())[:4]:
        with Image.open(path) as left, Image.open(folder / "rightMask" / path.name) as right:
            assert (left.mode, right.mode) == ("1", "1")
            columns = [np.nonzero(np.asarray(mask))[1].mean() for mask in (left, right)]
        assert columns[0] < columns[1]


def test_shenzhen_images_have_palettes_but_for_some(roots):
    modes = set()
    for path in sorted((roots["shenzhen"] / "ChinaSet_AllFiles" / "CXR_png").iterdir()):
        with Image.open(path) as image:
            modes.add(image.mode)
    assert modes == {"P", "L"}


def test_readings_begin_as_the_original_ones(roots):
    texts = [path.read_text() for path in sorted(roots["shenzhen"].rglob("ClinicalReadings/*.txt"))]
    assert any(text.startswith(("Male, ", "Female, ")) for text in texts)
    assert {"normal"} < {text.split("\n")[1] for text in texts}
    first = next(roots["montgomery"].rglob("ClinicalReadings/MCUCXR_0001_?.txt")).read_text().splitlines()
    patient = make_patient(SEED, 1)
    assert first[:2] == [f"Patient's Sex: {patient.sex} ", f"Patient's Age: {patient.age:03d}Y"]
