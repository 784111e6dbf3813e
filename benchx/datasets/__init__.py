"""The datasets that benchx knows, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchx.datasets.readers import (
    chexpert,
    covid_chestxray,
    covidx,
    iu_xray,
    medvqa_2019,
    mimic_cxr,
    montgomery,
    nih,
    object_cxr,
    path_vqa,
    rsna,
    shenzhen,
    siim,
    slake,
    tbx11k,
    vindr,
    vqa_rad,
)
from benchx.datasets.samples import Dataset
from benchx.errors import DataMissing, unknown_name

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        nih.DATASET,
        rsna.DATASET,
        siim.DATASET,
        vindr.DATASET,
        covidx.DATASET,
        object_cxr.DATASET,
        tbx11k.DATASET,
        iu_xray.DATASET,
        mimic_cxr.DATASET,
        chexpert.DATASET,
        covid_chestxray.DATASET,
        montgomery.DATASET,
        shenzhen.DATASET,
        vqa_rad.DATASET,
        vqa_rad.CHEST_DATASET,
        slake.DATASET,
        medvqa_2019.DATASET,
        path_vqa.DATASET,
    )
}


def get_dataset(name: str) -> Dataset:
    """Return a dataset by name, or from the description of a user's own (a `.yaml` file).

    Raises:
        UsageError: no such dataset (the nearest name is suggested), or the description does not read.
    """
    if name.endswith((".yaml", ".yml")):
        from benchx.datasets.description import read_description

        return read_description(Path(name))
    if name not in DATASETS:
        raise unknown_name("dataset", name, DATASETS)
    return DATASETS[name]


def find_root(dataset: Dataset, roots: Mapping[str, Path], data_root: Path | None) -> Path:
    """Return the folder of a dataset's official files.

    Args:
        roots: folders given for single datasets.
        data_root: a folder that holds one folder per dataset, named by it.

    Raises:
        DataMissing: neither is given or there; says where the data comes from and under which terms.
    """
    name = dataset.name
    root = roots.get(name) or (data_root / name if data_root else None)
    if root is not None and root.is_dir():
        return root
    where = f"there is no folder {root}" if root else "no data root was given"
    raise DataMissing(
        f"dataset '{name}' is not there",
        f"{dataset.title}: {dataset.size}, {dataset.licence}, {dataset.access} access, from {dataset.source}",
        f"{where}; give --root {name}=DIR, or --data-root DIR (or BENCHX_DATA) with a folder {name}/ in it",
    )
