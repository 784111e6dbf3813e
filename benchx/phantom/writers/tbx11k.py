"""TBX11K (Liu et al., CVPR 2020), in its simplified form (Kaggle) and in the full one.

One image per patient: the first frontal one with a finding that stands for tuberculosis (`KINDS`), else the last. An
image is of tuberculosis (`tb`) when such a finding is boxed on it, sick (`s`) when it has any other finding, else
healthy (`h`); its name ends in the patient's number. The images are grey in three equal channels, as in the original.
Two patients of nine are in the validation list. The images without labels (`imgs/test`) and those of other datasets
(`imgs/extra`) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchx.phantom.patients import Patient
from benchx.phantom.render import Boxed
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

KINDS = {"Consolidation": "active_tb", "Fibrosis": "latent_tb"}
"""Findings that stand for tuberculosis, by the `tb_type` that they give."""

CATEGORIES = {"Consolidation": 1, "Fibrosis": 2}
HEADER = "fname,image_height,image_width,source,bbox,target,tb_type,image_type"
PREFIXES = {"healthy": "h", "sick_but_no_tb": "s", "tb": "tb"}
FOLDERS = {"healthy": "health", "sick_but_no_tb": "sick", "tb": "tb"}

_VALIDATION_OF_NINE = (4, 8)
_CAPTURED = "2020-06-24 12:42:41.793194"


class _Row(NamedTuple):
    number: int
    name: str
    kind: str
    source: str
    size: int
    boxes: tuple[Boxed, ...]


def image_number(patient: Patient) -> int:
    """Return which of a patient's images is written."""
    ill = [n for n in patient.frontal if not KINDS.keys().isdisjoint(f.name for f in patient.images[n].findings)]
    return ill[0] if ill else patient.frontal[-1]


def _write_simplified(root: Path, views: Views) -> list[_Row]:
    row, content = _image(views)
    write_whole(root / "images" / row.name, content)
    return [row]


def _write_full(root: Path, views: Views) -> list[_Row]:
    row, content = _image(views)
    write_whole(root / "imgs" / FOLDERS[row.kind] / row.name, content)
    return [row]


def _image(views: Views) -> tuple[_Row, bytes]:
    patient, radiograph = views.patient, views[image_number(views.patient)]
    boxes = tuple(box for box in radiograph.boxes if box[0] in KINDS)
    kind = "tb" if boxes else "sick_but_no_tb" if radiograph.labels else "healthy"
    name = f"{PREFIXES[kind]}{patient.index:04d}.png"
    source = "val" if patient.index % 9 in _VALIDATION_OF_NINE else "train"
    content = encode_png(np.dstack([to_8_bit(radiograph.pixels)] * 3))
    return _Row(patient.index, name, kind, source, radiograph.pixels.shape[0], boxes), content


def _write_table(root: Path, rows: Sequence[_Row]) -> None:
    write_lines(root / "data.csv", [HEADER, *(line for row in rows for line in _lines(row))])


def _lines(row: _Row) -> list[str]:
    start = f"{row.name},{row.size},{row.size},{row.source}"
    if not row.boxes:
        return [f"{start},none,no_tb,none,{row.kind}"]
    lines = []
    for finding, *box in row.boxes:
        cell = dict(zip(("xmin", "ymin", "width", "height"), map(float, box), strict=True))
        lines.append(f'{start},"{cell}",tb,{KINDS[finding]},tb')
    return lines


def _write_lists(root: Path, rows: Sequence[_Row]) -> None:
    for name, sources in (("train", ("train",)), ("val", ("val",)), ("trainval", ("train", "val"))):
        listed = [row for row in rows if row.source in sources]
        write_lines(root / "lists" / f"TBX11K_{name}.txt", [_path(row) for row in listed])
        write_whole(root / "annotations" / "json" / f"TBX11K_{name}.json", json.dumps(_coco(listed)).encode())


def _path(row: _Row) -> str:
    return f"{FOLDERS[row.kind]}/{row.name}"


def _coco(rows: Sequence[_Row]) -> dict[str, list[dict[str, Any]]]:
    names = ("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis")
    categories = [{"id": n, "name": name, "supercategory": "Tuberculosis"} for n, name in enumerate(names, 1)]
    fixed = {"date_captured": _CAPTURED, "license": 1, "coco_url": "", "flickr_url": ""}
    images = [
        {"id": row.number, "file_name": _path(row), "width": row.size, "height": row.size, **fixed} for row in rows
    ]
    boxes = [(row, finding, box) for row in rows for finding, *box in row.boxes]
    annotations = [
        {
            "id": count,
            "image_id": row.number,
            "category_id": CATEGORIES[finding],
            "iscrowd": 0,
            "area": box[2] * box[3],
            "bbox": [float(value) for value in box],
            "width": row.size,
            "height": row.size,
        }
        for count, (row, finding, box) in enumerate(boxes, 1)
    ]
    return {"categories": categories, "images": images, "annotations": annotations}


LAYOUTS = {
    "tbx11k": Layout("tbx11k", _write_simplified, _write_table),
    "tbx11k-full": Layout("tbx11k", _write_full, _write_lists),
}
