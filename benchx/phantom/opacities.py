"""Opacities inside the lung: consolidation, infiltration, pneumonia, edema, atelectasis, fibrosis."""

from __future__ import annotations

import math

import numpy as np

from benchx.phantom.change import Change, finding_stream, pick, watery
from benchx.phantom.drawing import Canvas
from benchx.phantom.findings import Finding
from benchx.phantom.lungs import LungView
from benchx.phantom.markings import texture
from benchx.phantom.solids import Map

Key = tuple[int, int]


def _noise(lung: LungView, key: Key, finding: Finding, grain_mm: float) -> Map:
    return texture((*key, finding.origin, finding.name, lung.side), grain_mm, lung.frame)[lung.box]


def _blob(lung: LungView, across: float, down: float, radius_mm: tuple[float, float]) -> Map:
    """A soft spot of compact support: (1 - r^2)^2 inside its ellipse, 0 outside."""
    u, y = lung.place(across, down)
    du, dy = (
        (lung.u - np.float32(u)) / np.float32(radius_mm[0]),
        (lung.y - np.float32(y)) / np.float32(radius_mm[1]),
    )
    inside = np.maximum(np.float32(0), 1 - du * du - dy * dy)
    return inside * inside


def consolidation(lung: LungView, finding: Finding, key: Key) -> Change:
    """A dense patch with fuzzy rim and air-filled bronchi in it."""
    rng = finding_stream(key, finding, lung.side)
    radius = float(pick(22, 50, finding.severity))
    across = rng.uniform(-0.35, 0.5)
    patch = sum(
        (
            _blob(
                lung,
                across + rng.normal(0, 0.16),
                finding.height + rng.normal(0, 0.07),
                (radius, radius * 0.85),
            )
            for _ in range(3)
        ),
        np.zeros_like(lung.air),
    )
    dense = np.clip((patch - 0.25 + 0.22 * _noise(lung, key, finding, 9)) * 2.2, 0, 1)
    bronchi = np.clip(_noise(lung, key, finding, 5) - 0.75, 0, 1) * 0.35
    return watery(dense * (1 - bronchi) * pick(0.28, 0.75, finding.severity))


def infiltration(lung: LungView, finding: Finding, key: Key) -> Change:
    """Several hazy, ill-defined and streaky patches."""
    rng = finding_stream(key, finding, lung.side)
    haze = np.zeros_like(lung.air)
    for _ in range(int(rng.integers(2, 5))):
        radius = float(rng.uniform(24, 42))
        haze += _blob(
            lung,
            rng.uniform(-0.6, 0.6),
            finding.height + rng.normal(0, 0.16),
            (radius, radius * rng.uniform(0.7, 1.3)),
        )
    grain = 0.75 + 0.45 * _noise(lung, key, finding, 4.5) + 0.3 * _noise(lung, key, finding, 14)
    return watery(np.minimum(haze, 1) * np.maximum(grain, 0) * pick(0.12, 0.42, finding.severity))


def pneumonia(lung: LungView, finding: Finding, key: Key) -> Change:
    """An opacity of one lobe, with a straight border at the fissure and mottled inside."""
    rng = finding_stream(key, finding, lung.side)
    tilt, fissure = rng.uniform(-0.12, 0.25), finding.height - 0.16
    edge = lung.down - np.float32(fissure) - np.float32(tilt) * lung.across
    radius = float(pick(34, 62, finding.severity))
    lobe = _blob(lung, rng.uniform(-0.25, 0.45), finding.height + 0.06, (radius, radius * 0.8))
    mottle = 0.8 + 0.5 * _noise(lung, key, finding, 7)
    dense = np.clip(lobe * 1.6 * mottle, 0, 1) * np.clip(edge * 14, 0, 1)
    return watery(dense * pick(0.18, 0.55, finding.severity))


def edema(lung: LungView, finding: Finding, key: Key) -> Change:
    """Symmetric perihilar wings and thin horizontal lines at the bases (Kerley B)."""
    wing = _blob(lung, -0.55, 0.52, (58, 66)) + 0.4 * _blob(lung, -0.1, 0.75, (60, 50))
    mottle = 0.85 + 0.35 * _noise(lung, key, finding, 6)
    lines = np.zeros_like(lung.air)
    if not lung.frame.lateral:
        period = (lung.y / np.float32(7.5)) % 1
        lines = np.clip(1 - np.abs(period - 0.5) * 8, 0, 1) * np.clip((lung.across - 0.62) * 8, 0, 1)
        lines = lines * np.clip((lung.down - 0.66) * 8, 0, 1) * (lung.across < 0.95)
    strength = pick(0.14, 0.55, finding.severity)
    return watery(np.clip(wing, 0, 1) * mottle * strength + lines * pick(0.05, 0.2, finding.severity))


def atelectasis(lung: LungView, finding: Finding, key: Key) -> Change:
    """Plates of collapsed lung near the base, or a dense wedge behind the heart; the dome is raised too."""
    rng = finding_stream(key, finding, lung.side)
    dense = np.zeros_like(lung.air)
    if rng.random() < 0.65:
        for _ in range(int(rng.integers(1, 4))):
            u, y = lung.place(rng.uniform(-0.3, 0.5), min(0.95, finding.height + rng.normal(0.05, 0.1)))
            angle, length = rng.normal(0, 0.35), float(pick(30, 62, finding.severity))
            du, dy = lung.u - np.float32(u), lung.y - np.float32(y)
            along = (du * math.cos(angle) + dy * math.sin(angle)) / length * 2
            bow = dy * math.cos(angle) - du * math.sin(angle) + 5 * along * along
            plate = np.maximum(0, 1 - along * along) * np.maximum(0, 1 - (bow / pick(3.0, 6.5, finding.severity)) ** 2)
            dense = np.maximum(dense, plate * pick(0.22, 0.6, finding.severity))
    else:
        depth = pick(0.30, 0.62, finding.severity)
        edge = (lung.down - (1.12 - depth)) - np.float32(0.55) * (lung.across + 1) * depth
        dense = np.clip(edge * 9, 0, 1) * (lung.down < 1.25) * pick(0.30, 0.8, finding.severity)
    return watery(dense * (1 + 0.15 * _noise(lung, key, finding, 6)))


def fibrosis(lung: LungView, finding: Finding, key: Key) -> Change:
    """A net of lines at the bases and along the pleura."""
    rng = finding_stream(key, finding, lung.side)
    canvas = Canvas(lung.frame)
    count = int(pick(50, 190, finding.severity))
    base = rng.beta(2.2, 1.2, count)
    starts = np.stack([rng.uniform(-0.75, 0.97, count), 1.12 - 0.62 * (1 - base)], -1)
    for across, down in starts:
        u, y = lung.place(float(across), float(down))
        angle = rng.uniform(0, 2 * math.pi)
        bend = angle + rng.normal(0, 0.9, 3).cumsum()
        steps = np.stack([np.cos(bend), np.sin(bend)], -1) * rng.uniform(3, 6)
        flat = np.concatenate([[[u, y]], np.array([u, y]) + steps.cumsum(0)])
        canvas.stroke([canvas.fixed_flat(flat)], 1.4 / canvas.pixel_mm, 1.0)
    net = canvas.layer()[lung.box]
    zone = np.clip((lung.down - 0.42) * 3, 0, 1) * np.clip(0.55 + 0.6 * np.abs(lung.across), 0, 1)
    haze = 0.06 * np.clip(zone - 0.3 + 0.3 * _noise(lung, key, finding, 12), 0, 1)
    return watery((net * zone * 0.30 + haze) * pick(0.4, 1.0, finding.severity))
