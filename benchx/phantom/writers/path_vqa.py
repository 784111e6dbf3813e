"""PathVQA's lists as JSON, `qas/train_qas.json` and `images/train/train_0001.jpg`, filled with radiographs.

No slide of pathology is simulated: what is asked is what VQA-RAD's phantom is asked. Two patients of nine are test
patients and one is for validation.
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

_PARTS_OF_NINE = {3: "val", 4: "test", 8: "test"}


def _write_patient(root: Path, views: Views) -> list[dict[str, Any]]:
    patient = views.patient
    part = _PARTS_OF_NINE.get(patient.index % 9, "train")
    name = f"{part}_{patient.index:04d}"
    write_whole(root / "images" / part / f"{name}.jpg", encode_jpeg(to_8_bit(views[asked_image(patient)].pixels)))
    return [{"image": name, "question": asked.text, "answer": asked.answer.lower()} for asked in questions(patient)]


def _write_tables(root: Path, rows: Sequence[dict[str, Any]]) -> None:
    for part in ("train", "val", "test"):
        own = [row for row in rows if row["image"].startswith(part)]
        write_whole(root / "qas" / f"{part}_qas.json", json.dumps(own).encode())


LAYOUTS = {"path-vqa": Layout("path-vqa", _write_patient, _write_tables)}
