"""VQA-Med 2019: hand-made files in the challenge's layout and in M3AE's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchx.datasets.check import check
from benchx.datasets.readers import medvqa_2019
from benchx.datasets.splits import make_folds
from benchx.errors import DatasetError

LINES = {"Modality": "is this an mri?|no", "Organ": "what organ?|skull", "Plane": "which plane?|axial"}
FOLDERS = {
    "train": ("ImageClef-2019-VQA-Med-Training", "Train_images"),
    "val": ("ImageClef-2019-VQA-Med-Validation", "Val_images"),
}


def challenge(root: Path) -> Path:
    codes = {"Modality": "C1", "Plane": "C2", "Organ": "C3"}
    for part, (folder, images) in FOLDERS.items():
        (root / folder / images).mkdir(parents=True)
        (root / folder / images / f"{part}1.jpg").touch()
        by = root / folder / "QAPairsByCategory"
        by.mkdir()
        for category, code in codes.items():
            (by / f"{code}_{category}_{part}.txt").write_text(f"{part}1|{LINES[category]}\r\n")
        (by / f"C4_Abnormality_{part}.txt").write_text(f"{part}1|what is wrong?|everything\n")
    (root / "VQAMed2019Test" / "VQAMed2019_Test_Images").mkdir(parents=True)
    lines = [
        "test1|plane|which plane?|coronal",
        "test2|abnormality|what is wrong?|Sj\xf6gren",
        "test3|modality|kind?|yes",
    ]
    file = root / "VQAMed2019Test" / "VQAMed2019_Test_Questions_w_Ref_Answers.txt"
    file.write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    return root


def m3ae(root: Path) -> Path:
    for part in ("train", "val", "test"):
        (root / part / "QA").mkdir(parents=True)
        (root / part / "images").mkdir()
        (root / part / "images" / f"{part}1.jpg").touch()
        for category, line in LINES.items():
            (root / part / "QA" / f"{category}.csv").write_text(f"{part}1|{line}\n")
    return root


def test_three_categories_of_the_challenge(tmp_path):
    samples = medvqa_2019.read(challenge(tmp_path))
    assert samples.questions[["question", "sample", "answer", "closed", "kind", "official"]].to_numpy().tolist() == [
        ["train/train1/Modality", "train1", "no", True, "Modality", "train"],
        ["train/train1/Organ", "train1", "skull", False, "Organ", "train"],
        ["train/train1/Plane", "train1", "axial", False, "Plane", "train"],
        ["val/val1/Modality", "val1", "no", True, "Modality", "val"],
        ["val/val1/Organ", "val1", "skull", False, "Organ", "val"],
        ["val/val1/Plane", "val1", "axial", False, "Plane", "val"],
        ["test/test1/Plane", "test1", "coronal", False, "Plane", "test"],
        ["test/test3/Modality", "test3", "yes", True, "Modality", "test"],
    ]
    assert samples.missing == ("test1", "test3")
    assert samples.table["image"][0] == "ImageClef-2019-VQA-Med-Training/Train_images/train1.jpg"


def test_m3aes_layout_gives_the_same_questions(tmp_path):
    samples = medvqa_2019.read(m3ae(tmp_path))
    assert samples.missing == ()
    assert samples.table["official"].tolist() == ["train", "val", "test"]
    assert samples.questions["kind"].tolist() == ["Modality", "Organ", "Plane"] * 3


def test_an_image_of_two_parts_is_one_image_and_leaves_the_unseen_split(tmp_path):
    """A training image is tested on, and lies in both folders; another one is trained on alone."""
    root = m3ae(tmp_path)
    (root / "test" / "images" / "train1.jpg").touch()
    with (root / "test" / "QA" / "Plane.csv").open("a") as file:
        file.write("train1|which plane?|sagittal\n")
    with (root / "train" / "QA" / "Plane.csv").open("a") as file:
        file.write("train2|which plane?|axial\n")
    samples = medvqa_2019.read(root).sorted()
    assert sorted(samples.table["sample"]) == ["test1", "train1", "train2", "val1"]
    assert check(samples, lambda done, total: None).shared == ("train/images/train1.jpg",)
    cases = samples.cases
    (official,), (unseen,) = (make_folds(cases, kind) for kind in ("official", "official-unseen"))
    names = cases.table["sample"].to_numpy()
    assert set(names[official.train]) - set(names[unseen.train]) == {
        f"train/train1/{category}" for category in ("Modality", "Organ", "Plane")
    }
    assert names[unseen.train].tolist() == ["train/train2/Plane"]
    assert "test/train1/Plane" in names[unseen.test]


def test_an_image_that_lies_with_another_part_only_is_found_there(tmp_path):
    root = m3ae(tmp_path)
    with (root / "train" / "QA" / "Plane.csv").open("a") as file:
        file.write("test1|which plane?|axial\n")
    samples = medvqa_2019.read(root)
    assert samples.missing == ()
    assert samples.table.set_index("sample")["image"]["test1"] == "test/images/test1.jpg"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train1|secret?", "Plane.csv, line 1 has 2 fields"),
        ("train1|secret|?|axial", "line 1 has 4 fields"),
        ("|secret?|axial", "names no image"),
        ("train1|secret?| ", "has no answer"),
        ("train1|secret?|a\ntrain1|secret?|b", "line 2: question 'train/train1/Plane' is asked a second time"),
    ],
)
def test_a_malformed_line_is_named_and_not_shown(tmp_path, line, says):
    root = m3ae(tmp_path)
    (root / "train" / "QA" / "Plane.csv").write_text(line)
    with pytest.raises(DatasetError, match=says) as caught:
        medvqa_2019.read(root)
    assert "secret" not in str(caught.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match="the part 'train' of medvqa-2019 is not in"):
        medvqa_2019.read(tmp_path)
    root = m3ae(tmp_path)
    (root / "val" / "QA" / "Organ.csv").unlink()
    with pytest.raises(DatasetError, match=r"Organ\.csv is not in"):
        medvqa_2019.read(root)
