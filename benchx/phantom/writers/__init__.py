"""Writers of official dataset layouts, filled with virtual patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchx.phantom.writers import nih, rsna

Writer = Callable[[Path, int, int, int, Callable[[int, int], None]], None]

WRITERS: dict[str, Writer] = {"nih": nih.write, "rsna": rsna.write}
"""By dataset name: `write(out, patients, seed, size, on_progress)`."""
