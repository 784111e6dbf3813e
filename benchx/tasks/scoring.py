"""From a task's name to how its predictions are checked and scored; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from benchx.tasks.classification import scores as classification
from benchx.tasks.measures import Measure

SCORERS: Mapping[str, Callable[[pd.DataFrame], dict[str, Any]]] = {"classification": classification.score}
"""What computes all scores of a task from a prediction table."""

FAULTS: Mapping[str, Callable[[pd.DataFrame], str | None]] = {"classification": classification.fault}
"""What says why a table is not one of the task, or None."""

MEASURES: Mapping[str, Mapping[str, Measure]] = {"classification": classification.MEASURES}
"""The scores of a task that follow from sums over cases; macro AUROC does not."""
