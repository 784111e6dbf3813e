"""The paired protocol: the head of the frozen one on features of an image and its report together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.pairs import pair_features
from benchx.planning import Cell
from benchx.protocols import Paired
from benchx.tasks.report_texts import text_of
from benchx.workspace import Workspace


def with_text(samples: Samples, folds: Sequence[Fold], sections: Sequence[str]) -> tuple[list[str], tuple[Fold, ...]]:
    """Return the text of every sample, "" where it has none, and the folds without those.

    Raises:
        NotApplicable: no image for training, or none for testing, has a text.
    """
    texts = [text_of(samples.reports.get(name), sections) for name in samples.table["sample"]]
    has = np.array([text != "" for text in texts])
    kept = tuple(
        Fold(
            fold.train[has[fold.train]],
            fold.val[has[fold.val]],
            fold.test[has[fold.test]],
            {fraction: rows[has[rows]] for fraction, rows in fold.subsets.items()},
        )
        for fold in folds
    )
    for part in ("train", "test"):
        if not all(len(getattr(fold, part)) for fold in kept):
            raise NotApplicable(
                f"no image of '{samples.dataset}' for {part}ing has a text",
                f"{int(has.sum())} of {len(has)} images have a report with {' or '.join(sections)}",
                "use other sections, another split, or another dataset",
            )
    return texts, kept


def used_rows(folds: Sequence[Fold]) -> np.ndarray:
    """Return the rows that any part of any fold holds, int64 [n], ascending."""
    return np.unique(np.concatenate([part for fold in folds for part in (fold.train, fold.val, fold.test)]))


def paired_features(
    cell: Cell, protocol: Paired, workspace: Workspace, texts: Sequence[str], folds: Sequence[Fold]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the features [N, D] of the whole dataset, NaN in the rows of images that no fold uses.

    Args:
        texts, folds: of `with_text`.

    Returns:
        The features, and what the record says of them, see `benchx.pairs.pair_features`.

    Raises:
        NotApplicable: the method reads no text.
    """
    rows = used_rows(folds)
    features, said = pair_features(cell, protocol, workspace, rows, [texts[row] for row in rows])
    whole = np.full((len(texts), features.shape[1]), np.nan, np.float32)
    whole[rows] = features
    return whole, said
