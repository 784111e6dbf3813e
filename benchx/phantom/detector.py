"""From line integrals to a 12-bit image: scatter, blur, photon noise and the display curve."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from benchx.phantom.patients import ImageSpec
from benchx.phantom.solids import Frame, Map

MAX_VALUE = 4095
"""Largest pixel value (12 bit)."""

_CODES_PER_UNIT = 6000.0
_PHOTONS_PER_MM2 = 9000.0
_BLUR_MM = 0.35


@functools.lru_cache(maxsize=8)
def _curves(scatter: float) -> tuple[Map, Map]:
    """Tables over coded line integrals: log signal seen, and its noise at one photon per pixel."""
    line = np.arange(65536) / _CODES_PER_UNIT
    signal = (np.exp(-line) + scatter) / (1 + scatter)
    return -np.log(signal).astype(np.float32), (signal**-0.5).astype(np.float32)


def detect(line: Map, frame: Frame, spec: ImageSpec, thickness: float, rng: np.random.Generator) -> Map:
    """Turn line integrals into what a detector and its display curve give.

    Args:
        line: sum of mu * thickness along each ray, float32 [size, size], >= 0.
        frame: the view.
        spec: exposure and contrast of the image.
        thickness: line integral of the patient's soft tissue through the chest, which sets the window.
        rng: stream of the photon noise.

    Returns:
        Float32 [size, size] in 0 to 1, rising with attenuation: bone bright, lung dark.
    """
    sigma = max(0.3, _BLUR_MM / frame.pixel_mm)
    codes = np.clip(line * np.float32(_CODES_PER_UNIT), 0, 65535).astype(np.uint16)
    codes = cv2.GaussianBlur(codes, (0, 0), sigma)
    scatter = 0.016 if spec.view == "AP" else 0.008
    log_signal, spread = _curves(scatter)
    # A quantum-limited detector: the log signal varies as one over the root of the photons counted.
    photons = _PHOTONS_PER_MM2 * spec.exposure * frame.pixel_mm**2
    noise = rng.standard_normal(line.shape, dtype=np.float32)
    seen = np.take(log_signal, codes) + np.take(spread, codes) * noise * np.float32(photons**-0.5)
    low, high = 0.28, 0.95 * thickness + 0.25
    value = (seen - np.float32(low)) / np.float32(high - low)
    value = np.clip((value - np.float32(0.5)) * np.float32(spec.contrast) + np.float32(0.52), 0, 1)
    # A soft shoulder and toe, as display curves have.
    return value * (np.float32(1.35) - value * np.float32(0.35))


def quantise(value: Map) -> np.ndarray:
    """Map 0 to 1 to uint16 0 to 4095."""
    return np.rint(np.clip(value, 0, 1) * np.float32(MAX_VALUE)).astype(np.uint16)
