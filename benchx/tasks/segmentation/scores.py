"""The scores of a segmentation from its prediction table, most of them from sums over cases.

Per case and class NAME the table holds `tp:`, `fp:`, `fn:`, `tn:` (pixels of the network's square that show the image),
`hd95:` and `nsd:`, `lesion_tp:`, `lesion_fp:`, `lesion_fn:` (see `benchx.metrics.segmentation`), `score:` (the largest
log-odds of a pixel) and `label:` (whether the truth has a pixel). A class is said to be where its log-odds exceed 0.

A score is the mean over the classes that have it. Images without the class count in `dice`, `iou`, `hd95` and `nsd`:
with nothing predicted they have the best value, else the worst; `dice_positive` leaves them out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchx.metrics.classification import auroc
from benchx.metrics.segmentation import dice, iou, lesion_f1
from benchx.metrics.segmentation.counting import f1
from benchx.tasks.measures import Measure, ratio

COUNTS = ("tp", "fp", "fn", "tn")
DISTANCES = ("hd95", "nsd")
LESIONS = ("lesion_tp", "lesion_fp", "lesion_fn")
COLUMNS = (*COUNTS, *DISTANCES, *LESIONS, "score", "label")
"""What a table holds of every class."""


def classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the classes of a prediction table, or of one of pixel counts."""
    return tuple(name.removeprefix("tp:") for name in map(str, table.columns) if name.startswith("tp:"))


def score(table: pd.DataFrame) -> dict[str, Any]:
    """Score a prediction table.

    Returns:
        A JSON value: every one of `MEASURES` and `image_auroc` (of the largest log-odds, against whether the class is
        there), None where there is none; the same `per_class`, with the number of `positives`; and `n`.
    """
    per_class = {name: _scores_of(table, (name,)) for name in classes_of(table)}
    return _scores_of(table, classes_of(table)) | {
        "per_class": {
            name: scores | {"positives": int((table[f"label:{name}"] == 1).sum())} for name, scores in per_class.items()
        },
        "n": len(table),
    }


def fault(table: pd.DataFrame) -> str | None:
    """Return why a table is not one of segmentation, in words, or None."""
    classes = classes_of(table)
    wanted = ["sample", "cluster", "fold", *(f"{column}:{name}" for name in classes for column in COLUMNS)]
    if lacking := [name for name in wanted if name not in table.columns]:
        return f"it has no column {lacking[0]}"
    if not classes:
        return "it has no column tp:NAME of any class"
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in wanted[3:]):
        return "a count or a score is not a number"
    if not np.isfinite(table[wanted[3:]].to_numpy(np.float64)).all():
        return "a count or a score is NaN or infinite"
    counts = _of(table, (*COUNTS, *LESIONS))
    if (counts < 0).any() or (counts % 1 != 0).any():
        return "a count is no whole number of 0 or more"
    if np.ptp(counts[:, :, :4].sum(axis=2), axis=1).any():
        return "the classes of a case count different numbers of pixels"
    distance, share = np.moveaxis(_of(table, DISTANCES), 2, 0)
    if (distance < 0).any() or (share < 0).any() or (share > 1).any():
        return "a distance is below 0, or a share outside of 0 to 1"
    if (_of(table, ("label",))[:, :, 0] != (counts[:, :, 0] + counts[:, :, 2] > 0)).any():
        return "a label is not whether the truth has a pixel"
    return None


def _of(table: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Return float64 [N, K, len(columns)]."""
    names = classes_of(table)
    values = table[[f"{column}:{name}" for name in names for column in columns]].to_numpy(np.float64)
    return values.reshape(len(table), len(names), len(columns))


def _mean(values: Callable[[pd.DataFrame], np.ndarray]) -> Measure:
    """The mean over cases and classes of values [N, K] that every case has."""

    def terms(table: pd.DataFrame) -> np.ndarray:
        means = values(table).mean(axis=1)
        return np.stack([means, np.ones_like(means)], axis=1)

    return Measure(terms, ratio)


def _pooled(
    terms: Callable[[pd.DataFrame], np.ndarray], parts: int, of_class: Callable[[np.ndarray], np.ndarray]
) -> Measure:
    """The mean over classes of what `of_class` makes of each one's sums [..., parts]; terms are [N, K, parts]."""

    def of_sums(sums: np.ndarray) -> np.ndarray:
        return _mean_of_known(of_class(sums.reshape(*sums.shape[:-1], -1, parts)))

    return Measure(lambda table: terms(table).reshape(len(table), -1), of_sums)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of what is not NaN, NaN where all is."""
    known = ~np.isnan(values)
    return ratio(np.stack([np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1)], axis=-1))


def _overlap(table: pd.DataFrame, rule: Callable[..., np.ndarray]) -> np.ndarray:
    return rule(*np.moveaxis(_of(table, COUNTS[:3]), 2, 0))


def _positive_dice(table: pd.DataFrame) -> np.ndarray:
    there = _of(table, ("label",))[:, :, 0]
    return np.stack([_overlap(table, dice) * there, there], axis=2)


def _mean_dice(sums: np.ndarray) -> np.ndarray:
    """Return BenchX's mDice of summed tp, fp, fn, tn [..., 4]; see `benchx.metrics.segmentation.pooled_mean_dice`."""
    tp, fp, fn, tn = np.moveaxis(sums, -1, 0)
    return _mean_of_known(np.stack([f1(tn, fp, fn, np.nan), f1(tp, fp, fn, np.nan)], axis=-1))


def _f1(sums: np.ndarray) -> np.ndarray:
    return lesion_f1(*np.moveaxis(sums, -1, 0))


MEASURES = {
    "dice": _mean(lambda table: _overlap(table, dice)),
    "iou": _mean(lambda table: _overlap(table, iou)),
    "hd95": _mean(lambda table: _of(table, ("hd95",))[:, :, 0]),
    "nsd": _mean(lambda table: _of(table, ("nsd",))[:, :, 0]),
    "dice_positive": _pooled(_positive_dice, 2, ratio),
    "pooled_dice": _pooled(lambda table: _of(table, COUNTS[:3]), 3, _f1),
    "mdice": _pooled(lambda table: _of(table, COUNTS), 4, _mean_dice),
    "lesion_f1": _pooled(lambda table: _of(table, LESIONS), 3, _f1),
}
"""`dice`, `iou`, `hd95` and `nsd` are means over images, `dice_positive` over images with the class; the others are of
pixels or lesions summed over the test set, `mdice` with the background as BenchX has it."""


def _scores_of(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, float | None]:
    part = table[[f"{column}:{name}" for name in classes for column in COLUMNS]]
    areas = [auroc(part[f"score:{name}"].to_numpy(), part[f"label:{name}"].to_numpy()) for name in classes]
    found = {name: measure.of(part) for name, measure in MEASURES.items()}
    found["image_auroc"] = float(_mean_of_known(np.array(areas)))
    return {name: None if np.isnan(value) else value for name, value in found.items()}
