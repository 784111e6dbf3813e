"""Random streams by name, so that no draw depends on what was drawn before it."""

from __future__ import annotations

import zlib

import numpy as np


def stream(*key: int | str) -> np.random.Generator:
    """Return the generator of one key.

    Args:
        key: non-negative integers (seed, patient, image) and names of what is drawn.

    Returns:
        A PCG64 generator that depends on the key alone.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.default_rng(words)
