"""From questions as published files ask them to samples: one row per image, one question about it or many."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.files import read_json, shown
from benchx.datasets.folders import is_phantom
from benchx.datasets.samples import COLUMNS, QUESTION_COLUMNS, Samples
from benchx.errors import DatasetError

PARTS = ("train", "val", "test")
_YES_OR_NO = ("yes", "no")


@dataclass(frozen=True)
class Asked:
    """A question as a source has it; errors name `where` it stands and show neither its text nor its answer.

    Attributes:
        question: its id.
        sample, image: of the image, its id and its path relative to the root.
        text, answer: as the source writes them; an answer may be a number.
        closed, kind, official: see `benchx.datasets.samples.QUESTION_COLUMNS`.
    """

    question: str
    sample: str
    image: str
    text: object
    answer: object
    closed: bool
    kind: str | None
    official: str
    where: str


def build_samples(
    dataset: str, root: Path, asked: Sequence[Asked], there: Container[str], notes: tuple[str, ...] = ()
) -> Samples:
    """Put questions and their images into samples, both in the order in which they are asked.

    An image has the published part of its questions where these agree, else none.

    Args:
        there: paths of the images on disk; others are missing.

    Raises:
        DatasetError: there is no question, one has no image, text or answer or is of no known part, or an id is given
            twice.
    """
    if not asked:
        raise DatasetError(f"'{dataset}' asks no question", f"its files in {root} list none", "download them again")
    seen: dict[str, str] = {}
    images: dict[str, str] = {}
    parts: dict[str, set[str]] = {}
    rows = []
    for one in asked:
        _check(one, seen)
        seen[one.question] = one.where
        images.setdefault(one.sample, one.image)
        parts.setdefault(one.sample, set()).add(one.official)
        text, answer = str(one.text).strip(), str(one.answer).strip()
        rows.append((one.question, one.sample, text, answer, one.closed, one.kind, one.official))
    table = pd.DataFrame({"sample": list(images), "image": list(images.values())})
    table["official"] = [next(iter(found)) if len(found) == 1 else "" for found in parts.values()]
    return Samples(
        dataset,
        root,
        table.reindex(columns=list(COLUMNS)).astype(object).where(lambda cells: cells.notna(), None),
        np.zeros((len(table), 0), np.float32),
        (),
        tuple(sample for sample, image in images.items() if image not in there),
        is_phantom(root),
        notes,
        questions=pd.DataFrame(rows, columns=list(QUESTION_COLUMNS)),
    )


def read_entries(path: Path, keys: Iterable[str]) -> list[Mapping[str, Any]]:
    """Read a JSON file that is a list of questions, each with some keys.

    Raises:
        DatasetError: the file is missing or of another form. The error shows no text of a question.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise DatasetError(f"{path} is no list", "it must list questions", "use the file as published")
    for number, entry in enumerate(content, start=1):
        lacking = [key for key in keys if not isinstance(entry, dict) or key not in entry]
        if lacking:
            found = ", ".join(repr(shown(key)) for key in entry) if isinstance(entry, dict) else "no keys"
            raise DatasetError(
                f"{path}, entry {number} has no {', '.join(map(repr, lacking))}",
                f"found: {found}",
                "use the file as published",
            )
    return content


def is_closed(answer_type: object, where: str) -> bool:
    """Return whether an answer type says CLOSED and not OPEN, whatever the case and the blanks around it.

    Raises:
        DatasetError: it says neither.
    """
    said = str(answer_type).strip().upper()
    if said not in ("CLOSED", "OPEN"):
        raise DatasetError(
            f"{where}: answer_type is '{shown(said)}'", "it must be OPEN or CLOSED", "use the file as published"
        )
    return said == "CLOSED"


def is_yes_or_no(answer: object) -> bool:
    """Return whether an answer is yes or no: the closed questions of sources that do not say which are."""
    return str(answer).strip().lower() in _YES_OR_NO


def _check(one: Asked, seen: Mapping[str, str]) -> None:
    if not one.image or not one.sample:
        raise DatasetError(
            f"{one.where}: question '{shown(one.question)}' names no image",
            "a question is about one image",
            "use the file as published, or remove the question",
        )
    for name, value in (("text", one.text), ("answer", one.answer)):
        if value is None or value != value or not str(value).strip():
            raise DatasetError(
                f"{one.where}: question '{shown(one.question)}' has no {name}",
                "it could neither be taught nor be judged",
                "use the file as published, or remove the question",
            )
    if one.official not in PARTS:
        raise DatasetError(
            f"{one.where}: question '{shown(one.question)}' is of the part '{shown(one.official)}'",
            f"the parts are {', '.join(PARTS)}",
            "use the file as published",
        )
    if one.question in seen:
        raise DatasetError(
            f"{one.where}: question '{shown(one.question)}' is asked a second time",
            f"its id already stands in {seen[one.question]}; it may be trained and tested on",
            "use the files as published, or remove one",
        )
