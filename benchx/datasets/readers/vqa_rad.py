"""VQA-RAD (Lau et al., Scientific Data 2018): questions of clinicians about radiographs, CT and MR of MedPix.

Two published forms are read. The division that the literature uses (MEVF, Nguyen et al., MICCAI 2019): `trainset.json`
(3 064 questions) and `testset.json` (451), `images/*.jpg` and, where it is there, `imgid2idx.json`, which lists the
images. Else the release itself: `VQA_RAD Dataset Public.json` (2 248 questions, of which those whose `phrase_type`
begins with `test` are the test part) and `VQA_RAD Image Folder/*.jpg`. All 203 images that MEVF's test questions are
about are trained on as well; split `official-unseen` trains on none of those.

What is dirty is mended: answers that are numbers, `CLOSED ` with a blank, misspelt question types. Of several types
(`PRES, POS`) the first counts. A `valset.json`, which M3AE reads, is in no release and not used. No patients are named;
MedPix shows one image per case here, so the unit is the image.

`vqa-rad-chest` holds the questions about images whose `image_organ` is CHEST.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from benchx.datasets.files import read_json, shown
from benchx.datasets.folders import find_paths, found_in, note_unlisted
from benchx.datasets.questions import Asked, build_samples, is_closed, read_entries
from benchx.datasets.samples import Dataset, Overlap, Samples
from benchx.errors import DatasetError

DIVIDED = {"train": "trainset.json", "test": "testset.json"}
WHOLE = "VQA_RAD Dataset Public.json"
IMAGES = ("images", "VQA_RAD Image Folder")
LISTED = "imgid2idx.json"
CHEST = "CHEST"
_KEYS = ("qid", "image_name", "image_organ", "answer", "answer_type", "question_type", "question", "phrase_type")
_MISSPELT = {"ATRIB": "ATTRIB", "PRSE": "PRES"}


def read(root: Path, dataset: str = "vqa-rad", organ: str | None = None) -> Samples:
    """Read the questions, of one organ or of all.

    Raises:
        DatasetError: neither form is there, a file is malformed, a question has no image, text or answer, its image is
            not in `imgid2idx.json`, or an id is given twice.
    """
    found = find_paths(root, IMAGES, (".jpg", ".jpeg", ".png"))
    paths = {PurePosixPath(path).name: path for path in sorted(found)}
    listed = _listed(root)
    whole, images = [], set()
    for part, where, entry in _entries(root):
        name = str(entry["image_name"] or "").strip()
        if name and listed is not None and name not in listed:
            raise DatasetError(
                f"{where}: its image '{shown(name)}' is not in {LISTED}",
                f"{LISTED} lists {len(listed)} images, so the files belong to different releases",
                "use them as published, of the same release",
            )
        images.add(name)
        if organ is None or str(entry["image_organ"]).strip().upper() == organ:
            whole.append(_asked(part, where, entry, name, paths.get(name, f"{IMAGES[0]}/{name}" if name else "")))
    notes = note_unlisted(len(paths.keys() - images), "the questions' files")
    if (root / "valset.json").exists():
        notes = (*notes, "valset.json is not part of the release and not used")
    return build_samples(dataset, root, whole, found, notes)


def _listed(root: Path) -> set[str] | None:
    if not (root / LISTED).is_file():
        return None
    content = read_json(root / LISTED)
    if not isinstance(content, dict):
        raise DatasetError(f"{root / LISTED} is no list of images", "it maps names to numbers", "download it again")
    return set(content)


def _entries(root: Path) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return part, place and entry of every question, training first."""
    if any((root / name).is_file() for name in DIVIDED.values()):
        return [
            (part, f"{root / name}, entry {number}", entry)
            for part, name in DIVIDED.items()
            for number, entry in enumerate(read_entries(root / name, _KEYS), start=1)
        ]
    if not (root / WHOLE).is_file():
        raise DatasetError(
            f"neither {' and '.join(DIVIDED.values())} nor '{WHOLE}' is in {root}",
            found_in(root),
            "point --root vqa-rad=DIR at the folder that holds them",
        )
    entries = [
        ("test" if str(entry["phrase_type"]).startswith("test") else "train", f"{root / WHOLE}, entry {number}", entry)
        for number, entry in enumerate(read_entries(root / WHOLE, _KEYS), start=1)
    ]
    return sorted(entries, key=lambda one: one[0] == "test")


def _asked(part: str, where: str, entry: Mapping[str, Any], name: str, image: str) -> Asked:
    kind = str(entry["question_type"]).split(",")[0].strip().upper()
    return Asked(
        question=str(entry["qid"]).strip(),
        sample=PurePosixPath(name).stem,
        image=image,
        text=entry["question"],
        answer=entry["answer"],
        closed=is_closed(entry["answer_type"], where),
        kind=_MISSPELT.get(kind, kind) or None,
        official=part,
        where=where,
    )


def _dataset(name: str, title: str, size: str, organ: str | None) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        licence="CC0 1.0",
        source="osf.io/89kps",
        citation="Lau et al., A dataset of clinically generated visual questions and answers, Scientific Data 2018",
        size=size,
        tasks=("vqa",),
        family="vqa-rad",
        classes=(),
        read=partial(read, dataset=name, organ=organ),
        overlaps=(Overlap("medvqa-2019", "both take images from MedPix", "Ben Abacha et al., CLEF 2019"),),
    )


DATASET = _dataset("vqa-rad", "VQA-RAD", "3 515 questions on 314 images, 0.05 GB", None)
CHEST_DATASET = _dataset("vqa-rad-chest", "VQA-RAD, the chest", "1 262 questions on 107 images, 0.02 GB", CHEST)
