"""The Montgomery and Shenzhen sets as published (Jaeger et al., QIMS 2014), one frontal image per patient.

Tuberculosis stands for consolidation or fibrosis. Montgomery outlines every image, one file of 1 bit for the lung
on each side of the image; the masks of Shenzhen come with six images of seven, both lungs in one file. Most images
of Shenzhen have a palette, as the original's; its readings show the spellings that the original's show.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchx.phantom.render import Radiograph
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

TUBERCULOSIS = frozenset({"Consolidation", "Fibrosis"})
"""Findings that count as tuberculosis."""

SPELLINGS = ("{word} {age}yrs", "{Word}, {age}yrs", "{word}{age}yrs", "{word} , {age}yrs  \t", "{word} {age}years")
"""First lines of Shenzhen's readings."""


def _write_montgomery(root: Path, views: Views) -> list[None]:
    patient, radiograph = views.patient, views[views.patient.frontal[0]]
    name = f"MCUCXR_{patient.index:04d}_{_digit(radiograph)}"
    folder = root / "MontgomerySet"
    write_whole(folder / "CXR_png" / f"{name}.png", encode_png(to_8_bit(radiograph.pixels)))
    left, right = radiograph.lungs
    for side, lung in (("left", right), ("right", left)):
        write_whole(folder / "ManualMask" / f"{side}Mask" / f"{name}.png", _encode_bits(lung))
    reading = [f"Patient's Sex: {patient.sex} ", f"Patient's Age: {patient.age:03d}Y", _text(radiograph)]
    write_lines(folder / "ClinicalReadings" / f"{name}.txt", reading)
    return []


def _write_shenzhen(root: Path, views: Views) -> list[None]:
    patient, radiograph = views.patient, views[views.patient.frontal[0]]
    name = f"CHNCXR_{patient.index:04d}_{_digit(radiograph)}"
    folder = root / "ChinaSet_AllFiles"
    pixels = to_8_bit(radiograph.pixels)
    image = encode_png(pixels) if patient.index % 24 == 0 else _encode_palette(pixels)
    write_whole(folder / "CXR_png" / f"{name}.png", image)
    if patient.index % 7:
        write_whole(root / "mask" / f"{name}_mask.png", encode_png(255 * radiograph.lungs.max(axis=0)))
    word = "female" if patient.sex == "F" else "male"
    spelling = SPELLINGS[patient.index % len(SPELLINGS)]
    first = spelling.format(word=word, Word=word.capitalize(), age=patient.age)
    write_lines(folder / "ClinicalReadings" / f"{name}.txt", [first, _text(radiograph)])
    return []


def _write_nothing(root: Path, rows: Sequence[None]) -> None:
    """Neither set has tables."""


def _digit(radiograph: Radiograph) -> int:
    return int(bool(radiograph.labels & TUBERCULOSIS))


def _text(radiograph: Radiograph) -> str:
    return radiograph.report if _digit(radiograph) else "normal"


def _encode_bits(mask: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", 255 * mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()


def _encode_palette(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


LAYOUTS = {
    "montgomery": Layout("montgomery", _write_montgomery, _write_nothing),
    "shenzhen": Layout("shenzhen", _write_shenzhen, _write_nothing),
}
