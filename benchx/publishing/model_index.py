"""The `model-index` of a Hugging Face model card: a method's scores where its users look for them.

Field names are those of the hub's model card metadata (`modelcard.md` of huggingface/hub-docs). `verified` is set by
the hub alone, and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from statistics import fmean
from typing import Any

import yaml

from benchx.datasets.samples import Dataset
from benchx.planning import Cell
from benchx.publishing.publishable import publishable_predictions
from benchx.publishing.selection import Selection
from benchx.results.record import Record
from benchx.results.store import Store

TASKS = {"classification": ("image-classification", "Multi-label image classification")}
"""The hub's task id and its name, by task."""

METRICS = {
    "macro_auroc": ("roc_auc", "AUROC, mean over classes"),
    "macro_auprc": ("average_precision", "Average precision, mean over classes"),
}
"""The metric's id and its name, by score; means over the scorable classes."""


def model_index(selection: Selection, store: Store, source_url: str | None = None) -> dict[str, Any]:
    """Return the metadata of a method's results: one entry per dataset, task, protocol and label fraction.

    Scores are means over seeds; the seeds, those that the suite asks for, and the digests of data and split stand
    beside them. Simulated data is called so in the dataset's name.

    Args:
        store: holds the predictions, from which all scores are computed again.
        source_url: where the results are published; the hub shows no source without it.

    Returns:
        A mapping with the one key `model-index`, for a model card's YAML head.

    Raises:
        StoreError: predictions cannot be read, or do not give the recorded scores.
    """
    columns: dict[tuple[str, str, str, float], list[tuple[Cell, Record]]] = defaultdict(list)
    for cell, record in selection.done:
        publishable_predictions(store, cell, record)
        columns[cell.column].append((cell, record))
    planned = [cell for cell, _ in (*selection.finished, *selection.missing)]
    suite = selection.suite
    results = []
    for column, pairs in columns.items():
        seeds = sum(cell.column == column for cell in planned)
        entry = _result(pairs, suite.dataset(column[0]), seeds, selection.data == "phantom")
        if source_url is not None:
            entry["source"] = {"name": f"benchx, suite {suite.name} version {suite.version}", "url": source_url}
        results.append(entry)
    return {"model-index": [{"name": selection.method, "results": results}]}


def to_yaml(index: dict[str, Any]) -> str:
    """Return the metadata as YAML, to stand between the two `---` of a model card."""
    return yaml.safe_dump(index, sort_keys=False, allow_unicode=True, width=120)


def _result(pairs: Sequence[tuple[Cell, Record]], dataset: Dataset, planned: int, phantom: bool) -> dict[str, Any]:
    cell, record = pairs[0]
    task, task_name = TASKS[cell.task]
    seeds = [one.seed for one, _ in pairs]
    arguments = {
        "protocol": cell.protocol,
        "label_fraction": cell.fraction,
        "seeds": "deterministic" if seeds == [None] else seeds,
        "planned_seeds": planned,
        "test_images": (record.scores or {})["n"],
    }
    values = {name: [(one.scores or {}).get(name) for _, one in pairs] for name in METRICS}
    return {
        "task": {"type": task, "name": task_name},
        "dataset": {
            "type": dataset.name,
            "name": dataset.title + " (simulated images)" * phantom,
            "config": f"{cell.protocol}, {100 * cell.fraction:g} % of the labels",
            "split": "test",
            "args": {
                "split": cell.split,
                "images_sha256": record.provenance.images,
                "split_sha256": record.provenance.split,
            },
        },
        "metrics": [
            {"type": METRICS[name][0], "name": METRICS[name][1], "value": fmean(numbers), "args": deepcopy(arguments)}
            for name, numbers in ((name, [one for one in found if one is not None]) for name, found in values.items())
            if len(numbers) == len(pairs)
        ],
    }
