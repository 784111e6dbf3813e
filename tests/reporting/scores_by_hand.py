"""Every primary metric written out in plain numpy, to set boards against; nothing of benchx is used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

Columns = Mapping[str, np.ndarray]
"""A prediction table, or some rows of it."""


def columns_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the numbers of a table, which are faster to resample than itself."""
    return {name: table[name].to_numpy(float) for name in table.select_dtypes("number")}


def by_hand(primary: str, table: Columns) -> float:
    """Return a primary metric of some cases."""
    if primary == "macro_auroc":
        return float(np.mean([_auroc(table[f"score:{name}"], table[f"label:{name}"]) for name in _names(table)]))
    if primary == "f1":
        return float(np.mean([_f1(table[f"score:{name}"] > 0, table[f"label:{name}"] == 1) for name in _names(table)]))
    if primary in _MASKS:
        masks = [[table[f"{count}:{name}"] for count in ("tp", "fp", "fn", "tn")] for name in _names(table)]
        return float(np.mean([_MASKS[primary](*one) for one in masks]))
    if primary.startswith("macro_auroc_at_"):
        placed = f"placement:{primary.rpartition('_')[2]}"
        return float(np.mean([_placed(table[f"{placed}:{name}"], table[f"label:{name}"]) for name in _names(table)]))
    if primary.startswith("accuracy"):
        asked = np.isin(table["closed"], {"accuracy_closed": (1,), "accuracy_open": (0,)}.get(primary, (0, 1)))
        return float(table["correct"][asked].mean())
    if "_recall_at_" in primary:
        way, depth = primary.split("_recall_at_")
        ranks = table[f"{way}_rank"]
        return float(np.mean(ranks[~np.isnan(ranks)] <= int(depth)))
    if primary.endswith("bleu_4"):
        return _bleu4(table, primary.removesuffix("bleu_4"))
    values = table["radgraph_partial" if primary == "radgraph_f1" else primary]
    return float(np.mean(values[~np.isnan(values)]))


def _names(table: Columns) -> list[str]:
    return [name.removeprefix("label:") for name in table if name.startswith("label:")]


def _auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mann and Whitney's statistic from ranks."""
    positives, negatives = (labels == 1).sum(), (labels == 0).sum()
    above = rankdata(scores)[labels == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def _placed(placements: np.ndarray, labels: np.ndarray) -> float:
    """The share of negatives that positives outrank, and what resampled negatives add to it."""
    return float(placements[labels == 1].mean() + placements[labels == 0].mean())


def _f1(called: np.ndarray, there: np.ndarray) -> float:
    right = (called & there).sum()
    return float(2 * right / max(called.sum() + there.sum(), 1))


def _images_dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> float:
    found = [1.0 if t + f + m == 0 else 2 * t / (2 * t + f + m) for t, f, m in zip(tp, fp, fn, strict=True)]
    return float(np.mean(found))


def _pooled_mdice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> float:
    t, f, m, n = (one.sum() for one in (tp, fp, fn, tn))
    return float((2 * t / (2 * t + f + m) + 2 * n / (2 * n + f + m)) / 2)


def _positive_dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> float:
    there = tp + fn > 0
    return _images_dice(tp[there], fp[there], fn[there], tn[there])


def _pooled_dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> float:
    return float(2 * tp.sum() / (2 * tp.sum() + fp.sum() + fn.sum()))


_MASKS = {"dice": _images_dice, "dice_positive": _positive_dice, "pooled_dice": _pooled_dice, "mdice": _pooled_mdice}


def _bleu4(table: Columns, prefix: str) -> float:
    """Papineni et al. (2002), formula in section 2.3, without the 1e-15 that pycocoevalcap adds."""
    precisions = [table[f"{prefix}bleu_match_{n}"].sum() / table[f"{prefix}bleu_total_{n}"].sum() for n in (1, 2, 3, 4)]
    hypothesis, reference = (table[f"{prefix}{side}_length"].sum() for side in ("hypothesis", "reference"))
    brevity = 1.0 if hypothesis >= reference else np.exp(1 - reference / hypothesis)
    return float(brevity * np.exp(np.mean(np.log(precisions))))
