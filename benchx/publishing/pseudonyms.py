"""Pseudonyms for data that may not be passed on.

Predictions on a dataset that is not open to everybody are published without its labels, its subgroup columns and its
ids. A test case is named by the first 16 hexadecimal digits of sha256(salt, dataset, id), a study or a question of
sha256(salt, dataset, patient, id), because such numbers alone are short enough for all of them to be tried; its
cluster (patient) by the smallest name among the cluster's test cases, so that only the grouping of the cases is told.

The salt stands in the manifest: whoever has the dataset can name its cases in the same way and join the labels, and
that is wanted. So pseudonyms keep ids out of public files; they are no protection against someone who has a list of
the ids, or can guess them. The image ids of the credentialed datasets that benchx knows are random numbers of 128 bits
and more; those of CheXpert are counted through and can be guessed, but their labels are not there either.

Of a segmentation the counts of pixels stay, without which no score can be computed again, and so it is told whether
and how large a class is on a case without a name.

The salt is a digest of the bundle's keys, so that one store gives one bundle, and other bundles other names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from benchx.datasets.samples import Dataset
from benchx.digests import digest_lines
from benchx.planning import Cell
from benchx.publishing.columns import classes_of, columns_of

_DIGITS = 16
REPORT = "text:"
"""How the sample of a report begins in the tables of retrieval."""


def is_hidden(dataset: Dataset, data: Literal["real", "phantom"]) -> bool:
    """Whether ids and labels of a dataset stay private: it is not open, and the images are not simulated."""
    return data == "real" and dataset.access != "open"


def salt_of(keys: Iterable[str]) -> str:
    """Return the salt of a bundle that holds the results of these keys."""
    return digest_lines(["pseudonyms", *sorted(keys)])


def pseudonyms(salt: str, dataset: str, samples: Sequence[str]) -> list[str]:
    """Return the pseudonym of every sample id."""
    start = f"{salt}\0{dataset}\0"
    return [hashlib.sha256((start + name).encode()).hexdigest()[:_DIGITS] for name in samples]


def cluster_names(names: Sequence[str], clusters: Sequence[str]) -> np.ndarray:
    """Return for every case the smallest name of its cluster, as strings [n].

    Args:
        names: the pseudonyms of the cases.
        clusters: the clusters' ids.
    """
    table = pd.DataFrame({"name": list(names), "cluster": list(clusters)}, dtype=object)
    return table.groupby("cluster")["name"].transform("min").to_numpy(object)


def case_names(cell: Cell, salt: str, samples: Sequence[str], clusters: Sequence[str]) -> list[str]:
    """Return the pseudonyms of a cell's cases: images, studies, reports of retrieval, or questions."""

    def numbered(sample: str) -> bool:
        return cell.task in ("report_generation", "vqa") or (cell.task == "retrieval" and sample.startswith(REPORT))

    keys = [f"{cluster}\0{name}" if numbered(name) else name for name, cluster in zip(samples, clusters, strict=True)]
    names = pseudonyms(salt, cell.dataset, keys)
    start = REPORT if cell.task == "retrieval" else ""
    return [start * numbered(sample) + name for sample, name in zip(samples, names, strict=True)]


def hide(table: pd.DataFrame, cell: Cell, salt: str) -> pd.DataFrame:
    """Return predictions with pseudonyms and without truth and groups, in the order of the pseudonyms.

    Raises:
        KeyError: a row of retrieval lists an id that is no case of the table.
    """
    columns = columns_of(cell).without_truth().kinds
    samples = table["sample"].tolist()
    names = case_names(cell, salt, samples, table["cluster"].tolist())
    hidden = table[[name for name in table.columns if name in columns]].copy()
    hidden["sample"], hidden["cluster"] = names, cluster_names(names, table["cluster"].tolist())
    if "top" in hidden:
        named = dict(zip(samples, names, strict=True))
        hidden["top"] = ["|".join(named[one] for one in line.split("|") if one) for line in table["top"]]
    return hidden.sort_values("sample", ignore_index=True)


def with_known_labels(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the table of a hidden cell with the labels that follow from what is left: those of a segmentation."""
    if cell.task != "segmentation":
        return table
    labels = {
        f"label:{name}": (table[f"tp:{name}"] + table[f"fn:{name}"] > 0).astype(np.float32) for name in classes_of(cell)
    }
    return table.assign(**labels)
