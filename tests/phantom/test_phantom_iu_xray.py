"""The IU X-Ray phantoms: their files by plain json, XML and Pillow, and through the reader against what was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import iu_xray as reader
from benchx.phantom.patients import Patient, make_patient
from benchx.phantom.render import render
from benchx.phantom.reports import report
from benchx.phantom.writers import iu_xray
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 14, 1, 64
PUBLISHED = {"train": (1, 2, 5, 6, 9, 10, 11), "val": (3, 12), "test": (4, 8, 13)}
"""Numbers of the patients in each part of R2Gen's form; those without findings (7, 14) are in none."""


def _write(folder: Path, patients: int = PATIENTS) -> dict[str, Path]:
    roots = {name: folder / name for name in iu_xray.LAYOUTS}
    write_layouts(iu_xray.LAYOUTS, roots, patients, SEED, SIZE, lambda done, total: None)
    return roots


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("iu"))


def _seen(patient: Patient, numbers: list[int]) -> str:
    specs = [patient.images[number] for number in numbers]
    return report(specs[0].findings, sorted({name for spec in specs for name in spec.objects}))


def _annotation(root: Path) -> dict:
    return json.loads((root / "annotation.json").read_text())


def test_the_annotation_has_the_published_keys(roots, shared):
    content, real = _annotation(roots["iu-xray"]), _annotation(shared / "data" / "iu-xray")
    assert list(content) == list(real)
    assert list(content["train"][0]) == list(real["train"][0])


def test_the_annotation_lists_the_images_that_are_there(roots):
    content = _annotation(roots["iu-xray"])
    for part, entries in content.items():
        assert entries
        assert {entry["split"] for entry in entries} == {part}
    listed = {path for entries in content.values() for entry in entries for path in entry["image_path"]}
    folder = roots["iu-xray"] / "images"
    assert listed == {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_the_reader_gives_what_was_drawn_in_r2gens_form(roots):
    root = roots["iu-xray"]
    samples = reader.read(root)
    assert samples.phantom
    assert (samples.missing, samples.notes) == ((), ())
    position, pairs = 0, 0
    for part, indices in PUBLISHED.items():
        for index in indices:
            patient = make_patient(SEED, index)
            numbers = iu_xray.chosen_study(patient)
            pairs += len(numbers) == 2
            for view, number in enumerate(numbers):
                row = samples.table.iloc[position]
                assert (row["sample"], row["official"]) == (f"CXR{index}_IM-{index:04d}/{view}", part)
                assert samples.reports[row["sample"]].findings == _seen(patient, numbers)
                with Image.open(root / row["image"]) as image:
                    np.testing.assert_array_equal(np.asarray(image), render(patient, number, SIZE).pixels >> 4)
                position += 1
    assert position == len(samples.table)
    assert pairs == 3


def test_the_reader_gives_what_was_drawn_in_open_is_form(roots):
    root = roots["iu-xray-openi"]
    samples = reader.read(root)
    assert samples.phantom
    assert samples.missing == ()
    assert not samples.publishes_split
    assert samples.notes == ("2 of 14 reports have no findings, first 14.xml",)
    for index in range(1, PATIENTS + 1):
        patient = make_patient(SEED, index)
        numbers = iu_xray.chosen_study(patient)
        rows = samples.table[samples.table["study"] == f"CXR{index}"]
        assert len(rows) == len(numbers)
        for name, path, number in zip(rows["sample"], rows["image"], numbers, strict=True):
            assert samples.reports[name].findings == (None if index % 7 == 0 else _seen(patient, numbers))
            assert samples.reports[name].impression
            with Image.open(root / path) as image:
                np.testing.assert_array_equal(np.asarray(image), render(patient, number, SIZE).pixels >> 4)


def test_open_is_files_have_the_published_elements(roots):
    tree = ElementTree.parse(roots["iu-xray-openi"] / "ecgen-radiology" / "1.xml").getroot()
    assert tree.find("uId").get("id") == "CXR1"
    labels = [text.get("Label") for text in tree.findall("MedlineCitation/Article/Abstract/AbstractText")]
    assert labels == ["COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION"]
    assert [image.get("id") for image in tree.findall("parentImage")] == ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"]
    assert len(tree.findall("MeSH/major")) >= 1


def test_a_study_with_a_lateral_is_preferred():
    for index in (1, 6, 12):
        patient = make_patient(SEED, index)
        assert [patient.images[number].view for number in iu_xray.chosen_study(patient)] == ["PA", "LATERAL"]


def test_the_same_bytes_twice_and_fewer_patients_are_the_first_of_more(roots, tmp_path):
    few = _write(tmp_path, 4)
    for name, root in few.items():
        for path in (*root.rglob("*.png"), *root.rglob("*.xml")):
            assert path.read_bytes() == (roots[name] / path.relative_to(root)).read_bytes()
    before = (few["iu-xray"] / "annotation.json").read_bytes()
    _write(tmp_path, 4)
    assert (few["iu-xray"] / "annotation.json").read_bytes() == before
