"""Run a retrieval cell: rank images and reports both ways among all of them, tell what chance would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.five_by_200 import FINDINGS
from benchx.datasets.samples import Samples
from benchx.errors import NotApplicable
from benchx.methods.cards.schema import Card
from benchx.planning import Cell
from benchx.protocols import Retrieve, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.retrieval.finding import Found, chance, values
from benchx.tasks.retrieval.pool import Pool, candidate_rows, gather
from benchx.tasks.retrieval.ranking import Labels, rank
from benchx.tasks.retrieval.scores import score
from benchx.tasks.subgroups import group_columns
from benchx.workspace import Workspace

LISTED = 10
"""First items that a prediction table names."""


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Rank a cell's test images and reports; nothing is trained.

    Args:
        work: folder of what a killed cell continues from.

    Raises:
        NotApplicable: the method reads no text or does not embed images and texts in one space, or no test image has
            a report.
        UsageError: the protocol's `joint` does not fit, see `benchx.tasks.retrieval.ranking.rank`.
        WeightsMissing: the text tower's weights or its tokenizer are not there.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Retrieve)
    _refuse_without_text(workspace.weights(cell.method).card)
    samples, folds = workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds
    pool = gather(samples, *candidate_rows(samples, folds, protocol.candidates), protocol.text)

    labels = _labels(samples, pool, FINDINGS if protocol.candidates == "5x200" else tuple(cell.settings["classes"]))
    found, said = rank(cell, protocol, workspace, pool, labels, work)
    predictions = _table(samples, pool, found)
    details: dict[str, Any] = {
        "folds": [
            describe(samples, number, fold.train[:0], fold.val[:0], pool.images[pool.folds == number])
            for number, fold in enumerate(folds)
        ],
        "candidates": {"images": len(pool.images), "reports": len(pool.texts), "texts": len(set(pool.texts))},
        "without_text": pool.without_text,
        "chance": {f"{way}_{name}": level for way, one in found.items() for name, level in chance(one).items()},
        "ties": "an item as similar as a right one counts as before it",
        **said,
    }
    return Outcome(predictions, score(predictions), details)


def _refuse_without_text(card: Card) -> None:
    if card.text is None:
        raise NotApplicable(
            f"'{card.name}' reads no text", "retrieval compares images with reports", "use another method"
        )


def _labels(samples: Samples, pool: Pool, classes: tuple[str, ...]) -> Labels | None:
    """Return the labels of images [I, C] and of reports [R, C]: of a report those of its first image."""
    if not classes:
        return None
    labels = samples.class_labels(classes)[pool.images]
    return labels, labels[pool.first]


def _table(samples: Samples, pool: Pool, found: dict[str, Found]) -> pd.DataFrame:
    """Put the queries of both ways under each other: first the images, then the reports."""
    names = samples.table["sample"].to_numpy()[pool.images].astype(str)
    clusters = samples.clusters[pool.images]
    images = {"sample": names, "cluster": clusters, "fold": pool.folds}
    images["top"] = _named(found["i2t"], np.array(pool.names))
    reports = {"sample": np.array(pool.names), "cluster": clusters[pool.first], "fold": pool.folds[pool.first]}
    reports["top"] = _named(found["t2i"], names)
    numbers = {way: {f"{way}_{name}": column for name, column in values(one).items()} for way, one in found.items()}
    table = pd.concat(
        [pd.DataFrame(images | numbers["i2t"]), pd.DataFrame(reports | numbers["t2i"])], ignore_index=True
    )
    columns = [name for one in numbers.values() for name in one]
    table = table.astype({"fold": np.int8, **dict.fromkeys(columns, np.float32)})
    rows = samples.table.iloc[pool.images]
    # A report has no view.
    groups = group_columns(pd.concat([rows, rows.iloc[pool.first].assign(view=None)], ignore_index=True))
    return table[["sample", "cluster", "fold", *columns, "top"]].assign(**groups)


def _named(found: Found, names: np.ndarray) -> np.ndarray:
    rows = found.ranking.top.rows[:, :LISTED]
    return np.array(["|".join(line) for line in names[rows]], dtype=object)
