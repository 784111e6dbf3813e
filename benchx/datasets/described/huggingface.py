"""A described dataset of Parquet or Arrow files with Hugging Face images.

The images are structs of `bytes` and `path`: those with bytes lie inside the file (see `benchx.images.sources`),
those without are files, relative to the folder of the Parquet file or to the root. The names of ClassLabel columns
come from the JSON that `datasets` leaves in the schema's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from benchx.datasets.described.arrow import Contents, Label, read_contents
from benchx.datasets.described.assembly import assemble
from benchx.datasets.described.containers import Container, find_containers
from benchx.datasets.described.naming import name_samples
from benchx.datasets.described.rows import Rows, shown
from benchx.datasets.described.schema import Description, is_inside
from benchx.datasets.folders import refuse_link_out
from benchx.datasets.samples import Samples
from benchx.errors import DatasetError

Files = Sequence[tuple[Container, Contents]]


def read(described: Description, root: Path) -> Samples:
    """Read the columns of all files but the images.

    Raises:
        DatasetError: a file or column is missing or damaged, the image column holds no images, a row is malformed,
            a part is unknown, or a path or link leads out of the folder.
    """
    assert described.huggingface is not None
    containers = find_containers(root, described.huggingface)
    notes = _check_parts(described, root, containers)
    files = [(one, read_contents(described, root / one.path)) for one in containers]
    rows = _join(described, root, files, with_parts=notes is None)
    images, present = _images(described, root, files)
    return assemble(described, root, rows, _ids(files), images, present, notes or ())


def _check_parts(described: Description, root: Path, containers: Sequence[Container]) -> tuple[str, ...] | None:
    """Return None where the files are divided into the parts of a split, else notes."""
    names = sorted({one.part for one in containers})
    unknown = [name for name in names if name not in described.splits]
    if described.columns.split is not None or (unknown and len(names) == 1):
        return ()
    if unknown:
        raise DatasetError(
            f"the files in {root / str(described.huggingface)} are of the parts {', '.join(names)}",
            f"the description knows {', '.join(described.splits)}, not '{unknown[0]}'",
            "say under 'splits' whether it is train, val or test",
        )
    if {"train", "test"} <= {described.splits[name] for name in names}:
        return None
    return (f"of the published split only {', '.join(names)} is there, so the files count as not split",)


def _join(described: Description, root: Path, files: Files, *, with_parts: bool) -> Rows:
    columns, contents = described.columns, [content for _, content in files]
    starts = np.cumsum([0, *(len(content.inside) for content in contents)])

    def where(row: int) -> str:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{root / files[number][0].path}, row {row - int(starts[number])}"

    roles = list(contents[0].cells)
    cells = {role: _series(content.cells[role] for content in contents) for role in roles}
    cells["image"] = _series(content.paths for content in contents)
    if with_parts:
        cells["split"] = _series([one.part] * len(content.inside) for one, content in files)
    return Rows(
        cells=cells,
        labels=[_series(content.labels[number] for content in contents) for number in range(len(columns.labels))],
        names={role: getattr(columns, role) for role in (*roles, "image")}
        | {f"labels.{number}": name for number, name in enumerate(columns.labels)},
        where=where,
    )


def _series(columns: Iterable[Sequence[Label]]) -> pd.Series:
    return pd.Series(list(chain.from_iterable(columns)), dtype=object)


def _ids(files: Files) -> pd.Series:
    """Return ids from the images' paths where all have one and no two the same, else from part and row."""
    paths = _series(content.paths for _, content in files)
    if paths.notna().all() and paths.is_unique and paths.map(is_inside).all():
        return name_samples(paths)
    counts: dict[str, int] = {}
    ids = []
    for one, content in files:
        start = counts.get(one.part, 0)
        counts[one.part] = start + len(content.inside)
        ids += [f"{one.part}/{row:06d}".lstrip("/") for row in range(start, counts[one.part])]
    return pd.Series(ids, dtype=object)


def _images(described: Description, root: Path, files: Files) -> tuple[list[str], np.ndarray]:
    """Return the address of every image, and which are there (bool [N])."""
    images, present = [], []
    for one, content in files:
        for row, (inside, path) in enumerate(zip(content.inside, content.paths, strict=True)):
            address = f"{one.path}/{described.columns.image}/{row}"
            if not inside and path is not None:
                address = _beside(described, root, one.path, path, row)
            images.append(address)
            present.append(bool(inside) or (root / address).is_file())
    return images, np.array(present, bool)


def _beside(described: Description, root: Path, container: str, path: str, row: int) -> str:
    """Return where an image lies that a file only names."""
    if not is_inside(path):
        named = shown(path, reports=described.columns.report is not None)
        raise DatasetError(
            f"{root / container}, row {row}: the image is the file {named}",
            "its bytes are not in the Parquet file, and its path does not lie under the dataset's folder",
            "save the dataset again with the images in it, or with paths relative to the Parquet file",
        )
    places = [(folder / path).as_posix() for folder in (PurePosixPath(container).parent, PurePosixPath("."))]
    found = next((place for place in places if (root / place).is_file()), places[0])
    for level in (PurePosixPath(found), *PurePosixPath(found).parents[:-1]):
        refuse_link_out(root / level, root.resolve())
    return found
