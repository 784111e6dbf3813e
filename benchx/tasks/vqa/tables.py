"""The prediction table of question answering: whether each test question was answered, and by whom it would have been.

No text is in it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchx.metrics.vqa import OUTSIDE, most_frequent, most_frequent_by
from benchx.tasks.subgroups import group_columns
from benchx.tasks.vqa.cases import Cases
from benchx.tasks.vqa.problem import Draw


def answer_table(cases: Cases, draw: Draw, answers: np.ndarray) -> pd.DataFrame:
    """Return one row per test question of a draw.

    Args:
        answers: int64 [n_test], numbers in the draw's vocabulary.

    Returns:
        `sample`, `cluster`, `fold`; 0 or 1 (int8): `correct`, `closed`, `answerable` (the answer is in the vocabulary),
        `seen_image` (its cluster has training or validation questions), `majority` (the most frequent answer to
        training questions is right), `majority_by_kind` (that to questions of the same kind, open or closed; of all
        where there is no such question); and the subgroups, of which `group:question` is the kind.
    """
    test, clusters = draw.test, cases.samples.clusters
    seen = np.isin(clusters[test], clusters[np.concatenate([draw.train, draw.val])])
    columns = {
        "sample": cases.samples.table["sample"].to_numpy()[test].astype(str),
        "cluster": clusters[test],
        "fold": np.full(len(test), draw.number, np.int8),
    }
    flags = {
        "correct": answers == draw.targets[test],
        "closed": cases.closed[test],
        "answerable": draw.targets[test] != OUTSIDE,
        "seen_image": seen,
        "majority": cases.answers[test] == most_frequent(cases.answers[draw.train]),
        "majority_by_kind": cases.answers[test] == _majority_by_kind(cases, draw),
    }
    table = pd.DataFrame(columns | {name: flag.astype(np.int8) for name, flag in flags.items()})
    groups = group_columns(cases.samples.table.iloc[test])
    kinds = pd.Series(cases.kinds[test], dtype="string")
    return table.assign(**groups | ({"group:question": kinds} if kinds.notna().any() else {}))


def shared_clusters(cases: Cases, draw: Draw) -> int:
    """Count the units (patients where known, else images) with questions both in training or validation and in test."""
    clusters = cases.samples.clusters
    return len(set(clusters[draw.test]) & set(clusters[np.concatenate([draw.train, draw.val])]))


def _majority_by_kind(cases: Cases, draw: Draw) -> np.ndarray:
    keys = list(zip(cases.kinds, cases.closed, strict=True))
    known = most_frequent_by([keys[case] for case in draw.train], cases.answers[draw.train])
    overall = most_frequent(cases.answers[draw.train])
    return np.array([known.get(keys[case], overall) for case in draw.test], object)
