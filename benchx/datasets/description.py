"""A dataset of one's own, described by one YAML file instead of a reader.

The fields are those of `benchx.datasets.described.schema.Description`; `benchx new dataset NAME` writes a file that
explains each.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchx.datasets.described import huggingface, table
from benchx.datasets.described.schema import Columns, Description, Table
from benchx.datasets.samples import Dataset
from benchx.errors import UsageError

_FIELDS: dict[tuple[int | str, ...], Iterable[str]] = {
    (): Description.model_fields,
    ("columns",): Columns.model_fields,
    ("table",): Table.model_fields,
}


def read_description(path: Path) -> Dataset:
    """Read a dataset description.

    Returns:
        The dataset; its `read` takes the folder that the description's paths are relative to.

    Raises:
        UsageError: there is no such file, it is not YAML, or it does not fit the schema.
    """
    raw = _read_yaml(path)
    try:
        described = Description.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the description"
        raise UsageError(
            f"{path} is not a valid dataset description: {where}",
            first["msg"].removeprefix("Value error, "),
            f"{_nearest(first['type'], first['loc'])}{error.error_count()} errors in all; "
            "'benchx new dataset NAME' writes a description that explains every field",
        ) from error
    _refuse_known(described.name, path)
    return Dataset(
        name=described.name,
        title=described.title,
        licence=described.licence,
        source=described.source,
        citation=described.citation,
        size=described.size,
        access=described.access,
        tasks=described.tasks,
        family=described.family or described.name,
        classes=described.classes,
        read=partial((table if described.table else huggingface).read, described),
    )


def _read_yaml(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"no dataset description {path}", "the path does not exist", "check the path")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML", str(error).replace("\n", " "), "mend the file") from error


def _nearest(kind: str, place: Sequence[int | str]) -> str:
    """Suggest the field that an unknown key was meant to be."""
    fields = _FIELDS.get(tuple(place[:-1])) if kind == "extra_forbidden" else None
    near = difflib.get_close_matches(str(place[-1]), fields, n=1) if fields else []
    return f"did you mean '{near[0]}'? " if near else ""


def _refuse_known(name: str, path: Path) -> None:
    from benchx.datasets import DATASETS

    if name in DATASETS:
        raise UsageError(
            f"{path} describes a dataset named '{name}'",
            "benchx has a dataset of that name, and results are told apart by it",
            "choose another name",
        )
