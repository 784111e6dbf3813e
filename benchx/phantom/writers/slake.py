"""SLAKE as published: `train.json`, `validate.json`, `test.json` and `imgs/xmlab1/source.jpg`, in English alone.

Two patients of nine are test patients and one is for validation.
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

CONTENT = {
    "MODALITY": "Modality",
    "PLANE": "Plane",
    "ABN": "Abnormality",
    "PRES": "Abnormality",
    "POS": "Position",
    "SIZE": "Size",
    "COUNT": "Quantity",
}
"""SLAKE's content type of every type of question."""

_PARTS_OF_NINE = {3: "validate", 4: "test", 8: "test"}


def _write_patient(root: Path, views: Views) -> list[dict[str, Any]]:
    patient = views.patient
    name = f"xmlab{patient.index}/source.jpg"
    write_whole(root / "imgs" / name, encode_jpeg(to_8_bit(views[asked_image(patient)].pixels)))
    return [
        {
            "img_id": patient.index,
            "img_name": name,
            "question": asked.text,
            "answer": asked.answer,
            "q_lang": "en",
            "location": "Lung",
            "modality": "X-Ray",
            "answer_type": "CLOSED" if asked.closed else "OPEN",
            "base_type": "vqa",
            "content_type": CONTENT[asked.kind],
            "triple": ["vhead", "_", "_"],
        }
        for asked in questions(patient)
    ]


def _write_tables(root: Path, rows: Sequence[dict[str, Any]]) -> None:
    numbered = [row | {"qid": number} for number, row in enumerate(rows)]
    for part in ("train", "validate", "test"):
        own = [row for row in numbered if _PARTS_OF_NINE.get(row["img_id"] % 9, "train") == part]
        write_whole(root / f"{part}.json", json.dumps(own).encode())


LAYOUTS = {"slake": Layout("slake", _write_patient, _write_tables)}
