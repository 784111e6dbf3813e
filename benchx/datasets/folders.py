"""Finding the files of a dataset under its root, with one clear error for links and names that do not fit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchx.errors import DatasetError

_SHOWN = 8


def find_images(root: Path, folders: Sequence[str], suffixes: Sequence[str], *, deep: bool = False) -> dict[str, str]:
    """Map the names of image files to their paths relative to the root, forward slashes.

    Args:
        folders: relative to the root, those that exist are searched; `*` stands for any name.
        suffixes: of files, with the dot, lower case; compared whatever the case.
        deep: whether subfolders are searched too.

    Raises:
        DatasetError: none of the folders exists, a name stands in two of them, or a link leads out of the root.
    """
    present = [folder for pattern in folders for folder in sorted(root.glob(pattern)) if folder.is_dir()]
    if not present:
        raise DatasetError(
            f"no folder {' or '.join(folders)} in {root}",
            f"the images are read from there; {found_in(root)}",
            "unpack the image archives there, or point --root DATASET=DIR at the folder that holds it",
        )
    inside, found = root.resolve(), dict[str, str]()
    for folder in present:
        refuse_link_out(folder, inside)
        for entry in _files(folder, inside, deep):
            if not entry.name.lower().endswith(tuple(suffixes)) or is_stray(entry.name):
                continue
            path = os.path.relpath(entry.path, root).replace(os.sep, "/")
            if entry.name in found:
                raise DatasetError(
                    f"{entry.name} stands in two folders of {root}: {found[entry.name]} and {path}",
                    "which of them is meant cannot be told",
                    "remove one",
                )
            found[entry.name] = path
    return found


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
            f"the images are read from there; {found_in(root)}",
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


def by_stem(found: dict[str, str]) -> dict[str, str]:
    """Map names without their suffix to paths.

    Raises:
        DatasetError: two files differ in their suffix only.
    """
    stems: dict[str, str] = {}
    for name, path in found.items():
        stem = name.rsplit(".", 1)[0]
        if stem in stems:
            raise DatasetError(
                f"'{stem}' is there with two suffixes: {stems[stem]} and {path}",
                "which of the two files is meant cannot be told",
                "remove one",
            )
        stems[stem] = path
    return stems


def first_of(root: Path, names: Sequence[str]) -> Path:
    """Return the first of some relative paths that exists under a root, else the first name's path."""
    return next((root / name for name in names if (root / name).exists()), root / names[0])


def is_phantom(root: Path) -> bool:
    """Whether a dataset root was written by the phantom simulator."""
    return (root / "PHANTOM.json").is_file()


def is_stray(name: str) -> bool:
    """Whether a file name belongs to no dataset: not text, or a copy of attributes that macOS leaves (`._name`)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return name.startswith("._")


def refuse_link_out(path: Path, inside: Path) -> None:
    """Raise a DatasetError when a path leads, by symbolic links, to a place outside a resolved folder."""
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{path} is a link that leads to itself", str(error), "remove the link") from error
    if not target.is_relative_to(inside):
        raise DatasetError(
            f"{path} is a link to {target}, outside {inside}",
            "a dataset's files must lie under its root, so that a copy of the root is a copy of the data",
            "point --root DATASET=DIR at the real folder, or link the whole root instead",
        )


def link_to_folder(path: str) -> DatasetError:
    """Return the error for a link to a folder in a tree that is searched: its files would count twice, or for ever."""
    return DatasetError(
        f"{path} is a link to a folder", "its files would be found twice", "put the files there, or remove the link"
    )


def note_unlisted(surplus: int, table: str) -> tuple[str, ...]:
    """Return one note when some images are on disk that a table does not list, else nothing."""
    return (f"{surplus} images are on disk but not in {table}; they are not used",) if surplus else ()


def found_in(folder: Path) -> str:
    """Say what a folder holds, for errors."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = ", ..." if len(names) > _SHOWN else ""
    return f"found there: {', '.join(names[:_SHOWN])}{more}" if names else "found there: nothing"


def _files(folder: Path, inside: Path, deep: bool) -> Iterator[os.DirEntry[str]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            refuse_link_out(Path(entry.path), inside)
        if not entry.is_dir():
            yield entry
        elif deep and entry.is_symlink():
            raise link_to_folder(entry.path)
        elif deep:
            yield from _files(Path(entry.path), inside, deep)
