"""What one Parquet or Arrow file says of its images; their bytes are not read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as parquet

from benchx.datasets.described.schema import Description
from benchx.errors import DatasetError
from benchx.images.sources import open_arrow

Label = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Contents:
    """The rows of one file.

    Attributes:
        inside: bool [N], whether the image's bytes lie in the file.
        paths: the path that the file gives for each image, or None.
        cells: by role, texts or None; for the role `label`, also tuples of texts.
        labels: the columns of `Columns.labels`.
    """

    inside: np.ndarray
    paths: list[str | None]
    cells: dict[str, list[Label]]
    labels: list[list[str | None]]


def read_contents(described: Description, path: Path) -> Contents:
    """Read everything but the bytes of the images.

    Raises:
        DatasetError: the file is damaged, a column is missing, there twice or of another type, a text is not UTF-8,
            a class number has no name, or a column of `Columns.labels` holds numbers of named classes.
    """
    columns = described.columns
    roles = {role: name for role, name in columns.model_dump(exclude={"image", "labels"}).items() if name is not None}
    wanted = list(dict.fromkeys((*roles.values(), *columns.labels)))
    try:
        table, inside = _read(path, columns.image, wanted)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path} cannot be read",
            (str(error).strip() or type(error).__name__).splitlines()[0],
            "copy the file again",
        ) from error
    names = _class_names(table.schema.metadata)
    _refuse_named(path, columns.labels, names)
    cells: dict[str, list[Label]] = {}
    for role, name in roles.items():
        if role == "label":
            cells[role] = _labels(table.column(name), names.get(name, described.classes), f"{path}", name)
        else:
            cells[role] = list(_texts(table.column(name), names.get(name), f"{path}", name))
    labels = [_texts(table.column(name), names.get(name), f"{path}", name) for name in columns.labels]
    paths = _texts(compute.struct_field(table.column(columns.image), "path"), None, f"{path}", columns.image)
    return Contents(inside, paths, cells, labels)


def _read(path: Path, image: str, wanted: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
    """Return the wanted columns with the paths of the images, and which rows hold their image's bytes."""
    if path.suffix.lower() == ".arrow":
        table = open_arrow(path)
        _check_columns(path, table.schema, image, wanted)
        return table, compute.struct_field(table.column(image), "bytes").is_valid().to_numpy()
    with parquet.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow, image, wanted)
        return file.read(columns=[*wanted, f"{image}.path"]), _holds_bytes(file, f"{image}.bytes")


def _check_columns(path: Path, schema: pa.Schema, image: str, wanted: Sequence[str]) -> None:
    if lacking := [name for name in (image, *wanted) if name not in schema.names]:
        raise DatasetError(
            f"{path} has no column {', '.join(map(repr, lacking))}",
            f"found: {', '.join(schema.names)}",
            "mend 'columns' in the description",
        )
    if repeated := [name for name in (image, *wanted) if schema.names.count(name) > 1]:
        raise DatasetError(
            f"{path} has more than one column '{repeated[0]}'",
            "which of them is meant cannot be told",
            "rename or remove the others",
        )
    kind = schema.field(image).type
    fields = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    if not {"bytes", "path"} <= fields.keys():
        raise DatasetError(
            f"{path}: column '{image}' holds {kind}, not images",
            "images are structs of bytes and path, as the Image feature of Hugging Face datasets writes them",
            "name the column of images in columns.image, or cast it to Image and save again",
        )


def _holds_bytes(file: parquet.ParquetFile, leaf: str) -> np.ndarray:
    """Return which rows hold bytes, from the statistics of the row groups where they tell it."""
    metadata = file.metadata
    column = next(number for number in range(metadata.num_columns) if metadata.schema.column(number).path == leaf)
    flags = []
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        statistics = metadata.row_group(group).column(column).statistics
        nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
        if nulls in (0, rows):
            flags.append(np.full(rows, nulls == 0))
        else:
            struct = file.read_row_group(group, columns=[leaf]).column(0)
            flags.append(compute.struct_field(struct, "bytes").is_valid().to_numpy())
    return np.concatenate(flags) if flags else np.zeros(0, bool)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Return the names of ClassLabel columns, also of lists of them."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: found for name, feature in features.items() if (found := _names(feature))}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _names(feature: Any) -> tuple[str, ...] | None:
    # A list of a feature is {"feature": ...}, and was [...] in older releases.
    if isinstance(feature, list):
        return _names(feature[0]) if feature else None
    if "feature" in feature:
        return _names(feature["feature"])
    return tuple(feature["names"]) if feature.get("_type") == "ClassLabel" else None


def _refuse_named(path: Path, labels: Sequence[str], names: dict[str, tuple[str, ...]]) -> None:
    """Raise a DatasetError when a column of ones and zeros is one of named classes: number 0 may be the finding."""
    for name in labels:
        if names.get(name, ("0", "1")) != ("0", "1"):
            raise DatasetError(
                f"{path}: column '{name}' holds the numbers of named classes: {', '.join(names[name])}",
                "in columns.labels 1 means present and 0 absent, whatever the numbers are called",
                "use columns.label, or write the column as plain 1/0 numbers",
            )


def _values(column: pa.ChunkedArray, file: str, name: str) -> list[Any]:
    values: list[Any] = []
    try:
        for cell in column:
            values.append(cell.as_py())
    except UnicodeDecodeError:
        # Not chained: the error would carry the text along.
        raise DatasetError(
            f"{file}, row {len(values)}: the text in column '{name}' is not UTF-8",
            "Parquet and Arrow files hold their texts in UTF-8",
            "write the file again from texts that were decoded rightly",
        ) from None
    return values


def _texts(column: pa.ChunkedArray, names: Sequence[str] | None, file: str, name: str) -> list[str | None]:
    """Return single values as texts, empty ones as None; class numbers by their names where these are known."""
    values = _values(column, file, name)
    if names is not None and pa.types.is_integer(column.type):
        known = dict(enumerate(names)) | {-1: None}
        values = [known.get(value, value) for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> str | None:
    if value is None or value != value or value == "":
        return None
    return str(int(value)) if isinstance(value, bool) else str(value)


def _labels(column: pa.ChunkedArray, names: Sequence[str], file: str, name: str) -> list[Label]:
    """Return the names of the classes: a text, a tuple of texts, or None where they are not known.

    A number counts in `names`; -1 alone is an unknown class, as in `datasets`.
    """
    kind = column.type
    several = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    kind = kind.value_type if several or pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _values(column, file, name)
        return [tuple(map(str, value)) if several and value is not None else value or None for value in values]
    if not pa.types.is_integer(kind):
        raise DatasetError(
            f"{file}: column '{name}' holds {column.type}",
            "classes are given as texts, class numbers, or lists of them",
            "name the right column, or give one 1/0 column per class as columns.labels",
        )

    def name_of(number: int | None, row: int) -> str:
        if number is None or not 0 <= number < len(names):
            raise DatasetError(
                f"{file}, row {row}: {name} is {number}",
                f"there are {len(names)} class names, counted from 0: {', '.join(names)}",
                "mend the row, or the names",
            )
        return names[number]

    labels: list[Label] = []
    for row, value in enumerate(column.to_pylist()):
        if several:
            labels.append(None if value is None else tuple(name_of(number, row) for number in value))
        else:
            labels.append(None if value in (None, -1) else name_of(value, row))
    return labels
