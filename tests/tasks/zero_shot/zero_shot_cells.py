"""The cells of the zero-shot tests: small methods under the names of real ones, on simulated radiographs."""

from __future__ import annotations

from benchx.planning import Cell
from benchx.protocols import ZeroShot

CLASSES = ("Effusion", "Cardiomegaly", "Mass")
PAIRS = {"kind": "pairs", "templates": {"positive": ["{}", "there is a {}"], "negative": ["no {}"]}}
ALONE = {"kind": "class-prompts", "templates": ["{}", "there is a {}"]}


def cell(method: str = "mgca-vit", split: str = "official", classes=CLASSES, **protocol) -> Cell:
    recipe = ZeroShot.model_validate(
        {
            "kind": "zero-shot",
            "input": {"preprocessing": "card", "size": None},
            "feature_batch": 16,
            "precision": "fp32",
            "prompts": PAIRS,
            **protocol,
        }
    )
    settings = {
        "protocol": recipe.model_dump(mode="json"),
        "classes": list(classes),
        "uncertain": "unknown",
        "short_side": 72,
    }
    return Cell("s", 1, method, "nih", "zero_shot", "zero-shot", split, 1.0, None, "macro_auroc", settings)
