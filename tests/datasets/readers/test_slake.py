"""SLAKE: hand-made files in the published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchx.datasets.readers import slake
from benchx.errors import DatasetError


def entry(qid: int, image: str = "xmlab1/source.jpg", **change: Any) -> dict[str, Any]:
    fields = {
        "img_id": 1,
        "img_name": image,
        "question": "secret?",
        "answer": "Lung",
        "q_lang": "en",
        "answer_type": "OPEN",
        "base_type": "vqa",
        "content_type": "Organ",
        "qid": qid,
    }
    return fields | change


def write(root: Path, train: list[Any], val: str = "validate") -> Path:
    folder = root / "imgs" / "xmlab1"
    folder.mkdir(parents=True)
    (folder / "source.jpg").touch()
    (folder / "mask.png").touch()
    parts = {"train": train, val: [entry(10, "xmlab2/source.jpg")], "test": [entry(11, "xmlab3/source.jpg")]}
    for name, content in parts.items():
        (root / f"{name}.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("val", ["validate", "validation"])
def test_english_questions_alone_by_their_content(tmp_path, val):
    chinese = entry(2, q_lang="zh")
    samples = slake.read(write(tmp_path, [entry(1, answer_type="CLOSED", answer="No"), chinese], val))
    assert samples.questions[["question", "sample", "answer", "closed", "kind", "official"]].to_numpy().tolist() == [
        ["1", "xmlab1", "No", True, "Organ", "train"],
        ["10", "xmlab2", "Lung", False, "Organ", "val"],
        ["11", "xmlab3", "Lung", False, "Organ", "test"],
    ]
    assert samples.table["official"].tolist() == ["train", "val", "test"]
    assert samples.missing == ("xmlab2", "xmlab3")
    assert samples.notes == ("1 questions in another language than English are not used",)


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ([entry(1, img_name="")], "train.json, entry 1: question '1' names no image"),
        ([entry(1), entry(1)], "train.json, entry 2: question '1' is asked a second time"),
        ([entry(11)], "test.json, entry 1: question '11' is asked a second time"),
        ([entry(1, answer="")], "question '1' has no answer"),
        ([{"qid": 1}], "entry 1 has no 'img_name'"),
    ],
)
def test_a_malformed_question_is_named_and_not_shown(tmp_path, train, says):
    with pytest.raises(DatasetError, match=says) as caught:
        slake.read(write(tmp_path, train))
    assert "secret" not in str(caught.value)


def test_a_part_that_is_not_there_is_named(tmp_path):
    root = write(tmp_path, [entry(1)])
    (root / "validate.json").unlink()
    with pytest.raises(DatasetError, match=r"validate\.json is not in"):
        slake.read(root)
