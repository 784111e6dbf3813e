"""The written roots read as the published datasets do, by plain pandas, Pillow and pydicom."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from benchx.errors import UsageError
from benchx.phantom import writers
from benchx.phantom.findings import NIH_FINDINGS
from benchx.phantom.patients import make_patient
from benchx.phantom.render import render
from benchx.phantom.writers import LAYOUTS
from benchx.phantom.writers.root import MARKER

PATIENTS, SEED, SIZE = 18, 6, 64


def write(name, out, patients=PATIENTS, seed=SEED):
    steps = []
    writers.write(name, out, patients, seed, SIZE, lambda done, total: steps.append((done, total)))
    return steps


def contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def nih(tmp_path_factory):
    root = tmp_path_factory.mktemp("nih")
    assert write("nih", root) == [(k, PATIENTS) for k in range(1, PATIENTS + 1)]
    return root


@pytest.fixture(scope="module")
def rsna(tmp_path_factory):
    root = tmp_path_factory.mktemp("rsna")
    write("rsna", root)
    return root


def test_nih_table_parses_as_the_official_one(nih):
    entries = pd.read_csv(nih / "Data_Entry_2017_v2020.csv")
    assert list(entries.columns[:2]) == ["Image Index", "Finding Labels"]
    assert list(entries.columns[7:]) == [
        "OriginalImage[Width",
        "Height]",
        "OriginalImagePixelSpacing[x",
        "y]",
    ]
    names = {label for labels in entries["Finding Labels"] for label in labels.split("|")}
    assert names <= {*NIH_FINDINGS, "No Finding"}
    assert entries["Image Index"].is_unique
    assert set(entries["View Position"]) <= {"PA", "AP"}
    assert set(entries["Patient Gender"]) == {"M", "F"}
    assert set(entries["Image Index"]) == {p.name for p in (nih / "images").iterdir()}
    assert entries["Patient ID"].nunique() == PATIENTS


def test_nih_images_are_the_rendered_ones(nih):
    for path in sorted((nih / "images").iterdir())[:6]:
        index, follow_up = map(int, re.fullmatch(r"(\d{8})_(\d{3})\.png", path.name).groups())
        patient = make_patient(SEED, index)
        with Image.open(path) as image:
            assert image.mode == "L"
            pixels = np.asarray(image)
        np.testing.assert_array_equal(pixels, render(patient, patient.frontal[follow_up], SIZE).pixels >> 4)


def test_nih_lists_split_patients(nih):
    lists = {name: (nih / name).read_text().split("\n") for name in ("train_val_list.txt", "test_list.txt")}
    assert all(lines[-1] == "" for lines in lists.values())
    train, test = (set(lines[:-1]) for lines in lists.values())
    assert train | test == {p.name for p in (nih / "images").iterdir()}
    assert not {name[:8] for name in train} & {name[:8] for name in test}
    assert len({name[:8] for name in test}) == PATIENTS * 2 // 9


def test_nih_boxes_lie_in_the_frame_of_1024_pixels(nih):
    boxes = pd.read_csv(nih / "BBox_List_2017.csv", skiprows=1, header=None, names=["image", "label", *"xywh"])
    entries = pd.read_csv(nih / "Data_Entry_2017_v2020.csv").set_index("Image Index")["Finding Labels"]
    assert (nih / "BBox_List_2017.csv").read_text().startswith("Image Index,Finding Label,Bbox [x,y,w,h],,,\n")
    assert "Infiltration" not in set(boxes["label"])
    for row in boxes.itertuples():
        assert row.label.replace("Infiltrate", "Infiltration") in entries[row.image].split("|")
        assert 0 <= row.x < row.x + row.w <= 1024
        assert 0 <= row.y < row.y + row.h <= 1024


def test_nih_header_equals_the_real_one(nih):
    real = Path(__file__).parents[2] / ".." / "shared" / "data" / "nih-256"
    if not real.is_dir():
        pytest.skip("../shared/data/nih-256 is not here")
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        ours, theirs = ((root / name).read_text().splitlines()[0] for root in (nih, real))
        assert ours == theirs


def test_rsna_tables_agree_with_each_other(rsna):
    labels = pd.read_csv(rsna / "stage_2_train_labels.csv")
    classes = pd.read_csv(rsna / "stage_2_detailed_class_info.csv")
    assert list(labels.columns) == ["patientId", "x", "y", "width", "height", "Target"]
    assert labels["patientId"].tolist() == classes["patientId"].tolist()
    assert labels["patientId"].nunique() == PATIENTS
    positive = labels["Target"] == 1
    assert positive.any()
    assert not positive.all()
    assert (classes["class"] == "Lung Opacity").tolist() == positive.tolist()
    assert set(classes["class"]) == {"Lung Opacity", "Normal", "No Lung Opacity / Not Normal"}
    assert labels.loc[~positive, ["x", "y", "width", "height"]].isna().all(axis=None)
    found = labels[positive]
    assert (found["x"] + found["width"] <= SIZE).all()
    assert (found["y"] + found["height"] <= SIZE).all()


def test_rsna_files_are_baseline_jpeg_dicom(rsna):
    ids = set(pd.read_csv(rsna / "stage_2_train_labels.csv")["patientId"])
    files = sorted((rsna / "stage_2_train_images").iterdir())
    assert {path.stem for path in files} == ids
    people = {(f"{p.age:03d}Y", p.sex) for p in (make_patient(SEED, k) for k in range(1, PATIENTS + 1))}
    for path in files[:5]:
        data = pydicom.dcmread(path)
        assert data.file_meta.TransferSyntaxUID.name == "JPEG Baseline (Process 1)"
        assert (data.Modality, data.BodyPartExamined, data.PhotometricInterpretation) == (
            "CR",
            "CHEST",
            "MONOCHROME2",
        )
        assert data.ViewPosition in {"PA", "AP"}
        assert (data.PatientAge, data.PatientSex) in people
        assert len(data.PixelSpacing) == 2
        assert data.pixel_array.shape == (SIZE, SIZE)
        assert data.pixel_array.std() > 20


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_second_run_writes_the_same_bytes(name, tmp_path):
    write(name, tmp_path, patients=4)
    before = contents(tmp_path)
    write(name, tmp_path, patients=4)
    assert contents(tmp_path) == before
    assert json.loads((tmp_path / MARKER).read_text()) == {
        "phantom": 1,
        "dataset": name,
        "patients": 4,
        "seed": SEED,
        "size": SIZE,
    }


def test_more_patients_keep_the_first_ones(nih, tmp_path):
    write("nih", tmp_path / "few", patients=4)
    few, many = contents(tmp_path / "few"), contents(nih)
    assert all(many[name] == data for name, data in few.items() if name.endswith(".png"))


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_refuses_to_write_among_other_files(name, tmp_path):
    precious = tmp_path / "images" / "00000001_000.png"
    precious.parent.mkdir()
    precious.write_bytes(b"a real image")
    with pytest.raises(UsageError, match=r"holds no PHANTOM\.json"):
        write(name, tmp_path)
    assert contents(tmp_path) == {"images/00000001_000.png": b"a real image"}


def test_refuses_another_phantom_a_file_and_senseless_numbers(nih, tmp_path):
    with pytest.raises(UsageError, match="another phantom"):
        write("nih", nih, seed=SEED + 1)
    with pytest.raises(UsageError, match="another phantom"):
        write("rsna", nih)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UsageError, match="holds no"):
        write("nih", file)
    for patients, seed in ((0, 1), (3, -1)):
        with pytest.raises(UsageError, match="cannot write"):
            write("nih", tmp_path / "new", patients, seed)
    assert not (tmp_path / "new").exists()
