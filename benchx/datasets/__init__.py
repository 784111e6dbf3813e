"""The datasets that benchx knows, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchx.datasets import nih, rsna
from benchx.datasets.samples import Dataset
from benchx.errors import DataMissing, unknown_name

DATASETS: dict[str, Dataset] = {module.DATASET.name: module.DATASET for module in (nih, rsna)}


def get_dataset(name: str) -> Dataset:
    """Return a dataset by name, or raise a UsageError that suggests the nearest one."""
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]


def find_root(name: str, roots: Mapping[str, Path], data_root: Path | None) -> Path:
    """Return the folder of a dataset's official files.

    Args:
        name: the dataset.
        roots: folders given for single datasets.
        data_root: a folder that holds one folder per dataset, named by it.

    Raises:
        DataMissing: neither is given or there; says where the data comes from and under which terms.
    """
    dataset = get_dataset(name)
    root = roots.get(name) or (data_root / name if data_root else None)
    if root is not None and root.is_dir():
        return root
    where = f"no folder {root}" if root else "no data root was given"
    raise DataMissing(
        f"dataset '{name}' is not there: {where}",
        f"{dataset.title}: {dataset.size}, {dataset.licence}, from {dataset.source}",
        f"give --root {name}=DIR, or --data-root DIR (or BENCHX_DATA) with a folder {name}/ in it",
    )
