"""Where method cards are: those that ship with benchx, and those of installed packages."""

from __future__ import annotations

from functools import cache
from importlib import metadata, resources
from pathlib import Path

from benchx.errors import UsageError
from benchx.resources import resource_dir

GROUP = "benchx.methods"
"""The entry points by which a package offers cards: each names a folder of them, `package` or `package:folder`."""


def card_files() -> dict[str, Path]:
    """Return the file of every card by name; a card's name is its file's, without `.yaml`.

    Raises:
        UsageError: two cards have one name, or a package's entry point names no folder.
    """
    found: dict[str, Path] = {}
    for folder in (resource_dir("baselines"), *installed_folders()):
        for path in sorted(folder.glob("*.yaml")):
            if path.stem in found:
                raise UsageError(
                    f"two cards are named '{path.stem}'",
                    f"{found[path.stem]} and {path}",
                    "rename one, or remove one of the packages",
                )
            found[path.stem] = path
    return found


@cache
def installed_folders() -> tuple[Path, ...]:
    """Return the folders of cards that installed packages offer.

    Raises:
        UsageError: an entry point names no folder.
    """
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return tuple(dict.fromkeys(_folder(point) for point in points))


def _folder(point: metadata.EntryPoint) -> Path:
    package, _, inside = point.value.partition(":")
    try:
        folder = Path(str(resources.files(package))) / inside
    except Exception as error:  # a package may fail in any way when it is imported
        why = f"{type(error).__name__}: {error}"
    else:
        if folder.is_dir():
            return folder
        why = f"{folder} is no folder"
    raise UsageError(
        f"the entry point '{point.name}' of the group {GROUP} does not work",
        f"{point.value}: {why}",
        "mend or remove the package that declares it; its value is package or package:folder",
    )
