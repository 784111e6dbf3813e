from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets import nih
from benchx.errors import DatasetError

ROWS = [(1, 0, "No Finding"), (1, 1, "Mass|Edema"), (2, 0, "Effusion"), (3, 0, "Hernia")]


def test_labels_patients_and_split_come_from_the_official_files(write_nih):
    samples = nih.read(write_nih(ROWS, test=[3]))
    table = samples.table
    assert list(table["sample"]) == [
        "00000001_000.png",
        "00000001_001.png",
        "00000002_000.png",
        "00000003_000.png",
    ]
    assert list(table["patient"]) == ["1", "1", "2", "3"]
    assert list(table["study"]) == ["1_0", "1_1", "2_0", "3_0"]
    assert list(table["official"]) == ["train", "train", "train", "test"]
    assert samples.unit == "patient"
    assert not samples.phantom
    present = [[nih.CLASSES[i] for i in np.flatnonzero(row)] for row in samples.labels]
    assert present == [[], ["Edema", "Mass"], ["Effusion"], ["Hernia"]]
    assert all((samples.root / image).is_file() for image in table["image"])


def test_archives_may_stay_in_their_twelve_folders(write_nih):
    root = write_nih(ROWS)
    for number, name in enumerate(["00000001_000.png", "00000002_000.png"], start=1):
        folder = root / f"images_{number:03d}" / "images"
        folder.mkdir(parents=True)
        (root / "images" / name).rename(folder / name)
    samples = nih.read(root)
    assert samples.missing == ()
    assert samples.table["image"][0] == "images_001/images/00000001_000.png"
    assert samples.table["image"][1] == "images/00000001_001.png"


def test_a_listed_image_that_is_not_there_is_named(write_nih):
    root = write_nih(ROWS)
    (root / "images" / "00000002_000.png").unlink()
    assert nih.read(root).missing == ("00000002_000.png",)


def test_byte_order_mark_and_carriage_returns_are_accepted(write_nih):
    root = write_nih(ROWS, test=[3])
    for file in ("Data_Entry_2017_v2020.csv", "test_list.txt"):
        text = (root / file).read_text()
        (root / file).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert list(nih.read(root).table["official"]) == ["train", "train", "train", "test"]


def _csv(root: Path, edit) -> Path:
    path = root / "Data_Entry_2017_v2020.csv"
    path.write_text(edit(path.read_text()))
    return root


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda text: text.replace("Patient ID", "PatientID"), "no column 'Patient ID'"),
        (lambda text: text + text.splitlines()[1] + "\n", "more than once, first '00000001_000.png'"),
        (lambda text: text.replace("Hernia", "Hernias"), "line 5: label 'Hernias' is not in the class list"),
        (lambda text: "", "cannot be read as a CSV"),
        (lambda text: text.splitlines()[0] + "\n", "holds no rows"),
        (lambda text: text.replace(",2,57", ",,57"), "line 4: 'Patient ID' is empty"),
        (lambda text: text.replace("00000002_000.png,", ","), "line 4: 'Image Index' is empty"),
    ],
)
def test_a_wrong_csv_is_one_clear_error(write_nih, edit, says):
    with pytest.raises(DatasetError, match=says.replace("(", r"\(")) as caught:
        nih.read(_csv(write_nih(ROWS), edit))
    assert caught.value.why
    assert caught.value.todo


def test_missing_csv_and_missing_images_are_named(tmp_path, write_nih):
    with pytest.raises(DatasetError, match="Data_Entry_2017_v2020.csv is not in"):
        nih.read(tmp_path)
    root = write_nih(ROWS)
    (root / "images").rename(root / "pictures")
    with pytest.raises(DatasetError, match="no folder images or images_"):
        nih.read(root)


def test_a_list_that_is_not_text_is_named(write_nih):
    root = write_nih(ROWS)
    (root / "test_list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"test_list.txt is not a text file"):
        nih.read(root)


def test_an_image_in_both_lists_is_refused(write_nih):
    root = write_nih(ROWS, test=[3])
    with (root / "test_list.txt").open("a") as file:
        file.write("00000001_000.png\n")
    with pytest.raises(DatasetError, match="stand in both"):
        nih.read(root)


def test_an_image_in_no_list_and_a_list_without_its_image_are_noted(write_nih):
    root = write_nih(ROWS)
    (root / "train_val_list.txt").write_text("00000001_000.png\n99999999_000.png\n")
    samples = nih.read(root)
    assert list(samples.table["official"]) == ["train", "", "", ""]
    assert any("3 images of the CSV stand in neither" in note for note in samples.notes)
    assert any("names 1 images that the CSV does not hold" in note for note in samples.notes)


def test_the_real_sample_reads(shared):
    samples = nih.read(shared / "data" / "nih-256")
    assert len(samples.table) == 441
    assert samples.table["patient"].nunique() == 298
    assert (samples.table["official"] == "test").sum() == 64
    counts = dict(zip(samples.classes, samples.labels.sum(axis=0).astype(int), strict=True))
    table = pd.read_csv(shared / "data" / "nih-256" / "Data_Entry_2017_v2020.csv")
    expected = table["Finding Labels"].str.get_dummies("|").sum()
    assert counts == {name: int(expected.get(name, 0)) for name in nih.CLASSES}
    assert nih.read(shared / "data" / "nih-1024").missing == ()


def test_an_index_of_the_full_size_reads(tmp_path):
    patients = np.repeat(np.arange(30805), 4)[:112120]
    names = [f"{i:08d}_{j:03d}.png" for i, j in zip(patients, np.arange(112120) % 4, strict=True)]
    (tmp_path / "images").mkdir()
    lines = [f"{n},Mass|Nodule,0,{p},57,M,PA,1,1,1,1" for n, p in zip(names, patients, strict=True)]
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,a,b,c,d"
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text("\n".join([header, *lines]))
    samples = nih.read(tmp_path)
    assert samples.labels.shape == (112120, 14)
