"""Where an image's bytes come from: a file of its own, or a row of a Parquet or Arrow file.

An image inside a file is addressed by a path that goes on inside it, `data/train.parquet/image/17`: the column
and the row, counted from 0. The column holds structs of `bytes` and `path`, as Hugging Face `datasets` writes them.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

SUFFIXES = (".parquet", ".arrow")
"""Of files that hold images in their rows."""

_CACHE_BYTES = 256 << 20
"""Limit of the row groups kept, but for the last one read; `datasets` writes images in groups of at most 100."""
_OPEN_FILES = 8


def read_bytes(path: Path) -> bytes:
    """Return an image's bytes.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file that holds it is damaged, or has no such column, row or bytes.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        container = _container(path)
        if container is None:
            raise
    *column, row = path.relative_to(container).parts
    return _ROWS.read(container, "/".join(column), row)


def stat_of(path: Path) -> os.stat_result:
    """Return size and times of an image's file: of the whole one where the image lies inside it.

    Raises:
        OSError: the file is missing.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        container = _container(path)
        if container is None:
            raise
    return container.stat()


def open_arrow(path: Path) -> Any:
    """Map an Arrow stream file into memory and return its `pyarrow.Table`; nothing is copied.

    Raises:
        OSError, ValueError: the file is missing, damaged or truncated.
    """
    import pyarrow as pa

    with path.open("rb") as file:
        file.seek(-min(8, path.stat().st_size), os.SEEK_END)
        # A stream cut between two batches reads without complaint, so its end mark is looked for.
        if file.read() != b"\xff\xff\xff\xff\0\0\0\0":
            raise ValueError("truncated Arrow stream")
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all()


def _container(path: Path) -> Path | None:
    """Return the file that an address goes into, or None where there is none."""
    parents = (parent for parent in path.parents if parent.suffix.lower() in SUFFIXES)
    return next((parent for parent in parents if parent.is_file()), None)


class _Key(NamedTuple):
    """A file as it was found: a changed file is another one."""

    path: Path
    file_bytes: int
    mtime_ns: int


class _File(NamedTuple):
    """An open Parquet file or mapped Arrow table, and the number of rows up to the end of each row group."""

    content: Any
    ends: list[int]


class _Images(NamedTuple):
    """The images of one row group, a `pyarrow.ChunkedArray` of bytes, and the memory it takes."""

    bytes: Any
    size: int


class _Rows:
    """Rows of files, read a row group at a time; the last groups are kept for the next images.

    Threads share one lock: they read neighbouring images, so they would wait for the same group anyway.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: OrderedDict[_Key, _File] = OrderedDict()
        self._groups: OrderedDict[tuple[_Key, str, int], _Images] = OrderedDict()

    def read(self, container: Path, column: str, row: str) -> bytes:
        import pyarrow as pa

        if not row.isdecimal():
            raise ValueError(f"'{row}' is not a row of {container.name}")
        found = container.stat()
        try:
            with self._lock:
                images, position = self._find(_Key(container, found.st_size, found.st_mtime_ns), column, int(row))
        except pa.ArrowNotImplementedError as error:
            reason = f"{error}; if its row group is over 2 GB, write the file in smaller ones"
            raise ValueError(f"row {row} of {container.name}: {reason}") from error
        except pa.ArrowException as error:
            raise ValueError(f"row {row} of {container.name}: {error}") from error
        value = images[position].as_py()
        if value is None:
            raise ValueError(f"row {row} of {container.name} holds no image")
        return value

    def _find(self, key: _Key, column: str, row: int) -> tuple[Any, int]:
        """Return the images of the row's group, and the row's position among them."""
        ends = self._open(key).ends
        group = bisect_right(ends, row)
        if group == len(ends):
            raise ValueError(f"{key.path.name} has no row {row}")
        return self._group(key, column, group), row - (ends[group - 1] if group else 0)

    def _open(self, key: _Key) -> _File:
        if key not in self._files:
            self._files[key] = _open_arrow(key.path) if _is_arrow(key.path) else _open_parquet(key.path)
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]

    def _group(self, key: _Key, column: str, group: int) -> Any:
        place = (key, column, group)
        if place not in self._groups:
            self._groups[place] = _read_group(key.path, self._open(key).content, column, group)
            while len(self._groups) > 1 and sum(kept.size for kept in self._groups.values()) > _CACHE_BYTES:
                self._groups.popitem(last=False)
        self._groups.move_to_end(place)
        return self._groups[place].bytes


def _is_arrow(path: Path) -> bool:
    return path.suffix.lower() == ".arrow"


def _open_arrow(path: Path) -> _File:
    table = open_arrow(path)
    return _File(table, [table.num_rows])


def _open_parquet(path: Path) -> _File:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    rows = (file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
    return _File(file, list(accumulate(rows)))


def _read_group(path: Path, content: Any, column: str, group: int) -> _Images:
    """Read one row group of a Parquet file, or all of a mapped Arrow table (which takes no memory)."""
    import pyarrow as pa
    import pyarrow.compute as compute

    mapped = _is_arrow(path)
    table = content if mapped else content.read_row_group(group, columns=[f"{column}.bytes"])
    kind = table.schema.field(column).type if column in table.column_names else None
    if kind is None or not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise ValueError(f"{path.name} has no images in a column '{column}'")
    return _Images(compute.struct_field(table.column(column), "bytes"), 0 if mapped else table.nbytes)


_ROWS = _Rows()
