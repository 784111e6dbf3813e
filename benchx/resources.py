"""Where suites, cards, certificates and published scores are read from, and the folders that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_REPOSITORY = {"certificates": "tests/certificates", "published": "leaderboards/published"}


def resource_dir(kind: str) -> Path:
    """Return the folder of one kind of resource.

    Args:
        kind: `suites`, `baselines`, `certificates` or `published` (scores of papers).

    Returns:
        The package data when installed from a wheel, else the repository's own folder.
    """
    packaged = _PACKAGE / "_resources" / kind
    if packaged.is_dir():
        return packaged
    return _PACKAGE.parent / _IN_REPOSITORY.get(kind, kind)


def data_folder(given: str | Path | None) -> Path | None:
    """Return the folder that holds the datasets: the one given, else BENCHX_DATA, or None."""
    return Path(given) if given else environment_folder("BENCHX_DATA")


def environment_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable (BENCHX_DATA, BENCHX_WEIGHTS) names, or None."""
    value = os.environ.get(variable)
    return Path(value) if value else None
