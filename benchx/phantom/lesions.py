"""Round lesions: nodules (under 30 mm across), masses (above), and the hiatal hernia behind the heart."""

from __future__ import annotations

import math

import numpy as np

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.change import Change, finding_stream, pick, watery
from benchx.phantom.findings import Finding
from benchx.phantom.lungs import LungView
from benchx.phantom.solids import Box, Frame, Map, Mask, bounds, chord, ellipsoid, reach, shadow
from benchx.phantom.tissue import MU_SOFT

Key = tuple[int, int]


def nodule(lung: LungView, finding: Finding, key: Key) -> Change:
    """One to five spheres of 5 to 15 mm radius."""
    rng = finding_stream(key, finding, lung.side)
    length = np.zeros_like(lung.air)
    for number in range(int(rng.choice([1, 2, 3, 5], p=[0.4, 0.2, 0.2, 0.2]))):
        radius = float(pick(5.0, 15.0, finding.severity)) * (1.0 if number == 0 else rng.uniform(0.7, 1.0))
        down = finding.height if number == 0 else rng.uniform(0.2, 0.9)
        u, y = lung.place(rng.uniform(0.0, 0.75), min(0.86, max(0.16, down)))
        radius = max(5.0, radius)
        length = np.maximum(length, _sphere(lung, u, y, radius, radius))
    # Old nodules calcify: up to five times the contrast of water.
    return watery(_fraction(length * pick(3.0, 5.0, finding.severity), lung))


def mass(lung: LungView, finding: Finding, key: Key) -> Change:
    """A lobulated body of 18 to 40 mm radius."""
    rng = finding_stream(key, finding, lung.side)
    radius = float(pick(18, 40, finding.severity))
    u, y = lung.place(rng.uniform(-0.15, 0.6), min(0.8, max(0.2, finding.height)))
    length = _sphere(lung, u, y, radius, radius * rng.uniform(0.8, 1.1))
    for angle in rng.uniform(0, 2 * math.pi, 5):
        lobe = radius * rng.uniform(0.4, 0.6)
        du, dy = math.cos(angle) * radius * 0.65, math.sin(angle) * radius * 0.65
        length = np.maximum(length, _sphere(lung, u + du, y + dy, lobe, lobe) * 1.3)
    return watery(_fraction(length * pick(1.4, 2.6, finding.severity), lung))


def _sphere(lung: LungView, u: float, y: float, radius: float, height: float) -> Map:
    """Chord of an ellipsoid of revolution in the lung's box, mm."""
    du, dy = (lung.u - np.float32(u)) / np.float32(radius), (lung.y - np.float32(y)) / np.float32(height)
    return 2 * np.float32(radius) * np.sqrt(np.maximum(np.float32(0), 1 - du * du - dy * dy))


def _fraction(length: Map, lung: LungView) -> Map:
    return np.minimum(1, length / np.maximum(lung.air, np.float32(1)))


def hernia(anatomy: Anatomy, frame: Frame, finding: Finding, key: Key) -> tuple[Box, Map, Mask]:
    """A pouch of stomach behind the heart with an air-fluid level.

    Returns:
        Box in the image, change of the line integral in it float32 [h, w], and mask bool [h, w].
    """
    rng = finding_stream(key, finding)
    radius = float(pick(24, 50, finding.severity))
    top = min(anatomy.dome_tops.values())
    place = (rng.uniform(6, 30), top - 0.45 * radius + rng.uniform(0, 8), -48.0)
    pouch = ellipsoid(place, (radius, radius * rng.uniform(0.75, 1.0), radius))
    box, length = chord(pouch, frame)
    gas = ellipsoid(place, (radius * 0.86, radius * 0.68, radius * 0.86))
    inner = reach(shadow(gas, frame), frame, box) * 2
    surface = place[1] + rng.uniform(-0.15, 0.3) * radius
    inner = inner * (frame.y[box[0]][:, None] < surface)
    delta = np.float32(MU_SOFT) * (0.75 * length - pick(0.8, 1.3, finding.severity) * inner)
    return box, delta.astype(np.float32), length > 1.0


def heart_mask(anatomy: Anatomy, frame: Frame) -> Mask:
    """Silhouette of the heart, bool [size, size]."""
    mask = np.zeros((frame.size, frame.size), bool)
    for part in anatomy.heart:
        cast = shadow(part, frame)
        box = bounds(cast, frame)
        mask[box] |= reach(cast, frame, box) > 0
    return mask
