"""From rendered pixels to the bytes of image files."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

JPEG_QUALITY = 95


def to_8_bit(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Keep the upper 8 of 12 bits."""
    return (pixels >> 4).astype(np.uint8)


def encode_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode grey pixels [H, W] of 8 or 16 bits."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Encode grey pixels [H, W] as baseline JPEG of quality 95."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
