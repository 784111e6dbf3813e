"""Findings of the pleural space: effusion, pneumothorax, thickening."""

from __future__ import annotations

import numpy as np

from benchx.phantom.change import Change, finding_stream, pick, watery
from benchx.phantom.findings import Finding
from benchx.phantom.lungs import LungView
from benchx.phantom.markings import texture

Key = tuple[int, int]


def effusion(lung: LungView, finding: Finding, key: Key) -> Change:
    """Fluid that blunts the angle and rises along the chest wall (upright), or veils the lung (supine)."""
    rng = finding_stream(key, finding, lung.side)
    supine = lung.frame.detector_mm < 0
    level = pick(1.16, 0.56, finding.severity * float(rng.uniform(0.8, 1.1)))
    outer = np.abs(lung.across) if lung.frame.lateral else np.maximum(0, lung.across)
    surface = level - np.float32(0.22) * outer**3
    fluid = np.clip((lung.down - surface) * (6 if supine else 13), 0, 1)
    if supine:
        veil = np.clip((lung.down - level + 0.5) * 1.4, 0, 1) * pick(0.05, 0.22, finding.severity)
        fluid = np.maximum(fluid * 0.8, veil)
    return watery(fluid * np.float32(0.92))


def pneumothorax(lung: LungView, finding: Finding, key: Key) -> Change:
    """Air at the apex and side without markings, and the thin line of the visceral pleura."""
    rng = finding_stream(key, finding, lung.side)
    gap = pick(0.10, 0.42, finding.severity)
    apical = pick(0.07, 0.30, finding.severity) * np.float32(rng.uniform(0.8, 1.3))
    down = np.maximum(lung.down, 0)
    outer = lung.across if not lung.frame.lateral else np.abs(lung.across)
    side = 1 - gap * np.clip(1.25 - down * np.float32(rng.uniform(0.7, 1.1)), 0, 1)
    top = apical + np.float32(0.10) * outer * outer
    # Signed distance to the edge of the sunken lung, mm: positive in the free air.
    wide = lung.cast.width[lung.box[0]]
    span = (lung.y[-1, 0] - lung.y[0, 0]) / max(1e-3, float(lung.down[-1, 0] - lung.down[0, 0]))
    beyond = np.maximum((outer - side) * wide, (top - down) * span)
    free = np.clip(beyond / np.float32(1.0), 0, 1)
    line = np.maximum(0, 1 - np.abs(beyond + np.float32(0.8)) / np.float32(1.1)) * np.float32(0.16)
    return Change(line.astype(np.float32), (free * np.float32(0.95)).astype(np.float32))


def thickening(lung: LungView, finding: Finding, key: Key) -> Change:
    """An uneven soft band along the chest wall, or a cap over the apex."""
    rng = finding_stream(key, finding, lung.side)
    wide = lung.cast.width[lung.box[0]]
    depth_mm = (1 - lung.across) * wide
    noise = texture((*key, finding.origin, finding.name, lung.side), 16, lung.frame)[lung.box]
    thick = pick(5.0, 17.0, finding.severity) * (1 + 0.45 * noise)
    cap = rng.random() < 0.35
    if cap:
        top = lung.down * np.float32(220)
        band = np.clip((thick * 1.4 - np.minimum(top, depth_mm)) / 3, 0, 1) * np.clip((0.3 - lung.down) * 8, 0, 1)
    else:
        start = np.float32(rng.uniform(0.25, 0.6))
        reach = np.clip((lung.down - start) * 6, 0, 1) * np.clip((1.3 - lung.down) * 6, 0, 1)
        band = np.clip((thick - depth_mm) / 3, 0, 1) * reach
    return watery((band * pick(0.6, 1.0, finding.severity)).astype(np.float32))
