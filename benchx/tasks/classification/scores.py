"""The scores of a classification from its predictions, and how its F1 follows from sums over cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.classification import calls_at_zero, classification_scores, macro_f1
from benchx.tasks.measures import Measure
from benchx.tasks.predictions import fault, scores_and_labels

__all__ = ["MEASURES", "fault", "score"]


def score(predictions: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table: macro AUROC, AUPRC and F1, per class, and the classes left out with reasons.

    Folds are pooled: the cases of all test parts are ranked together by their logits.
    """
    f1 = MEASURES["f1"].of(predictions)
    return classification_scores(*scores_and_labels(predictions)) | {"f1": None if np.isnan(f1) else f1}


def _calls(table: pd.DataFrame) -> np.ndarray:
    scores, labels, _ = scores_and_labels(table)
    return calls_at_zero(scores, labels)


MEASURES = {"f1": Measure(_calls, macro_f1)}
"""F1 at a logit above 0, the larger of two softmax outputs; see `benchx.metrics.classification.f1_at_zero`."""
