"""VQA-Med 2019 as ImageCLEF published it: a text file of questions per category and part, and images by part.

Every image is asked its modality and its organ, which are the same of all, and its plane. Two patients of nine are test
patients and one is for validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchx.phantom.questions import asked_image
from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

_PARTS_OF_NINE = {3: "val", 4: "test", 8: "test"}
_FOLDERS = {
    "train": ("ImageClef-2019-VQA-Med-Training", "Train_images"),
    "val": ("ImageClef-2019-VQA-Med-Validation", "Val_images"),
    "test": ("VQAMed2019Test", "VQAMed2019_Test_Images"),
}
_CATEGORIES = {"Modality": "C1", "Plane": "C2", "Organ": "C3"}


class _Row(NamedTuple):
    part: str
    category: str
    image: str
    question: str
    answer: str


def _write_patient(root: Path, views: Views) -> list[_Row]:
    patient = views.patient
    number = asked_image(patient)
    part, image = _PARTS_OF_NINE.get(patient.index % 9, "train"), f"synpic{patient.index}"
    folder, images = _FOLDERS[part]
    write_whole(root / folder / images / f"{image}.jpg", encode_jpeg(to_8_bit(views[number].pixels)))
    return [
        _Row(part, "Modality", image, "what modality is shown?", "xr - plain film"),
        _Row(part, "Plane", image, "in what plane is this image?", patient.images[number].view.lower()),
        _Row(part, "Organ", image, "what organ system is shown?", "lung, mediastinum, pleura"),
    ]


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    for part in ("train", "val"):
        for category, code in _CATEGORIES.items():
            own = [row for row in rows if (row.part, row.category) == (part, category)]
            lines = [f"{row.image}|{row.question}|{row.answer}" for row in own]
            write_lines(root / _FOLDERS[part][0] / "QAPairsByCategory" / f"{code}_{category}_{part}.txt", lines)
    lines = [f"{row.image}|{row.category.lower()}|{row.question}|{row.answer}" for row in rows if row.part == "test"]
    write_lines(root / _FOLDERS["test"][0] / "VQAMed2019_Test_Questions_w_Ref_Answers.txt", lines)
    for folder, images in _FOLDERS.values():
        (root / folder / images).mkdir(parents=True, exist_ok=True)


LAYOUTS = {"medvqa-2019": Layout("medvqa-2019", _write_patient, _write_tables)}
