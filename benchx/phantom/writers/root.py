"""The folder of a phantom dataset: refuse real data, mark what is simulated, write lines."""

from __future__ import annotations

import json
from pathlib import Path

from benchx.errors import UsageError
from benchx.writing import is_partial, write_whole

MARKER = "PHANTOM.json"
PHANTOM_VERSION = 1
"""Raised by hand when the simulator's images or labels change."""


def open_root(out: Path, dataset: str, patients: int, seed: int, size: int) -> None:
    """Make the folder and mark it as phantom data.

    Args:
        out: folder to write into; made if absent.
        dataset: name of the layout.
        patients: how many, >= 1.
        seed: seed of the population, >= 0.
        size: pixels along each side, >= 32.

    Raises:
        UsageError: a number is out of range, or `out` holds something that is not this phantom.
    """
    if patients < 1 or seed < 0 or size < 32:
        raise UsageError(
            f"cannot write {patients} phantom patients with seed {seed} at {size} pixels",
            "patients start at 1, seeds at 0 and sizes at 32",
            "choose larger numbers",
        )
    wanted = {
        "phantom": PHANTOM_VERSION,
        "dataset": dataset,
        "patients": patients,
        "seed": seed,
        "size": size,
    }
    marker = out / MARKER
    foreign = out.exists() and (not out.is_dir() or any(not is_partial(path, marker) for path in out.iterdir()))
    if foreign and not marker.is_file():
        raise UsageError(
            f"{out} exists and holds no {MARKER}",
            "phantom images are never written among real data",
            "give --out a new or empty folder",
        )
    if marker.is_file() and marker.read_text() != _dump(wanted):
        raise UsageError(
            f"{out} holds another phantom",
            "two phantoms in one folder would mix their images",
            "delete the folder, or give --out another one",
        )
    write_whole(marker, _dump(wanted).encode())


def _dump(value: dict[str, object]) -> str:
    return json.dumps(value, indent=2) + "\n"


def write_lines(path: Path, lines: list[str]) -> None:
    """Write text lines, each ended by a newline."""
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
