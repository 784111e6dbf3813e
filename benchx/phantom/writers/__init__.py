"""Writers of official dataset layouts, filled with virtual patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchx.phantom.writers import (
    chexpert,
    covid_chestxray,
    covidx,
    iu_xray,
    medvqa_2019,
    mimic_cxr,
    nih,
    nlm_tuberculosis,
    object_cxr,
    path_vqa,
    rsna,
    siim,
    slake,
    tbx11k,
    vindr,
    vqa_rad,
)
from benchx.phantom.writers.layout import Layout
from benchx.phantom.writers.writing import write_layouts

LAYOUTS: dict[str, Layout] = {
    name: layout
    for module in (
        nih,
        rsna,
        siim,
        vindr,
        covidx,
        object_cxr,
        tbx11k,
        iu_xray,
        mimic_cxr,
        chexpert,
        covid_chestxray,
        nlm_tuberculosis,
        vqa_rad,
        slake,
        medvqa_2019,
        path_vqa,
    )
    for name, layout in module.LAYOUTS.items()
}
"""By name. A layout named as its dataset is the one that `benchx data phantom all` writes; the others are the
further forms in which that dataset is published."""


def write(layout: str, out: Path, patients: int, seed: int, size: int, on_progress: Callable[[int, int], None]) -> None:
    """Write one layout into a folder; see `write_layouts`."""
    write_layouts(LAYOUTS, {layout: out}, patients, seed, size, on_progress)


def write_all(out: Path, patients: int, seed: int, size: int, on_progress: Callable[[int, int], None]) -> None:
    """Write a data root: one folder per dataset, named by it; see `write_layouts`."""
    roots = {name: out / name for name, layout in LAYOUTS.items() if name == layout.dataset}
    write_layouts(LAYOUTS, roots, patients, seed, size, on_progress)
