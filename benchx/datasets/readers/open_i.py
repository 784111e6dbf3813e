"""IU X-Ray as Open-i publishes it: one XML file per report, PNG images.

Layout: `ecgen-radiology/<n>.xml` (NLMCXR_reports.tgz, 3 955 reports) and `NLMCXR_png/CXR<n>_1_IM-0001-3001.png`
(NLMCXR_png.tgz, 7 470 images). Findings and impression are the `AbstractText` of these labels; de-identified words
stay `XXXX`, and a blank section is absent. The images of a report are its `parentImage` ids, which are the names of
the PNG files; reports without images (104) have no sample. No split, view, sex or age is published; the MeSH terms
are not read. The names of the two folders are those that the archives unpack to; that of the images is from
general knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from benchx.datasets.folders import find_paths, is_phantom, note_unlisted, refuse_link_out
from benchx.datasets.samples import Report, Samples
from benchx.errors import DatasetError

REPORTS = "ecgen-radiology"
IMAGES = "NLMCXR_png"
_IMAGE_ID = re.compile(r"[\w-]+")


class _Study(NamedTuple):
    name: str
    file: str
    report: Report
    images: list[str]


def read(root: Path) -> Samples:
    """Read the reports and list the images of Open-i's form of IU X-Ray.

    Raises:
        DatasetError: a folder is missing, a report file is malformed, or a study or an image is listed twice.
    """
    studies = list(_studies(root))
    rows = [(image, study.name, f"{IMAGES}/{image}.png", "") for study in studies for image in study.images]
    table = pd.DataFrame(rows, columns=["sample", "study", "image", "official"])
    for column in ("patient", "view", "sex", "age"):
        table[column] = None
    _refuse_twice(studies, root)
    found = find_paths(root, (IMAGES,), (".png",))
    there = table["image"].isin(found)
    return Samples(
        "iu-xray",
        root,
        table,
        np.empty((len(table), 0), np.float32),
        (),
        tuple(table["sample"][~there]),
        is_phantom(root),
        (*_notes(studies), *note_unlisted(len(found) - there.sum(), f"{REPORTS}/")),
        publishes_split=False,
        reports={image: study.report for study in studies for image in study.images},
    )


def _studies(root: Path) -> Iterator[_Study]:
    inside = root.resolve()
    refuse_link_out(root / REPORTS, inside)
    paths = sorted((root / REPORTS).glob("*.xml"))
    if not paths:
        raise DatasetError(f"no .xml files in {root / REPORTS}", "each holds a report", "unpack NLMCXR_reports.tgz")
    for path in paths:
        refuse_link_out(path, inside)
        yield _read_study(path)


def _read_study(path: Path) -> _Study:
    content = path.read_bytes()
    if b"<!ENTITY" in content:
        raise DatasetError(f"{path} declares XML entities", "no published report does", "download the reports again")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        line = getattr(error, "position", (1, 0))[0]
        what = f"{path}, line {line}: it cannot be read as XML"
        raise DatasetError(what, "it is cut short, or not an XML file", "download the reports again") from None
    name = root.find("uId")
    images = [image.get("id") or "" for image in root.iter("parentImage")]
    wrong = [image for image in images if not _IMAGE_ID.fullmatch(image)]
    if root.tag != "eCitation" or name is None or not name.get("id") or wrong:
        raise DatasetError(
            f"{path} is no Open-i report" + (f": image id {wrong[0]!r}" if wrong else ""),
            "it needs a root eCitation with a uId, and image ids of letters, digits, '-' and '_'",
            "download the reports again",
        )
    report = Report(_section(root, "FINDINGS"), _section(root, "IMPRESSION"))
    return _Study(str(name.get("id")), path.name, report, images)


def _section(root: ElementTree.Element, label: str) -> str | None:
    parts = ["".join(text.itertext()) for text in root.iter("AbstractText") if text.get("Label") == label]
    return " ".join(" ".join(parts).split()) or None


def _refuse_twice(studies: list[_Study], root: Path) -> None:
    """Raise a DatasetError when two files have the same study or image."""
    owner: dict[str, str] = {}
    for study in studies:
        for name in (study.name, *study.images):
            if name in owner:
                raise DatasetError(
                    f"{root / REPORTS / study.file}: '{name}' stands in {owner[name]} too",
                    "which report holds is undecidable",
                    "remove one, or unpack the reports again",
                )
            owner[name] = study.file


def _notes(studies: list[_Study]) -> tuple[str, ...]:
    """Count the studies that cannot serve every task, naming the first."""
    cases = {
        "have no images": [study for study in studies if not study.images],
        "have no findings": [study for study in studies if study.report.findings is None],
        "have neither findings nor impression": [study for study in studies if study.report == Report()],
    }
    return tuple(
        f"{len(lacking)} of {len(studies)} reports {what}, first {lacking[0].file}"
        for what, lacking in cases.items()
        if lacking
    )
