"""Finding files by their relative paths, for datasets that repeat a file name in every study."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchx.datasets.files import is_stray, link_to_folder, refuse_link_out
from benchx.errors import DatasetError


def find_paths(root: Path, folders: Sequence[str], suffixes: tuple[str, ...]) -> set[str]:
    """Return the paths of all files under some folders, relative to the root, with forward slashes.

    Args:
        folders: relative to the root; those that exist are searched with all their subfolders.
        suffixes: of the files, with the dot, lower case; compared whatever the case.

    Raises:
        DatasetError: none of the folders exists, or a link leads out of the root.
    """
    present = [folder for folder in folders if (root / folder).is_dir()]
    if not present:
        raise DatasetError(
            f"no folder {' or '.join(folders)} in {root}",
            "the images are read from there",
            "unpack the image archives there, or point --root DATASET=DIR at the folder that holds it",
        )
    inside = root.resolve()
    found: set[str] = set()
    waiting = list(present)
    for folder in present:
        refuse_link_out(root / folder, inside)
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    refuse_link_out(Path(entry.path), inside)
                if entry.is_dir() and entry.is_symlink():
                    raise link_to_folder(entry.path)
                if entry.is_dir():
                    waiting.append(f"{folder}/{entry.name}")
                elif entry.name.lower().endswith(suffixes) and not is_stray(entry.name):
                    found.add(f"{folder}/{entry.name}")
    return found


def note_unlisted(surplus: int, table: str) -> tuple[str, ...]:
    """Return one note when some images are on disk that a table does not list, else nothing."""
    return (f"{surplus} images are on disk but not in {table}; they are not used",) if surplus else ()
