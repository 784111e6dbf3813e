"""Writing a population of virtual patients into one or more official layouts at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchx.phantom.patients import make_patient
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import open_root


def write_layouts(
    layouts: Mapping[str, Layout],
    roots: Mapping[str, Path],
    patients: int,
    seed: int,
    size: int,
    on_progress: Callable[[int, int], None],
) -> None:
    """Write the same patients into every layout; each image is rendered once.

    Args:
        layouts: by name.
        roots: the folder of each layout, by the same names: new or empty, or what an interrupted run of the
            same phantom left.
        patients: how many, from number 1.
        seed: seed of the population.
        size: pixels along each side.
        on_progress: called with (patients done, patients).

    Raises:
        UsageError: a number is out of range, or a folder holds something else.
    """
    for name, root in roots.items():
        open_root(root, name, patients, seed, size)

    def work(index: int) -> dict[str, list[Any]]:
        views = Views(make_patient(seed, index), size)
        return {name: layouts[name].write_patient(root, views) for name, root in roots.items()}

    rows: dict[str, list[Any]] = {name: [] for name in roots}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, parts in enumerate(pool.map(work, range(1, patients + 1)), 1):
            for name, part in parts.items():
                rows[name].extend(part)
            on_progress(done, patients)
    for name, root in roots.items():
        layouts[name].write_tables(root, rows[name])
