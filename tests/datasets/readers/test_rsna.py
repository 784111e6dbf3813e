from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchx.datasets import splits
from benchx.datasets.readers import nih, rsna
from benchx.errors import DatasetError
from benchx.images.decode import read
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import nih as nih_layout
from benchx.phantom.writers import rsna as rsna_layout
from benchx.phantom.writers.writing import write_layouts

HEADER = "patientId,x,y,width,height,Target\n"


def _root(tmp_path: Path, rows: str, images: tuple[str, ...] = ("a", "b")) -> Path:
    (tmp_path / "stage_2_train_images").mkdir()
    for name in images:
        (tmp_path / "stage_2_train_images" / f"{name}.dcm").touch()
    (tmp_path / "stage_2_train_labels.csv").write_text(HEADER + rows)
    return tmp_path


def test_several_boxes_are_one_image_and_the_unit_is_the_image(tmp_path):
    samples = rsna.read(_root(tmp_path, "a,1.0,2.0,3.0,4.0,1\nb,,,,,0\na,9.0,9.0,3.0,4.0,1\n"))
    assert list(samples.table["sample"]) == ["a", "b"]
    assert samples.labels.tolist() == [[1.0], [0.0]]
    assert samples.unit == "image"
    assert samples.table["image"][1] == "stage_2_train_images/b.dcm"
    assert samples.missing == ()
    assert [len(samples.regions[name]) for name in "ab"] == [2, 0]
    assert samples.regions["a"][1].where == "stage_2_train_labels.csv, line 4"
    layer = samples.masks("a", 20, 20)[0]
    assert layer.sum() == layer[2:6, 1:4].sum() + layer[9:13, 9:12].sum() == 24
    assert not samples.masks("b", 20, 20).any()


def test_images_in_no_row_are_counted(tmp_path):
    samples = rsna.read(_root(tmp_path, "a,,,,,0\n"))
    assert "1 image files stand in no row of stage_2_train_labels.csv and are not used" in samples.notes


def test_a_missing_image_is_named(tmp_path):
    assert rsna.read(_root(tmp_path, "a,,,,,0\nb,,,,,0\nc,,,,,0\n")).missing == ("c",)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a,1,2,3,4,1\na,,,,,0\n", "both Target 0 and 1, first 'a'"),
        ("a,,,,,0\nb,,,,,2\n", "line 3: Target is '2'"),
        ("a,,,,,0\nb,,,,,1\n", "line 3: Target 1 without a complete box"),
        ("a,,,,,0\nb,1,2,3,,1\n", "line 3: Target 1 without a complete box"),
        ("a,,,,,0\nb,1,2,3,4,0\n", "line 3: Target 0 with a box"),
        ("a,,,,,0\nb,1,2,3,0,1\n", "line 3: a box without width or height"),
        ("a,,,,,0\nb,1,2,wide,4,1\n", "line 3: width is 'wide'"),
    ],
)
def test_contradicting_rows_are_refused(tmp_path, rows, says):
    with pytest.raises(DatasetError, match=says):
        rsna.read(_root(tmp_path, rows))


def test_missing_folder_and_file_are_named(tmp_path):
    with pytest.raises(DatasetError, match="stage_2_train_labels.csv is not in"):
        rsna.read(tmp_path)
    (tmp_path / "stage_2_train_labels.csv").write_text(HEADER + "a,,,,,0\n")
    with pytest.raises(DatasetError, match="no folder stage_2_train_images in"):
        rsna.read(tmp_path)


def _map(root: Path, entries: object, name: str = rsna.MAPPINGS[0]) -> Path:
    (root / name).write_text(json.dumps(entries))
    return root


ENTRIES = [
    {"subset_img_id": "b", "img_id": "00000017_003.png", "orig_labels": ["No Finding"]},
    {"subset_img_id": "a", "img_id": "00012345_000.png", "orig_labels": ["Pneumonia"]},
    {"subset_img_id": "of the challenge's test set", "img_id": "00000018_000.png"},
]


@pytest.mark.parametrize("name", rsna.MAPPINGS)
def test_the_mapping_of_rsna_gives_nih_patients(tmp_path, name):
    samples = rsna.read(_map(_root(tmp_path, "a,,,,,0\nb,,,,,0\n"), ENTRIES, name))
    assert list(samples.table["patient"]) == ["12345", "17"]
    assert samples.unit == "patient"
    assert samples.notes == ()


def test_without_the_mapping_a_note_says_what_it_would_give(tmp_path):
    samples = rsna.read(_root(tmp_path, "a,,,,,0\nb,,,,,0\n"))
    assert samples.table["patient"].isna().all()
    assert any(rsna.MAPPINGS[0] in note and "by patient" in note for note in samples.notes)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (ENTRIES[:1], r"lacks 1 of 2 images, first 'a'"),
        ([{"subset_img_id": "a"}], "entry 1: subset_img_id and img_id"),
        ([*ENTRIES, {"subset_img_id": "a", "img_id": "chest.png"}], "entry 4: subset_img_id and img_id"),
        (
            [*ENTRIES, {"subset_img_id": "a", "img_id": "00000001_000.png"}],
            "entry 4: 'a' is of patient 1 here and 12345",
        ),
        ({"a": "00000001_000.png"}, "entry 1: subset_img_id and img_id"),
    ],
)
def test_a_wrong_mapping_is_one_clear_error(tmp_path, entries, says):
    root = _map(_root(tmp_path, "a,,,,,0\nb,,,,,0\n"), entries)
    with pytest.raises(DatasetError, match=says) as caught:
        rsna.read(root)
    assert caught.value.todo
    (root / rsna.MAPPINGS[0]).write_text("not json")
    with pytest.raises(DatasetError, match="is not JSON"):
        rsna.read(root)


def test_the_phantom_names_the_nih_file_of_the_same_image(tmp_path):
    layouts = rsna_layout.LAYOUTS | nih_layout.LAYOUTS
    roots = {name: tmp_path / name for name in layouts}
    write_layouts(layouts, roots, 9, 6, 64, lambda done, total: None)
    ours, theirs = rsna.read(roots["rsna"]), nih.read(roots["nih"])
    mapping = {
        entry["subset_img_id"]: entry["img_id"] for entry in json.loads((roots["rsna"] / rsna.MAPPINGS[0]).read_text())
    }
    patients = dict(zip(theirs.table["sample"], theirs.table["patient"], strict=True))
    assert set(mapping) == set(ours.table["sample"])
    with (roots["rsna"] / rsna.TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, patient, image, label in zip(
        ours.table["sample"], ours.table["patient"], ours.table["image"], ours.labels[:, 0], strict=True
    ):
        assert patients[mapping[name]] == patient
        virtual = make_patient(6, int(patient))
        truth = render(virtual, virtual.frontal[-1], 64)
        assert label == bool(truth.labels & set(rsna_layout.OPACITIES))
        pixels = read(roots["nih"] / "images" / mapping[name]).astype(int)
        assert np.abs(read(roots["rsna"] / image).astype(int) - pixels).mean() < 3
        covered = np.zeros((64, 64), bool)
        for row in rows:
            if row["patientId"] == name and row["x"]:
                x, y, width, height = (int(float(row[key])) for key in ("x", "y", "width", "height"))
                covered[y : y + height, x : x + width] = True
        np.testing.assert_array_equal(ours.masks(name, 64, 64)[0], covered)
    fold = splits.make_folds(ours, "cv5")[0]
    assert not splits.units_in_two_parts(ours, [fold])


def test_known_before_the_files_are_there():
    dataset = rsna.DATASET
    assert dataset.tasks == ("classification", "few_shot", "segmentation", "zero_shot")
    assert [overlap.dataset for overlap in dataset.overlaps] == ["nih"]
