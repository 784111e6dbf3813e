"""Run lengths as the SIIM-ACR challenge writes them: pairs of a skip, from the end of the last run, and a run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from benchx.datasets.regions import Frame, Runs
from benchx.errors import DatasetError

_WHOLE = re.compile(r"[0-9]{1,18}")


def read_relative_runs(text: str, label: str, frame: Frame, root: Path, where: str) -> Runs:
    """Read one mask: `skip run skip run ...`, counted down the columns from the top left pixel.

    Args:
        label: what the mask shows.
        frame: height and width that the pixels are counted in.
        root: of the dataset.
        where: file relative to the root and line, for errors.

    Raises:
        DatasetError: the text holds something else than whole numbers from 0, an odd count of them or none, or
            a run ends behind the last pixel.
    """
    pixels = frame[0] * frame[1]
    words = text.split()
    if len(words) % 2 or not words:
        raise _fault(root / where, f"{len(words)} numbers do not make pairs of a skip and a run")
    if (wrong := next((word for word in words if not _WHOLE.fullmatch(word)), None)) is not None:
        raise _fault(root / where, f"'{wrong[:20]}' is not the number of a pixel")
    numbers = np.array(words, np.int64)
    # No sum of a row can overflow once every number is at most the pixels of the frame.
    ends = np.cumsum(numbers) if numbers.max() <= pixels else numbers
    if ends.max() > pixels:
        raise _fault(root / where, f"a run ends at pixel {ends.max()} of {frame[0]} x {frame[1]} = {pixels}")
    return Runs(label, tuple(ends[::2].tolist()), tuple(numbers[1::2].tolist()), frame, where)


def _fault(place: Path, why: str) -> DatasetError:
    return DatasetError(f"{place}: the run lengths cannot be read", why, "use the file as published")
