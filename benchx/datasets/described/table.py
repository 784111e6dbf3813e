"""A described dataset of a CSV and a folder of images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from posixpath import normpath

import numpy as np
import pandas as pd

from benchx.datasets.described.assembly import assemble
from benchx.datasets.described.naming import SUFFIX, name_samples
from benchx.datasets.described.rows import Rows, refuse_blanks, refuse_duplicates
from benchx.datasets.described.schema import Columns, Description, is_inside
from benchx.datasets.files import read_csv
from benchx.datasets.folders import by_stem, find_paths, note_unlisted, refuse_link_out
from benchx.datasets.samples import Samples
from benchx.errors import DatasetError

_PLAIN = re.compile(r"[\w./-]+", re.ASCII)
"""A path that cannot be a sentence of a report."""


def read(described: Description, root: Path) -> Samples:
    """Read the CSV and look for the images that it names.

    Blanks around an image's path do not count. It may lack the suffix, or write it in the other case.

    Raises:
        DatasetError: a file, column or the folder is missing, a row is malformed, an image is named twice or is
            there with two suffixes, or a path or link leads out of the folder.
    """
    source = described.table
    assert source is not None
    refuse_link_out(root / source.file, root.resolve())
    rows = _read_rows(described.columns, root / source.file)
    refuse_blanks(rows, "image")
    folder = PurePosixPath(source.images)
    found = _find(root, folder)
    images, present = _match(rows, folder, found)
    refuse_duplicates(replace(rows, cells={**rows.cells, "image": pd.Series(images)}), "image")
    surplus = sum(bool(SUFFIX.search(path)) for path in found - {*images})
    notes = note_unlisted(surplus, source.file)
    if not present.any():
        notes = (_note_none(source.images, images[0], found), *notes)
    return assemble(described, root, rows, name_samples(rows.cells["image"]), images, present, notes)


def _read_rows(columns: Columns, path: Path) -> Rows:
    names = {role: name for role, name in columns.model_dump(exclude={"labels"}).items() if name is not None}
    table = read_csv(path, list(dict.fromkeys((*names.values(), *columns.labels))))
    cells = {role: table[name] for role, name in names.items()}
    stripped = cells["image"].str.strip()
    return Rows(
        cells=cells | {"image": stripped.mask(stripped == "")},
        labels=[table[name] for name in columns.labels],
        names=names | {f"labels.{number}": name for number, name in enumerate(columns.labels)},
        where=lambda row: f"{path}, line {row + 2}",
    )


def _match(rows: Rows, folder: PurePosixPath, found: set[str]) -> tuple[list[str], np.ndarray]:
    """Return the path of every row's image, and which are there (bool [N])."""
    cells = rows.cells["image"]
    outside = ~cells.map(is_inside).astype(bool)
    if outside.any():
        row, place = rows.first(outside)
        raise DatasetError(
            f"{place}: {rows.names['image']} is {rows.shown(cells.iloc[row])}",
            "an image's path must lie under the folder of images",
            f"write it relative to {folder}",
        )
    paths = _as_on_disk([normpath(f"{folder}/{cell}") for cell in cells], found)
    return paths, np.array([path in found for path in paths])


def _as_on_disk(paths: Sequence[str], found: set[str]) -> list[str]:
    """Give the paths that are not found as they stand the suffix of the file on disk."""
    lost = {path for path in paths if path not in found}
    bare = {path for path in lost if not SUFFIX.search(path)}
    disk = by_stem({path: path for path in sorted(found) if SUFFIX.sub("", path) in bare}) if bare else {}
    if lost - bare:
        spellings = defaultdict(list)
        for path in found:
            spellings[_small_suffix(path)].append(path)
        disk |= {path: same[0] for path in lost - bare if len(same := spellings[_small_suffix(path)]) == 1}
    return [disk.get(path, path) for path in paths]


def _small_suffix(path: str) -> str:
    return SUFFIX.sub(lambda suffix: suffix[0].lower(), path)


def _note_none(folder: str, expected: str, found: set[str]) -> str:
    """Say that no row's image is there: what the first row asks for, and what there is."""
    asked = f"'{expected}'" if _PLAIN.fullmatch(expected) else "a path with blanks or special characters"
    example = min((path for path in found if SUFFIX.search(path)), default=None)
    there = f"{folder} holds no images" if example is None else f"there is '{example}'"
    return f"no row's image is on disk: the first row asks for {asked}, {there}"


def _find(root: Path, folder: PurePosixPath) -> set[str]:
    """Return the paths of all files under a folder, relative to the root; no link may lead out of the root."""
    for parent in folder.parents[:-1]:
        refuse_link_out(root / parent, root.resolve())
    return {normpath(path) for path in find_paths(root, (str(folder),), ("",))}
