"""Which Parquet and Arrow files make up a dataset, and which part each belongs to.

File names are those that Hugging Face `datasets` writes: `save_to_disk` leaves `state.json`, which lists Arrow files,
and for a DatasetDict one such folder per part beside `dataset_dict.json`; `push_to_hub` leaves
`train-00000-of-00002.parquet`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from benchx.datasets.folders import is_stray, refuse_link_out
from benchx.errors import DatasetError
from benchx.images.sources import SUFFIXES

_SHARD = re.compile(r"(?P<part>.+?)(?:-\d{5}-of-(?P<of>\d{5}))?(?:-[0-9a-f]{16})?\.(?:parquet|arrow)", re.IGNORECASE)


class Container(NamedTuple):
    """A file that holds rows: its path relative to the root, and the name of its part (empty = none)."""

    path: str
    part: str


def find_containers(root: Path, place: str) -> list[Container]:
    """Return the files of a dataset, in order.

    Args:
        place: a file or a folder, relative to the root.

    Raises:
        DatasetError: there are none, one is missing, or a link leads out of the root.
    """
    target = root / place
    if target.is_file() and target.suffix.lower() in SUFFIXES:
        found = [Container(place, _part(target))]
    elif (target / "dataset_dict.json").is_file():
        parts = _read_json(target / "dataset_dict.json", "splits")
        found = [one for part in parts for one in _saved(root, target / str(part), str(part))]
    elif (target / "state.json").is_file():
        found = _saved(root, target, "")
    else:
        paths = sorted(path for path in target.glob("*.parquet") if not is_stray(path.name))
        _refuse_gaps(paths, target)
        found = [Container(path.relative_to(root).as_posix(), _part(path)) for path in paths]
    if not found:
        raise DatasetError(
            f"{target} holds no Parquet files and was not saved by datasets",
            "looked for: *.parquet, state.json, dataset_dict.json" if target.is_dir() else "there is no such folder",
            "mend 'huggingface' in the description, or point --root DATASET=DIR at the folder that holds it",
        )
    for one in found:
        path = PurePosixPath(one.path)
        for level in (path, *path.parents[:-1]):
            refuse_link_out(root / level, root.resolve())
    return found


def _part(path: Path) -> str:
    matched = _SHARD.fullmatch(path.name)
    return matched["part"] if matched else path.stem


def _saved(root: Path, folder: Path, part: str) -> list[Container]:
    """Return the files of a folder that `save_to_disk` wrote."""
    entries = _read_json(folder / "state.json", "_data_files")
    found = []
    for entry in entries:
        path = folder / str(entry.get("filename") if isinstance(entry, dict) else entry)
        if not path.is_file():
            raise DatasetError(f"{path} is missing", f"{folder / 'state.json'} lists it", "copy the folder again")
        found.append(Container(path.relative_to(root).as_posix(), part))
    return found


def _read_json(path: Path, key: str) -> list[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))[key]
        if isinstance(value, list):
            return value
        reason = f"'{key}' is not a list"
    except FileNotFoundError:
        reason = "it is missing"
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise DatasetError(f"{path} cannot be read", reason, "save the dataset again, or copy the folder again")


def _refuse_gaps(paths: list[Path], folder: Path) -> None:
    """Raise a DatasetError when of `train-00000-of-00003` and so on not all are there."""
    shards: dict[tuple[str, int], int] = defaultdict(int)
    for path in paths:
        matched = _SHARD.fullmatch(path.name)
        if matched and matched["of"]:
            shards[matched["part"], int(matched["of"])] += 1
    for (part, wanted), there in shards.items():
        if there != wanted:
            raise DatasetError(
                f"of part '{part}' in {folder}, {there} of {wanted} files are there",
                "their names say how many there should be",
                "complete the download",
            )
