"""The pictures of all datasets in one row, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.datasets.audit.audited import Audited
from benchx.datasets.audit.looking import Looks

Members = dict[int, np.ndarray]
"""One group of the same picture: by the position of a dataset the rows of its table, sorted, at least one."""


def members_of(groups: Sequence[np.ndarray], looks: Sequence[Looks]) -> list[Members]:
    """Turn groups of positions among all pictures into rows of each dataset's table."""
    datasets = np.repeat(np.arange(len(looks)), [len(each.rows) for each in looks])
    rows = np.concatenate([np.zeros(0, int), *(each.rows for each in looks)])
    return [
        {int(place): np.sort(rows[group[datasets[group] == place]]) for place in np.unique(datasets[group])}
        for group in groups
    ]


def in_two_parts(audited: Audited, rows: np.ndarray) -> bool:
    """Whether some rows stand in more than one part of a fold."""
    codes = audited.part_codes[:, rows]
    return any(len(np.unique(fold[fold >= 0])) > 1 for fold in codes)
