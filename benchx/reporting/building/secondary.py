"""The scores that stand beside a column's primary one, as the records hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

BESIDE: dict[str, tuple[str, ...]] = {
    "classification": ("macro_auroc", "macro_auprc", "f1"),
    "few_shot": tuple(f"macro_auroc_at_{shots}" for shots in (1, 2, 4, 8, 16)),
    "vqa": (
        "accuracy",
        "accuracy_open",
        "accuracy_closed",
        "accuracy_unseen",
        "accuracy_answerable",
        "majority_accuracy",
        "majority_by_kind_accuracy",
    ),
    "zero_shot": (
        "macro_auprc",
        "macro_f1",
        "macro_accuracy",
        "top_1",
        "pointing_game",
        "heat_ap",
        "heat_iou",
        "heat_dice",
        "heat_cnr",
    ),
    "segmentation": (
        "dice",
        "iou",
        "dice_positive",
        "pooled_dice",
        "mdice",
        "lesion_f1",
        "nsd",
        "hd95",
        "image_auroc",
    ),
    "retrieval": tuple(
        f"{way}_{name}"
        for way in ("i2t", "t2i")
        for name in (
            *(f"recall_at_{depth}" for depth in (1, 5, 10)),
            "mrr",
            "median_rank",
            "ndcg",
            *(f"class_{what}_at_{depth}" for what in ("hit", "precision") for depth in (1, 5, 10)),
        )
    ),
    "report_generation": (
        *(f"bleu_{order}" for order in (1, 2, 3, 4)),
        "meteor",
        "rouge_l",
        "cider",
        "radgraph_f1",
        "chexbert_micro_14",
        "chexbert_macro_14",
        "chexbert_micro_5",
        "chexbert_macro_5",
        *(f"cleaned_bleu_{order}" for order in (1, 2, 3, 4)),
        "cleaned_meteor",
        "cleaned_rouge_l",
    ),
}
"""By task, in the order in which they are shown."""


def secondary_scores(task: str, primary: str, records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the means over draws of the scores beside the primary one that every draw has.

    Args:
        records: the scores of every draw's record.
    """
    values = {name: [scores.get(name) for scores in records] for name in BESIDE[task] if name != primary}
    return {
        name: fmean(known)
        for name, of_draws in values.items()
        if len(known := [float(one) for one in of_draws if isinstance(one, int | float)]) == len(records)
    }
