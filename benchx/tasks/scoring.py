"""From a task's name to how its predictions are checked and scored; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from benchx.tasks.classification import scores as classification
from benchx.tasks.few_shot import scores as few_shot
from benchx.tasks.measures import Measure
from benchx.tasks.report_generation import scores as report_generation
from benchx.tasks.retrieval import scores as retrieval
from benchx.tasks.segmentation import scores as segmentation
from benchx.tasks.vqa import scores as vqa
from benchx.tasks.zero_shot import scores as zero_shot

SCORERS: Mapping[str, Callable[[pd.DataFrame], dict[str, Any]]] = {
    "classification": classification.score,
    "segmentation": segmentation.score,
    "report_generation": report_generation.score,
    "retrieval": retrieval.score,
    "vqa": vqa.score,
    "zero_shot": zero_shot.score,
    "few_shot": few_shot.score,
}
"""What computes all scores of a task from a prediction table."""

FAULTS: Mapping[str, Callable[[pd.DataFrame], str | None]] = {
    "classification": classification.fault,
    "segmentation": segmentation.fault,
    "report_generation": report_generation.fault,
    "retrieval": retrieval.fault,
    "vqa": vqa.fault,
    "zero_shot": zero_shot.fault,
    "few_shot": few_shot.fault,
}
"""What says why a table is not one of the task, or None."""

MEASURES: Mapping[str, Mapping[str, Measure]] = {
    "classification": classification.MEASURES,
    "segmentation": segmentation.MEASURES,
    "report_generation": report_generation.MEASURES,
    "retrieval": retrieval.MEASURES,
    "vqa": vqa.MEASURES,
    "zero_shot": zero_shot.MEASURES,
    "few_shot": few_shot.MEASURES,
}
"""The scores of a task that follow from sums over cases; macro AUROC does not."""
