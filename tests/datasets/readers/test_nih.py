from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.readers import nih
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


def test_images_in_no_list_and_in_no_table_are_counted(write_nih):
    root = write_nih(ROWS)
    (root / "train_val_list.txt").write_text("00000001_000.png\n")
    (root / "images" / "00000009_000.png").touch()
    samples = nih.read(root)
    assert list(samples.table["official"]) == ["train", "", "", ""]
    assert any("3 images of the CSV stand in neither" in note for note in samples.notes)
    assert any("1 image files stand in no row of Data_Entry_2017_v2020.csv" in note for note in samples.notes)


def test_a_list_with_an_unknown_image_is_refused(write_nih):
    root = write_nih(ROWS)
    (root / "train_val_list.txt").write_text("00000001_000.png\n99999999_000.png\n")
    with pytest.raises(DatasetError, match=r"train_val_list.txt, entry 2: '99999999_000.png' is not in the table"):
        nih.read(root)


BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


def test_boxes_are_in_a_frame_of_1024_pixels(write_nih):
    root = write_nih(ROWS)
    assert nih.read(root).regions == {}
    (root / "BBox_List_2017.csv").write_text(BOX_HEADER)
    assert nih.read(root).regions == {}
    (root / "BBox_List_2017.csv").write_text(
        BOX_HEADER + "00000001_001.png,Infiltrate,512,256,128.0,64.5\n00000001_001.png,Mass,0,0,1024,1024\n"
    )
    samples = nih.read(root)
    assert list(samples.regions) == ["00000001_001.png"]
    box = samples.regions["00000001_001.png"][0]
    assert (box.label, box.x, box.y, box.width, box.height) == ("Infiltration", 512, 256, 128, 64.5)
    assert box.where == "BBox_List_2017.csv, line 2"
    layers = samples.masks("00000001_001.png", 48, 48)
    assert layers.shape == (8, 48, 48)
    assert layers[samples.mask_classes.index("Mass")].all()
    infiltration = layers[samples.mask_classes.index("Infiltration")]
    assert infiltration.sum() == infiltration[12:15, 24:30].sum() == 18
    assert "segmentation" not in nih.DATASET.tasks


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("00000001_001.png,Infiltrate,512,256,128.0,-1", "line 2: the outline of 'Infiltration' does not fit"),
        ("00000001_001.png,Infiltrate,512,256,600,1", "line 2: the outline of 'Infiltration' does not fit"),
        ("00000001_001.png,Hernia,512,256,1,1", "line 2: Finding Label is 'Hernia'"),
        ("00000001_001.png,Mass,512,wide,1,1", "line 2: y is 'wide'"),
        ("00000001_001.png,Mass,512,256,,1", "line 2: 'w' is empty"),
        ("00000077_001.png,Mass,512,256,1,1", "line 2: '00000077_001.png' is not in the table of images"),
    ],
)
def test_a_wrong_box_is_one_clear_error(write_nih, row, says):
    root = write_nih(ROWS)
    (root / "BBox_List_2017.csv").write_text(f"{BOX_HEADER}{row}\n")
    with pytest.raises(DatasetError, match=says) as caught:
        nih.read(root)
    assert "BBox_List_2017.csv" in caught.value.what
    assert caught.value.todo


def test_the_real_sample_reads(shared):
    samples = nih.read(shared / "data" / "nih-256")
    assert len(samples.table) == 441
    assert samples.table["patient"].nunique() == 298
    assert (samples.table["official"] == "test").sum() == 64
    counts = dict(zip(samples.classes, samples.labels.sum(axis=0).astype(int), strict=True))
    table = pd.read_csv(shared / "data" / "nih-256" / "Data_Entry_2017_v2020.csv")
    expected = table["Finding Labels"].str.get_dummies("|").sum()
    assert counts == {name: int(expected.get(name, 0)) for name in nih.CLASSES}
    boxes = pd.read_csv(shared / "data" / "nih-256" / "BBox_List_2017.csv")
    assert sum(len(regions) for regions in samples.regions.values()) == len(boxes) > 0
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


@pytest.mark.parametrize(("text", "years"), [("58", 58), ("058Y", 58), ("006M", 0.5), ("414", None), ("", None)])
def test_ages_of_both_releases_are_years(write_nih, text, years):
    root = write_nih([(1, 0, "Mass")])
    table = root / "Data_Entry_2017_v2020.csv"
    table.write_text(table.read_text().replace(",57,", f",{text},"))
    age = nih.read(root).table["age"][0]
    assert age == years if years is not None else np.isnan(age)


def test_an_age_or_label_that_cannot_be_is_refused(write_nih):
    root = write_nih([(1, 0, "Mass")])
    table = root / "Data_Entry_2017_v2020.csv"
    sound = table.read_text()
    table.write_text(sound.replace(",57,", ",old,"))
    with pytest.raises(DatasetError, match="line 2: Patient Age is 'old'"):
        nih.read(root)
    table.write_text(sound.replace(",Mass,", ",No Finding|Mass,"))
    with pytest.raises(DatasetError, match=r"line 2: label 'No Finding' .*\n.*stands alone"):
        nih.read(root)
