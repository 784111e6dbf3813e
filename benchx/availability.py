"""`benchx data status`: which datasets are there, and what it takes to get the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchx.datasets import DATASETS, find_root
from benchx.datasets.files import shown
from benchx.datasets.samples import Dataset
from benchx.errors import DataMissing, DatasetError
from benchx.resources import data_folder
from benchx.suites import read_suite

State = Literal["verified", "files missing", "unreadable", "not there"]


@dataclass(frozen=True)
class Availability:
    """The state of a dataset's files.

    Attributes:
        state: `verified` = its tables read and every listed image is on disk (`benchx data check` also decodes
            them), `files missing`, `unreadable` = a table does not read, or `not there`.
        images: listed, where the tables read.
        missing: listed but not on disk.
        detail: what is missing or wrong, or what it takes to get the dataset.
        phantom: whether the files are simulated.
    """

    dataset: str
    state: State
    images: int | None
    missing: int | None
    detail: str
    phantom: bool = False

    def row(self) -> dict[str, Any]:
        """Return the state as a row for a table."""
        return asdict(self)


def states(suite: str | None, data_root: Path | None, roots: Mapping[str, Path]) -> list[Availability]:
    """Look for the datasets of a suite, or for all that benchx knows.

    Args:
        data_root: folder with one folder per dataset (default: BENCHX_DATA).
        roots: folders of single datasets.

    Raises:
        UsageError: no such suite.
    """
    if suite is None:
        wanted = DATASETS
    else:
        resolved = read_suite(suite)
        wanted = {name: resolved.dataset(name) for name in resolved.datasets}
    place = data_folder(data_root)
    return [_look(dataset, roots, place) for dataset in wanted.values()]


def _look(dataset: Dataset, roots: Mapping[str, Path], data_root: Path | None) -> Availability:
    try:
        samples = dataset.read(find_root(dataset, roots, data_root))
    except DataMissing:
        terms = f"{dataset.size}, {dataset.access} access, {dataset.licence}: {dataset.source}"
        return Availability(dataset.name, "not there", None, None, terms)
    except DatasetError as error:
        return Availability(dataset.name, "unreadable", None, None, f"{error.what} ({error.why}); {error.todo}")
    except (OSError, ValueError) as error:
        return Availability(dataset.name, "unreadable", None, None, shown(" ".join(str(error).split())))
    images, missing = len(samples.table), len(samples.missing)
    if missing:
        listed = ", ".join(samples.missing[:3]) + (", ..." if missing > 3 else "")
        return Availability(dataset.name, "files missing", images, missing, listed, samples.phantom)
    return Availability(dataset.name, "verified", images, 0, "; ".join(samples.notes), samples.phantom)
