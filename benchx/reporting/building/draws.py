"""The bootstrap draws that cells on one test set share, and the names of a cell's own draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchx.digests import fraction_of_hash
from benchx.errors import StoreError
from benchx.reporting.building.appraisal import cases_digest
from benchx.statistics.resampling import Draws, draw_clusters


class DrawsByCases:
    """The bootstrap draws of the last few test sets, so that cells on one test set share theirs."""

    _KEPT = 2

    def __init__(self, replicates: int) -> None:
        self._replicates = replicates
        self._known: dict[tuple[str, str], Draws] = {}

    def of(self, dataset: str, task: str, table: pd.DataFrame) -> Draws:
        """Return the draws for the cases of a predictions table; the stream of random numbers is the dataset's own.

        Where the table has labels, every replicate holds both values of every class.

        Raises:
            StoreError: the cases are of one cluster.
        """
        key = dataset, cases_digest(task, table)
        if key not in self._known:
            labels = table[[name for name in table.columns if name.startswith("label:")]].to_numpy(np.float64)
            clusters = table["cluster"].astype(str).tolist()
            if len(set(clusters)) < 2:
                raise StoreError(
                    f"{dataset}: all {len(table)} test cases are of one patient",
                    "an interval over patients needs two of them",
                    "test on more patients",
                )
            seed = int(fraction_of_hash("bootstrap", dataset) * 2**53)
            self._known[key] = draw_clusters(clusters, self._replicates, seed, labels)
            for old in list(self._known)[: -self._KEPT]:
                self._known.pop(old, None)
        return self._known[key]


def draw_name(cell: Mapping[str, Any]) -> str:
    """Return a draw's name: its seed, or `deterministic` where the protocol draws nothing."""
    return "deterministic" if cell["seed"] is None else str(cell["seed"])
