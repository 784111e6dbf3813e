"""The written COVIDx root: parsed by plain string splitting, and read back as the patients are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchx.datasets.readers import covidx as reader
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import covidx as writer
from benchx.phantom.writers.writing import write_layouts

PATIENTS, SEED, SIZE = 12, 6, 64


def _write(out, patients=PATIENTS):
    write_layouts(writer.LAYOUTS, {"covidx": out}, patients, SEED, SIZE, lambda done, total: None)
    return out


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("covidx"))


@pytest.fixture(scope="module")
def lines(root):
    """The fields of every line, by part."""
    return {
        part: [line.split(" ") for line in (root / f"{part}.txt").read_text().splitlines()] for part in reader.PARTS
    }


def _truth():
    """Per frontal image, in the order of the lists: patient index and whether it is positive."""
    for part in reader.PARTS:
        for index in range(1, PATIENTS + 1):
            if {3: "val", 7: "test"}.get(index % 10, "train") == part:
                patient = make_patient(SEED, index)
                for number in patient.frontal:
                    labels = {finding.name for finding in patient.images[number].findings}
                    yield part, index, number, bool(labels & {"Pneumonia", "Infiltration"})


def test_lists_have_four_fields_and_name_every_file(root, lines):
    for part, rows in lines.items():
        assert rows
        assert {len(fields) for fields in rows} == {4}
        assert {fields[2] for fields in rows} <= {"positive", "negative"}
        assert {fields[1] for fields in rows} == {path.name for path in (root / part).iterdir()}
    assert {fields[3] for rows in lines.values() for fields in rows} == {"cohen", "ricord", "rsna"}


def test_the_reader_gives_labels_patients_and_parts_of_the_patients(root):
    samples = reader.read(root)
    truth = list(_truth())
    assert samples.labels.ravel().tolist() == [positive for *_, positive in truth]
    assert 0 < samples.labels.mean() < 1
    assert list(samples.table["official"]) == [part for part, *_ in truth]
    assert samples.missing == ()
    assert samples.phantom
    by_patient = samples.table.groupby([index for _, index, *_ in truth])["patient"].nunique()
    assert all(count == 1 for index, count in by_patient.items() if writer.SOURCES[index % 3] != "rsna")


def test_png_files_hold_the_rendered_pixels(root, lines):
    images = [(part, number, index) for part, index, number, _ in _truth()]
    fields = [(part, fields[1]) for part, rows in lines.items() for fields in rows]
    checked = 0
    for (part, number, index), (listed, name) in zip(images, fields, strict=True):
        assert part == listed
        with Image.open(root / part / name) as image:
            assert (image.mode, image.size) == ("L", (SIZE, SIZE))
            assert image.format == ("JPEG" if name.endswith(".jpg") else "PNG")
            if image.format == "PNG" and checked < 4:
                expected = render(make_patient(SEED, index), number, SIZE).pixels >> 4
                np.testing.assert_array_equal(np.asarray(image), expected)
                checked += 1
    assert checked == 4


def test_names_cut_at_the_first_dot_collide_as_in_the_original(root):
    whole, cut = reader.read(root), reader.read_benchx_2024(root)
    assert whole.table["sample"].is_unique
    assert cut.table["sample"].is_unique
    assert len(cut.table) < len(whole.table) - len(reader.PARTS)
    assert set(cut.table["image"]) < set(whole.table["image"])


def test_fewer_patients_give_the_same_lines_and_files(root, tmp_path):
    few = _write(tmp_path / "few", 7)
    for part in reader.PARTS:
        lines = (few / f"{part}.txt").read_text()
        assert (root / f"{part}.txt").read_text().startswith(lines)
        for path in (few / part).iterdir():
            assert path.read_bytes() == (root / part / path.name).read_bytes()
