"""VQA-RAD in both forms: hand-made files, and the real questions with the images of the chest."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchx.datasets import DATASETS
from benchx.datasets.readers import vqa_rad
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.errors import DatasetError

SENTENCE = "Where is the enormous secret mass that nobody may read about?"


def entry(qid: Any, image: str = "synpic1.jpg", **change: Any) -> dict[str, Any]:
    fields = {
        "qid": qid,
        "image_name": image,
        "image_organ": "CHEST",
        "answer": "Yes",
        "answer_type": "CLOSED",
        "question_type": "PRES",
        "question": SENTENCE,
        "phrase_type": "freeform",
    }
    return fields | change


TRAIN = [
    entry(1, answer_type="CLOSED ", question_type="PRES, POS"),
    entry(2, image="synpic2.jpg", image_organ="HEAD", answer=3, answer_type="OPEN", question_type="ATRIB"),
]
TEST = [entry(3, answer="left lung", answer_type="open", question_type="Other")]


def write(root: Path, train: Any = TRAIN, test: Any = TEST, listed: Any = None) -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "images" / "synpic1.jpg").touch()
    for name, content in (("trainset.json", train), ("testset.json", test), ("imgid2idx.json", listed)):
        if content is not None:
            (root / name).write_text(json.dumps(content))
    return root


def test_one_row_per_image_and_one_per_question(tmp_path):
    samples = vqa_rad.read(write(tmp_path))
    assert samples.table[["sample", "image", "official"]].to_numpy().tolist() == [
        ["synpic1", "images/synpic1.jpg", ""],
        ["synpic2", "images/synpic2.jpg", "train"],
    ]
    columns = ["question", "sample", "answer", "closed", "kind", "official"]
    assert samples.questions[columns].to_numpy().tolist() == [
        ["1", "synpic1", "Yes", True, "PRES", "train"],
        ["2", "synpic2", "3", False, "ATTRIB", "train"],
        ["3", "synpic1", "left lung", False, "OTHER", "test"],
    ]
    assert samples.missing == ("synpic2",)
    assert (samples.unit, samples.labels.shape, samples.classes) == ("image", (2, 0), ())
    assert SENTENCE[:10] not in repr(samples)


def test_the_chest_part_is_a_dataset_of_its_own(tmp_path):
    write(tmp_path)
    (tmp_path / "images" / "synpic2.jpg").touch()
    (tmp_path / "images" / "stray.jpg").touch()
    (tmp_path / "valset.json").write_text("[]")
    samples = DATASETS["vqa-rad-chest"].read(tmp_path)
    assert samples.dataset == "vqa-rad-chest"
    assert samples.questions["question"].tolist() == ["1", "3"]
    assert samples.missing == ()
    assert samples.notes == (
        "1 images are on disk but not in the questions' files; they are not used",
        "valset.json is not part of the release and not used",
    )


def test_the_release_says_in_its_phrase_types_what_is_tested(tmp_path):
    folder = tmp_path / "VQA_RAD Image Folder"
    folder.mkdir()
    (folder / "synpic1.jpg").touch()
    whole = [entry("9", phrase_type="test_para"), entry("0"), entry("1", phrase_type="test_freeform"), entry("2")]
    (tmp_path / vqa_rad.WHOLE).write_text(json.dumps(whole))
    asked = vqa_rad.read(tmp_path).questions
    assert asked[["question", "official"]].to_numpy().tolist() == [
        ["0", "train"],
        ["2", "train"],
        ["9", "test"],
        ["1", "test"],
    ]
    assert vqa_rad.read(tmp_path).table["image"].tolist() == ["VQA_RAD Image Folder/synpic1.jpg"]


def changed(**change: Any) -> list[dict[str, Any]]:
    content = copy.deepcopy(TRAIN)
    content[1] |= change
    return content


def without(key: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in TRAIN[0].items() if name != key}]


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (changed(image_name=None), "trainset.json, entry 2: question '2' names no image"),
        (changed(image_name=" "), "entry 2: question '2' names no image"),
        (changed(answer=None), "entry 2: question '2' has no answer"),
        (changed(answer="  "), "entry 2: question '2' has no answer"),
        (changed(answer=float("nan")), "entry 2: question '2' has no answer"),
        (changed(question=""), "entry 2: question '2' has no text"),
        (changed(qid=1), r"entry 2: question '1' is asked a second time\nwhy: .*trainset.json, entry 1"),
        (changed(qid=3), r"testset.json, entry 1: question '3' is asked a second time\nwhy: .*trainset.json, entry 2"),
        (changed(answer_type="MAYBE"), "entry 2: answer_type is 'MAYBE'"),
        (changed(image_name="other.jpg"), "entry 2: its image 'other.jpg' is not in imgid2idx.json"),
        (without("answer"), "entry 1 has no 'answer'"),
        (["text"], "entry 1 has no 'qid'.*found: no keys"),
        ({}, "trainset.json is no list"),
    ],
)
def test_a_malformed_question_is_named_and_not_shown(tmp_path, train, says):
    listed = {"synpic1.jpg": 0, "synpic2.jpg": 1}
    with pytest.raises(DatasetError, match=f"(?s){says}") as caught:
        vqa_rad.read(write(tmp_path, train, listed=listed))
    assert caught.value.todo
    assert "secret" not in str(caught.value)


def test_files_that_are_not_there_are_explained(tmp_path):
    with pytest.raises(DatasetError, match="no folder images or VQA_RAD Image Folder"):
        vqa_rad.read(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match="neither trainset.json and testset.json nor 'VQA_RAD Dataset Public.json'"):
        vqa_rad.read(tmp_path)
    write(tmp_path, test=None)
    with pytest.raises(DatasetError, match="testset.json is not in"):
        vqa_rad.read(tmp_path)
    with pytest.raises(DatasetError, match="asks no question"):
        vqa_rad.read(write(tmp_path, [], []))


@pytest.fixture(scope="module")
def real(shared):
    root = shared / "data" / "vqa-rad"
    if not root.is_dir():
        pytest.skip("VQA-RAD is not in ../shared")
    return root


def test_the_published_questions_are_counted_as_in_the_literature(real):
    samples = vqa_rad.read(real)
    asked = samples.questions
    assert asked["official"].value_counts().to_dict() == {"train": 3064, "test": 451}
    tested = asked[asked["official"] == "test"]
    assert (int(tested["closed"].sum()), int((~tested["closed"]).sum())) == (272, 179)
    assert len(samples.table) == 314
    assert len(samples.missing) == 314 - 107
    assert set(asked["kind"]) == set("ABN ATTRIB COLOR COUNT MODALITY ORGAN OTHER PLANE POS PRES SIZE".split())  # noqa: SIM905
    assert set(tested["sample"]) <= set(asked["sample"][asked["official"] == "train"])


def test_the_chest_part_has_all_its_images_and_a_split_without_tested_ones(real):
    samples = DATASETS["vqa-rad-chest"].read(real).sorted()
    assert (len(samples.table), len(samples.questions), samples.missing) == (107, 1262, ())
    cases = samples.cases
    (official,), (unseen,) = (make_folds(cases, kind) for kind in ("official", "official-unseen"))
    assert len(units_in_two_parts(cases, [official])) == 73
    assert units_in_two_parts(cases, [unseen]) == []
    np.testing.assert_array_equal(official.test, unseen.test)
    assert set(unseen.train) < set(official.train)
    assert (len(unseen.train), len(unseen.val), len(unseen.test)) == (330, 25, 174)
    folds = make_folds(cases, "cv5")
    assert units_in_two_parts(cases, folds) == []
    assert sum(len(fold.test) for fold in folds) == 1262
