"""What a finding does to a lung: replace aerated tissue by water or by air."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchx.phantom.findings import Finding
from benchx.phantom.lungs import LungView
from benchx.phantom.solids import Map, Mask
from benchx.phantom.streams import stream

VISIBLE_MM = 3.0
"""Least replaced length of lung that counts as changed; less is left as it was."""


class Change(NamedTuple):
    """Fractions of the aerated length that are replaced, float32 [h, w] of the lung's box, 0 to 1."""

    water: Map
    air: Map


def watery(water: Map) -> Change:
    """A change that only replaces lung by water."""
    return Change(water, np.zeros_like(water))


def visible(change: Change, lung: LungView) -> tuple[Change, Mask]:
    """Drop what is too little to see.

    Returns:
        The change, zero wherever less than `VISIBLE_MM` of lung is replaced; and its mask, bool [h, w].
    """
    water, air = np.clip(change.water, 0, 1), np.clip(change.air, 0, 1)
    mask = np.maximum(water, air) * lung.air > VISIBLE_MM
    return Change(water * mask, air * mask), mask


def finding_stream(key: tuple[int, int], finding: Finding, side: str = "") -> np.random.Generator:
    """The stream of a finding's shape: the same in every image in which it persists."""
    return stream(*key, finding.origin, finding.name, side)


def pick(low: float, high: float, severity: float) -> np.float32:
    """Interpolate between the value of the subtlest and of the most obvious case."""
    return np.float32(low + (high - low) * severity)
