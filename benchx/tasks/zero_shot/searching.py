"""The prompt set that a method is asked with: the one with which it does best on validation images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchx.datasets.splits import Fold
from benchx.errors import BenchxError
from benchx.metrics.classification import macro_auroc
from benchx.protocols import ZeroShot

WITHOUT_VALIDATION = "no class has both values among the validation images: the first prompt set was taken"


def on_validation(scores: Mapping[int, np.ndarray], labels: np.ndarray, fold: Fold) -> dict[int, float | None]:
    """Return the macro AUROC of every prompt set on a fold's validation images; None where no class has both values.

    Args:
        scores: [N, C] of every set; in float32, as they are stored, so that ties there are ties here.
        labels: [N, C].
    """
    truth = labels[fold.val]
    return {number: macro_auroc(one[fold.val].astype(np.float32), truth) for number, one in scores.items()}


def best(validation: Mapping[int, float | None]) -> int:
    """Return the number of the set with the highest score, of equals the first; the first where none has a score.

    As the prompt search of 'Medical Adaptation of Large Language and Vision-Language Models' (Jeong et al. 2024), which
    is run for every model by itself.
    """
    numbers = sorted(validation)
    return max(numbers, key=lambda number: -np.inf if (score := validation[number]) is None else score)


def searched(
    protocol: ZeroShot, found: Sequence[Mapping[int, float | None]], refused: Mapping[int, BenchxError]
) -> dict[str, Any]:
    """Return what is told of a search, JSON-able.

    Args:
        found: the scores of every set on validation, of each fold.
        refused: why other sets cannot be asked.

    Returns:
        `searched`: of every set its kind and number `prompts`, its score `validation`, the mean over folds, and why it
        was `skipped`; `chosen`: the number of the set that all folds chose, None where they differ; `without_search`
        where the validation images decide nothing.
    """
    sets = []
    for number, prompt_set in enumerate((protocol.prompts, *protocol.search)):
        known = [score for fold in found if (score := fold.get(number)) is not None]
        told: dict[str, Any] = {"prompts": f"{prompt_set.kind}/{number}", "validation": None}
        if known:
            told["validation"] = float(np.mean(known))
        if number in refused:
            told["skipped"] = f"{refused[number].what} ({refused[number].why})"
        sets.append(told)
    chosen = {best(fold) for fold in found}
    details: dict[str, Any] = {"searched": sets, "chosen": min(chosen) if len(chosen) == 1 else None}
    if any(score is None for fold in found for score in fold.values()):
        details["without_search"] = WITHOUT_VALIDATION
    return details
