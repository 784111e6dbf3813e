"""Where suite files and method cards are read from."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(kind: str) -> Path:
    """Return the folder of one kind of resource.

    Args:
        kind: `suites` or `baselines`.

    Returns:
        The package data when installed from a wheel, else the repository's own folder.
    """
    packaged = _PACKAGE / "_resources" / kind
    if packaged.is_dir():
        return packaged
    return _PACKAGE.parent / kind
