"""The tasks by name: by which metrics boards may rank them, and what a cell of theirs is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """What suites and plans need to know of a task.

    Attributes:
        numerics: raised by hand when the task's numbers may change; part of every key.
        primaries: the metrics that a board may rank by, all in [0, 1], higher is better.
        protocols: the kinds of protocols that serve it.
        classes: what of a dataset its classes are named by; None where it has none.
        trained: whether its protocols learn from labels, so that there are fractions and seeds; a task that makes all
            its draws in one cell has none.
    """

    numerics: int
    primaries: tuple[str, ...]
    protocols: tuple[str, ...]
    classes: Literal["classes", "mask_classes"] | None
    trained: bool


def few_shot_metric(shots: int) -> str:
    """Return the name of the score after so many shots."""
    return f"macro_auroc_at_{shots}"


KINDS = {
    "classification": Kind(2, ("macro_auroc", "f1"), ("frozen", "finetune", "knn", "paired"), "classes", trained=True),
    "segmentation": Kind(
        1, ("dice", "dice_positive", "pooled_dice", "mdice"), ("segment",), "mask_classes", trained=True
    ),
    "retrieval": Kind(
        2,
        (
            *(f"{way}_recall_at_{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)),
            *(f"i2t_class_{what}_at_{k}" for what in ("hit", "precision") for k in (1, 5, 10)),
        ),
        ("retrieve",),
        "classes",
        trained=False,
    ),
    "report_generation": Kind(
        1, ("bleu_4", "cleaned_bleu_4", "radgraph_f1", "rouge_l"), ("generate",), None, trained=True
    ),
    "few_shot": Kind(1, tuple(map(few_shot_metric, (1, 2, 4, 8, 16))), ("few-shot",), "classes", trained=False),
    "vqa": Kind(1, ("accuracy", "accuracy_open", "accuracy_closed"), ("answer",), None, trained=True),
    "zero_shot": Kind(1, ("macro_auroc",), ("zero-shot",), "classes", trained=False),
}

READS_TEXT = ("retrieval", "zero_shot", "vqa")
"""Tasks for which a text tower's own weights are part of the method."""

READS_REPORTS = ("retrieval", "report_generation", "vqa")
"""Tasks for which the reports, or the questions, are part of the data."""

READS_BOTH = ("paired", "answer")
"""Kinds of protocols that read images and texts together, whatever the task."""

FOREGROUND = "Foreground"
"""The class of a segmentation that takes all of a dataset's together."""
