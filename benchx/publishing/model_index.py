"""The `model-index` of a Hugging Face model card: a method's scores where its users look for them.

Field names are those of the hub's model card metadata (`modelcard.md` of huggingface/hub-docs). `verified` is set by
the hub alone, and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from statistics import fmean
from typing import Any

import yaml

from benchx.datasets.samples import Dataset
from benchx.metrics.retrieval import DEPTHS
from benchx.planning import Cell
from benchx.publishing.publishable import publishable_predictions
from benchx.publishing.selection import Selection
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.tasks.few_shot.scores import SHOTS
from benchx.tasks.kinds import KINDS
from benchx.words import plural

TASKS = {
    "classification": ("image-classification", "Multi-label image classification"),
    "few_shot": ("image-classification", "Few-shot image classification"),
    "zero_shot": ("zero-shot-image-classification", "Zero-shot image classification"),
    "vqa": ("visual-question-answering", "Visual question answering"),
    "segmentation": ("image-segmentation", "Image segmentation"),
    "report_generation": ("image-to-text", "Report generation"),
    "retrieval": ("other", "Retrieval of reports by images and of images by reports"),
}
"""The hub's task id and its name, by task; for retrieval of texts by images the hub has none."""

_RANKING = {
    "macro_auroc": ("roc_auc", "AUROC, mean over classes"),
    "macro_auprc": ("average_precision", "Average precision, mean over classes"),
}
_WAYS = {"i2t": "image to report", "t2i": "report to image"}
METRICS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "classification": {**_RANKING, "f1": ("f1", "F1 at a logit of 0, mean over classes")},
    "few_shot": {
        f"macro_auroc_at_{shots}": (
            "roc_auc",
            f"AUROC after {plural(shots, 'case')} with and as many without a class, mean over draws and classes",
        )
        for shots in SHOTS
    },
    "vqa": {
        "accuracy": ("accuracy", "Accuracy, exact answers"),
        "accuracy_open": ("accuracy", "Accuracy of open questions, exact answers"),
        "accuracy_closed": ("accuracy", "Accuracy of closed questions, exact answers"),
    },
    "zero_shot": {**_RANKING, "macro_f1": ("f1", "F1 at thresholds from validation, mean over classes")},
    "segmentation": {
        "dice": ("dice", "Dice of the foreground, mean over images and classes"),
        "dice_positive": ("dice", "Dice of the foreground, mean over images that have one"),
        "pooled_dice": ("dice", "Dice of the foreground, pixels pooled over the test set"),
        "mdice": ("mean_dice", "Dice pooled over pixels, mean over classes and background"),
        "iou": ("iou", "Intersection over union of the foreground, mean over images and classes"),
        "nsd": ("normalized_surface_distance", "Normalised surface distance, mean over images and classes"),
        "lesion_f1": ("f1", "F1 of lesions, mean over classes"),
    },
    "report_generation": {
        **{f"bleu_{order}": ("bleu", f"BLEU-{order} of the test set") for order in (1, 2, 3, 4)},
        "cleaned_bleu_4": ("bleu", "BLEU-4 of the test set against cleaned references"),
        "meteor": ("meteor", "METEOR of the test set"),
        "rouge_l": ("rouge", "ROUGE-L, mean over reports"),
        "cider": ("cider", "CIDEr, mean over reports"),
        "radgraph_f1": ("radgraph_f1", "F1-RadGraph, mean over reports"),
        "chexbert_micro_14": ("chexbert_f1", "F1 of CheXbert's 14 observations, over all decisions"),
    },
    "retrieval": {
        **{
            f"{way}_recall_at_{depth}": (f"recall_at_{depth}", f"Recall at {depth}, {words}")
            for way, words in _WAYS.items()
            for depth in DEPTHS
        },
        **{f"{way}_mrr": ("mrr", f"Mean reciprocal rank, {words}") for way, words in _WAYS.items()},
        **{
            f"i2t_class_{what}_at_{depth}": (f"{what}_at_{depth}", f"{words} at {depth} by classes, image to report")
            for what, words in (("hit", "Hits"), ("precision", "Precision"))
            for depth in DEPTHS
        },
    },
}
"""By task and score the metric's id and its name. Means over classes are over those that have a score."""


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


def _labels(cell: Cell) -> str:
    """Say how many labels a cell learnt from."""
    if cell.task == "few_shot":
        return "a few labels"
    return f"{100 * cell.fraction:g} % of the labels" if KINDS[cell.task].trained else "no labels"


def _result(pairs: Sequence[tuple[Cell, Record]], dataset: Dataset, planned: int, phantom: bool) -> dict[str, Any]:
    cell, record = pairs[0]
    task, task_name = TASKS[cell.task]
    seeds = [one.seed for one, _ in pairs]
    arguments = {
        "protocol": cell.protocol,
        "label_fraction": cell.fraction,
        "seeds": "deterministic" if seeds == [None] else seeds,
        "planned_seeds": planned,
        "test_cases": (record.scores or {})["n"],
    }
    metrics = METRICS[cell.task]
    values = {name: [(one.scores or {}).get(name) for _, one in pairs] for name in metrics}
    return {
        "task": {"type": task, "name": task_name},
        "dataset": {
            "type": dataset.name,
            "name": dataset.title + " (simulated images)" * phantom,
            "config": f"{cell.protocol}, {_labels(cell)}",
            "split": "test",
            "args": {
                "split": cell.split,
                "images_sha256": record.provenance.images,
                "split_sha256": record.provenance.split,
            },
        },
        "metrics": [
            {"type": metrics[name][0], "name": metrics[name][1], "value": fmean(numbers), "args": deepcopy(arguments)}
            for name, numbers in ((name, [one for one in found if one is not None]) for name, found in values.items())
            if len(numbers) == len(pairs)
        ],
    }
