"""SLAKE (Liu et al., ISBI 2021): questions about radiographs, CT and MR of several bodies of images, in English.

Layout: `train.json`, `validate.json` (or `validation.json`), `test.json` and `imgs/xmlab0/source.jpg` ... Questions in
Chinese (`q_lang` other than `en`) are left out, as M3AE does. What a question asks about is its `content_type`. The
published parts share no image; no patients are named, so the unit is the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from benchx.datasets.folders import find_paths, first_of
from benchx.datasets.questions import Asked, build_samples, is_closed, read_entries
from benchx.datasets.samples import Dataset, Overlap, Samples

FILES = {"train": ("train.json",), "val": ("validate.json", "validation.json"), "test": ("test.json",)}
IMAGES = "imgs"
LANGUAGE = "en"
_KEYS = ("qid", "img_name", "question", "answer", "answer_type", "content_type", "q_lang")


def read(root: Path) -> Samples:
    """Read the English questions.

    Raises:
        DatasetError: a file is missing or malformed, a question has no image, text or answer, or an id is given twice.
    """
    found = find_paths(root, (IMAGES,), (".jpg", ".png"))
    asked, others = [], 0
    for part, names in FILES.items():
        path = first_of(root, names)
        for number, entry in enumerate(read_entries(path, _KEYS), start=1):
            if str(entry["q_lang"]).strip().lower() == LANGUAGE:
                asked.append(_asked(part, f"{path}, entry {number}", entry))
            else:
                others += 1
    notes = (f"{others} questions in another language than English are not used",) if others else ()
    return build_samples("slake", root, asked, found, notes)


def _asked(part: str, where: str, entry: Mapping[str, Any]) -> Asked:
    name = str(entry["img_name"] or "").strip()
    return Asked(
        question=str(entry["qid"]).strip(),
        sample=PurePosixPath(name).parent.as_posix() if "/" in name else PurePosixPath(name).stem,
        image=f"{IMAGES}/{name}" if name else "",
        text=entry["question"],
        answer=entry["answer"],
        closed=is_closed(entry["answer_type"], where),
        kind=str(entry["content_type"]).strip() or None,
        official=part,
        where=where,
    )


DATASET = Dataset(
    name="slake",
    title="SLAKE, the English questions",
    licence="CC BY 4.0",
    source="med-vqa.com/slake",
    citation="Liu et al., SLAKE, ISBI 2021",
    size="about 7 000 questions on 642 images, 0.2 GB",
    tasks=("vqa",),
    family="slake",
    classes=(),
    read=read,
    overlaps=(Overlap("nih", "its radiographs of the chest", "Liu et al., ISBI 2021"),),
)
