"""Pseudonyms for data that may not be passed on.

Predictions on a dataset that is not open to everybody are published without its labels, its subgroup columns and its
ids. A test case is named by the first 16 hexadecimal digits of sha256(salt, dataset, id); its cluster (patient) by
the smallest name among the cluster's test cases, so that only the grouping of the cases is told. Patient numbers are
not hashed, because they are short enough for all of them to be tried.

The salt stands in the manifest: whoever has the dataset can name its cases in the same way and join the labels, and
that is wanted. So pseudonyms keep ids out of public files; they are no protection against someone who has a list of
the ids, or can guess them. The ids of the credentialed datasets that benchx knows are random numbers of 128 bits and
more; those of CheXpert are counted through and can be guessed, but their labels are not there either.

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

_DIGITS = 16


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


def hide(table: pd.DataFrame, salt: str, dataset: str) -> pd.DataFrame:
    """Return predictions with pseudonyms and without labels and groups, in the order of the pseudonyms."""
    kept = [name for name in table.columns if name == "fold" or name.startswith("score:")]
    names = pseudonyms(salt, dataset, table["sample"].tolist())
    hidden = table[kept].copy()
    hidden.insert(0, "sample", names)
    hidden.insert(1, "cluster", cluster_names(names, table["cluster"].tolist()))
    return hidden.sort_values("sample", ignore_index=True)
