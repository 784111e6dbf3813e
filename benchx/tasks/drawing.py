"""The training and validation rows of a fold after the label fraction was drawn."""

from __future__ import annotations

import numpy as np

from benchx.datasets.fractions import draw_fraction
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell


def draw_rows(
    cell: Cell, samples: Samples, labels: np.ndarray, number: int, fold: Fold, usable: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a cell's label fraction of a fold, or take the published one.

    Args:
        labels: [N, C], of which every class keeps a positive where there is room.
        number: of the fold.
        usable: bool [N], rows that can be drawn; None = all.

    Returns:
        Rows of train and of val, int [n] each.

    Raises:
        NotApplicable: the split publishes its fractions, and not this one.
    """
    train, val = (rows if usable is None else rows[usable[rows]] for rows in (fold.train, fold.val))
    if cell.fraction == 1:
        return train, val
    if fold.subsets:
        if cell.fraction not in fold.subsets:
            raise NotApplicable(
                f"split {cell.split} has no list for {100 * cell.fraction:g} % of {cell.dataset}",
                f"it publishes {', '.join(f'{100 * fraction:g} %' for fraction in sorted(fold.subsets))}",
                "use one of these fractions",
            )
        published = fold.subsets[cell.fraction]
        return published if usable is None else published[usable[published]], val

    def cut(rows: np.ndarray, part: str) -> np.ndarray:
        return draw_fraction(
            rows,
            samples.clusters,
            labels,
            fraction=cell.fraction,
            smallest=cell.settings["smallest_fraction"],
            seed=cell.seed or 0,
            name=f"{cell.dataset}/{number}/{part}",
        )

    return cut(train, "train"), cut(val, "val") if cell.settings["cut_validation"] else val
