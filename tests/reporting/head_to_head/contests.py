"""What the tests of `benchx head-to-head` share: how a store is compared, and a bootstrap in plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from made_stores import CLASSIFICATION

from benchx.reporting.head_to_head.comparing import head_to_head
from benchx.reporting.head_to_head.contest import HeadToHead
from benchx.suites import read_suite

SUITE = read_suite(CLASSIFICATION)
REGISTERED = ("mrm", "gloria", "biovil", "random-resnet50")


def fought(store, pairs=("mrm:gloria",), suite=SUITE, replicates=2000, level=0.95) -> HeadToHead:
    return head_to_head(suite, [store], pairs, REGISTERED, lambda done, total: None, replicates=replicates, level=level)


def bootstrapped(
    tables: Sequence[dict[str, np.ndarray]],
    signs: Sequence[float],
    clusters: np.ndarray,
    metric: Callable[[dict[str, np.ndarray]], float],
    replicates: int,
) -> np.ndarray:
    """The weighted sum of a metric of some tables on resampled clusters, cluster after cluster."""
    rng = np.random.default_rng(11)
    names, member = np.unique(clusters, return_inverse=True)
    rows = [np.flatnonzero(member == one) for one in range(len(names))]
    found = np.empty(replicates)
    for replicate in range(replicates):
        taken = np.concatenate([rows[one] for one in rng.integers(0, len(rows), len(rows))])
        found[replicate] = sum(
            sign * metric({name: column[taken] for name, column in table.items()})
            for sign, table in zip(signs, tables, strict=True)
        )
    return found


def quantile_error(replicates: np.ndarray, count: int) -> float:
    """The standard error of a 2.5 % quantile of a normal law, of two bootstraps of these sizes, and their widths."""
    density = 0.0584 / replicates.std()  # of the normal law, at that quantile
    return float(np.sqrt(0.025 * 0.975 * (1 / len(replicates) + 1 / count)) / density)
