"""VQA-Med 2019 of ImageCLEF (Ben Abacha et al., CLEF 2019): one question of each category about an image of MedPix.

Read are the categories Modality, Organ and Plane; Abnormality, whose answers are hardly ever the same twice, is left
out, as M3AE does. A line is `image|question|answer`. Two layouts are read, part by part. The challenge's:
`ImageClef-2019-VQA-Med-Training/` and `...-Validation/` with `QAPairsByCategory/C1_Modality_train.txt` ... and
`Train_images/`, `Val_images/`; `VQAMed2019Test/` with `VQAMed2019_Test_Questions_w_Ref_Answers.txt`, whose lines are
`image|category|question|answer`, and `VQAMed2019_Test_Images/`. And M3AE's: `train/QA/Modality.csv` ...,
`train/images/`. Closed are the questions that are answered with yes or no; M3AE counts all as open.

An image is known by its MedPix number (`synpic100176`): one that two parts list is one image, read from the first
folder that has it. No patients are named, so the unit is the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchx.datasets.folders import find_paths, found_in, refuse_link_out
from benchx.datasets.questions import PARTS, Asked, build_samples, is_yes_or_no
from benchx.datasets.samples import Dataset, Samples
from benchx.errors import DatasetError

CATEGORIES = {"Modality": "C1", "Organ": "C3", "Plane": "C2"}
CHALLENGE = {"train": ("Training", "Train_images"), "val": ("Validation", "Val_images")}
TEST = ("VQAMed2019Test", "VQAMed2019_Test_Questions_w_Ref_Answers.txt", "VQAMed2019_Test_Images")


def read(root: Path) -> Samples:
    """Read the questions of three categories.

    Raises:
        DatasetError: a part or a file is missing, a line has not the fields it should have, a question has no image,
            text or answer, or an image has two questions of a category in one part.
    """
    parts = {part: _part(root, part) for part in PARTS}
    first: dict[str, str] = {}
    for folder, _ in parts.values():
        for path in sorted(find_paths(root, (folder,), (".jpg", ".jpeg"))):
            first.setdefault(PurePosixPath(path).stem, path)
    asked: list[Asked] = []
    for part, (folder, lines) in parts.items():
        for where, category, image, text, answer in lines:
            asked.append(
                Asked(
                    question=f"{part}/{image}/{category}",
                    sample=image,
                    image=first.get(image, f"{folder}/{image}.jpg"),
                    text=text,
                    answer=answer,
                    closed=is_yes_or_no(answer),
                    kind=category,
                    official=part,
                    where=where,
                )
            )
    return build_samples("medvqa-2019", root, asked, set(first.values()))


_Line = tuple[str, str, str, str, str]
"""Where it stands, category, image, text and answer."""


def _part(root: Path, part: str) -> tuple[str, Iterator[_Line]]:
    """Return the image folder of a part and its questions."""
    if (root / part / "QA").is_dir():
        return f"{part}/images", _by_category({name: root / part / "QA" / f"{name}.csv" for name in CATEGORIES})
    if part == "test":
        folder, file, images = TEST
        if (root / folder).is_dir():
            return f"{folder}/{images}", _whole(root / folder / file)
    else:
        name, images = CHALLENGE[part]
        folder = f"ImageClef-2019-VQA-Med-{name}"
        if (root / folder).is_dir():
            by = root / folder / "QAPairsByCategory"
            files = {category: by / f"{code}_{category}_{part}.txt" for category, code in CATEGORIES.items()}
            return f"{folder}/{images}", _by_category(files)
    raise DatasetError(
        f"the part '{part}' of medvqa-2019 is not in {root}",
        f"it is read from {folder}/ or {part}/QA/; {found_in(root)}",
        "unpack the challenge's archives there, or point --root medvqa-2019=DIR at the folder that holds them",
    )


def _by_category(files: dict[str, Path]) -> Iterator[_Line]:
    for category, path in files.items():
        for number, fields in _lines(path, 3):
            image, text, answer = fields
            yield f"{path}, line {number}", category, image, text, answer


def _whole(path: Path) -> Iterator[_Line]:
    named = {name.lower(): name for name in CATEGORIES}
    for number, (image, category, text, answer) in _lines(path, 4):
        if category.lower() in named:
            yield f"{path}, line {number}", named[category.lower()], image, text, answer


def _lines(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    """Give number and fields of every line that is not blank; what is not UTF-8 is in left-out answers only."""
    if not path.is_file():
        raise DatasetError(f"{path.name} is not in {path.parent}", found_in(path.parent), "download the files again")
    refuse_link_out(path, path.parent.resolve())
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != count:
            raise DatasetError(
                f"{path}, line {number} has {len(fields)} fields",
                f"it must have {count}, divided by |",
                "use the file as published",
            )
        yield number, fields


DATASET = Dataset(
    name="medvqa-2019",
    title="VQA-Med 2019: modality, organ and plane",
    licence="for research, by the terms of ImageCLEF and MedPix",
    source="github.com/abachaa/VQA-Med-2019",
    citation="Ben Abacha et al., VQA-Med: Overview of the Medical Visual Question Answering Task at ImageCLEF 2019",
    size="about 11 500 questions on 4 200 images, 0.3 GB",
    tasks=("vqa",),
    family="medvqa-2019",
    classes=(),
    read=read,
)
