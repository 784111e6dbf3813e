"""Render one image of a patient: organs, findings, bones, objects, detector."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.anatomy import build
from benchx.phantom.bones import add_bones
from benchx.phantom.chest import chest, lung_masks
from benchx.phantom.detector import detect, quantise
from benchx.phantom.findings import FOREIGN_OBJECT
from benchx.phantom.lungs import view_lungs
from benchx.phantom.objects import draw_objects, marks
from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.reports import report
from benchx.phantom.solids import Frame, Map, Mask
from benchx.phantom.streams import stream
from benchx.phantom.tissue import MU_SOFT

Boxed = tuple[str, int, int, int, int]

_SOURCE_MM = {"PA": 1830.0, "LATERAL": 1830.0, "AP": 1150.0}
_SMALLEST_BOX_MM2 = 25.0


@dataclass(frozen=True)
class Radiograph:
    """One rendered image.

    Attributes:
        pixels: uint16 [H, W], 0 to 4095, rising with attenuation (MONOCHROME2).
        view: `PA`, `AP` or `LATERAL`.
        labels: findings of `NIH_FINDINGS` on it.
        boxes: (name, x, y, width, height) in pixels, also of foreign objects.
        report: one or two sentences.
        pixel_mm: width of a pixel at the patient.
        masks: uint8 [H, W] of 0 and 1 for every finding, and for foreign objects where there are any.
        lungs: uint8 [2, H, W] of 0 and 1, the patient's left and right lung.
    """

    pixels: NDArray[np.uint16]
    view: str
    labels: frozenset[str]
    boxes: tuple[Boxed, ...]
    report: str
    pixel_mm: float
    masks: dict[str, NDArray[np.uint8]]
    lungs: NDArray[np.uint8]


def _view_angle(spec: ImageSpec) -> float:
    """Turn of the patient against the beam, radians."""
    return math.radians(spec.rotation_deg) + (math.pi / 2 if spec.view == "LATERAL" else 0.0)


def frame_of(spec: ImageSpec, size: int) -> Frame:
    """Return the geometry of an image at `size` pixels."""
    detector = -150.0 if spec.view == "AP" else 150.0
    return Frame(size, spec.field_mm, spec.shift_mm, _view_angle(spec), _SOURCE_MM[spec.view], detector)


def render(patient: Patient, image_index: int, size: int) -> Radiograph:
    """Render one image; the same anatomy at every size, the same pixels at every call.

    Args:
        patient: from `make_patient`.
        image_index: position in `patient.images`.
        size: pixels along each side, >= 32.

    Returns:
        The image with its labels, boxes, masks and report.
    """
    spec = patient.images[image_index]
    frame = frame_of(spec, size)
    key = (patient.seed, patient.index)
    anatomy = build(patient, spec)
    views = view_lungs(anatomy, frame)
    line, found = chest(anatomy, views, frame, key, spec.findings)
    add_bones(line, anatomy, frame, key)
    image_key = (*key, image_index)
    objects = draw_objects(spec.objects, anatomy, frame, image_key)
    if spec.objects:
        found[FOREIGN_OBJECT] = objects > 0.3
    line += objects
    thickness = 2 * MU_SOFT * float(np.max(anatomy.trunk.half_depth[80:220]))
    if spec.view == "LATERAL":
        thickness *= 1.25
    value = detect(line, frame, spec, thickness, stream(*image_key, "photons"))
    value = np.maximum(value, marks(frame, spec.view, stream(*image_key, "marks")))
    _collimate(value, spec.collimation)
    lungs = lung_masks(views, frame)
    for mask in (*found.values(), *lungs):
        _collimate(mask, spec.collimation)
    return Radiograph(
        pixels=quantise(value),
        view=spec.view,
        labels=frozenset(f.name for f in spec.findings),
        boxes=tuple(box for name in sorted(found) for box in boxes_of(name, found[name], frame.pixel_mm)),
        report=report(spec.findings, spec.objects),
        pixel_mm=frame.pixel_mm,
        masks={name: mask.astype(np.uint8) for name, mask in sorted(found.items())},
        lungs=lungs,
    )


def _collimate(value: Map | Mask | NDArray[np.uint8], border: float) -> None:
    """Blank the unexposed border in place."""
    width = round(border * value.shape[0])
    if width:
        value[:width] = value[-width:] = 0
        value[:, :width] = value[:, -width:] = 0


def boxes_of(name: str, mask: Mask, pixel_mm: float) -> list[Boxed]:
    """Box the parts of a mask.

    Args:
        name: put in front of each box.
        mask: bool [H, W].
        pixel_mm: pixel width; parts under 25 mm^2 or under a tenth of the largest are left out.

    Returns:
        (name, x, y, width, height) in pixels, largest part first.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    parts = sorted(stats[1:count].tolist(), key=lambda part: -part[4])
    least = max(_SMALLEST_BOX_MM2 / pixel_mm**2, 0.1 * parts[0][4]) if parts else 0
    kept = [part for part in parts if part[4] >= least] or parts[:1]
    return [(name, part[0], part[1], part[2], part[3]) for part in kept]
