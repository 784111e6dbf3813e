"""VQA-RAD as the literature divides it: `trainset.json`, `testset.json`, `imgid2idx.json` and `images/`.

Two patients of nine are test patients. Unlike the original's, no image is both trained on and tested.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchx.phantom.questions import asked_image, questions
from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.writing import write_whole

_TEST_OF_NINE = (4, 8)
_MOST_QUESTIONS = 100


def _write_patient(root: Path, views: Views) -> list[dict[str, Any]]:
    patient = views.patient
    name = f"synpic{patient.index}.jpg"
    write_whole(root / "images" / name, encode_jpeg(to_8_bit(views[asked_image(patient)].pixels)))
    return [
        {
            "qid": patient.index * _MOST_QUESTIONS + number,
            "image_name": name,
            "image_organ": "CHEST",
            "answer": asked.answer,
            "answer_type": "CLOSED" if asked.closed else "OPEN",
            "question_type": asked.kind,
            "question": asked.text,
            "phrase_type": "freeform",
        }
        for number, asked in enumerate(questions(patient))
    ]


def _write_tables(root: Path, rows: Sequence[dict[str, Any]]) -> None:
    def tested(row: dict[str, Any]) -> bool:
        return row["qid"] // _MOST_QUESTIONS % 9 in _TEST_OF_NINE

    for file, test in (("trainset.json", False), ("testset.json", True)):
        write_whole(root / file, json.dumps([row for row in rows if tested(row) == test]).encode())
    images = dict.fromkeys(row["image_name"] for row in rows)
    write_whole(root / "imgid2idx.json", json.dumps({name: number for number, name in enumerate(images)}).encode())


LAYOUTS = {name: Layout(name, _write_patient, _write_tables) for name in ("vqa-rad", "vqa-rad-chest")}
