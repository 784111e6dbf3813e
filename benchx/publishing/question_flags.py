"""Compare what a table says of test questions with one's own files: which are closed, what training knew of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.planning import Cell
from benchx.protocols import Answer, read_protocol
from benchx.publishing.verdict import counted
from benchx.tasks.vqa.cases import Cases, read_cases
from benchx.tasks.vqa.problem import pose
from benchx.tasks.vqa.tables import answer_table

_SAYS = {
    "answerable": "not inside or outside of the vocabulary as by your files",
    "seen_image": "not about an image that training saw, or did not see, as by your files",
    "majority": "not answered by the most frequent answer as by your files",
    "majority_by_kind": "not answered by the most frequent answer of their kind as by your files",
}
"""By column that follows from the training questions, what is wrong."""


def compare_flags(
    table: pd.DataFrame, places: np.ndarray, cell: Cell, samples: Samples, folds: Sequence[Fold], unreadable: int
) -> tuple[list[str], list[str]]:
    """Compare the flags of a table of answers, but for `correct`, with those that one's own files give.

    The vocabulary of a method's own head is not in a bundle, so with `head: own` what is `answerable` is not compared.

    Args:
        places: int [n], of the table's questions among the cases of the samples.
        folds: of the dataset; where there are none, nothing is known of training.
        unreadable: images that were left out; which, and so what training knew, only the author can tell.

    Returns:
        The differences, and what could not be compared, in one line each.
    """
    try:
        cases = read_cases(samples)
        found = []
        if (wrong := int((cases.closed[places] != table["closed"].to_numpy()).sum())) > 0:
            found.append(f"not closed or open as in your files: {counted(wrong, 'question')}")
        if not folds:
            return found, []
        if unreadable:
            said = f"{counted(unreadable, 'image')} said to be unreadable"
            return found, [f"what training knew of the test questions is not compared; {said}"]
        expected = _expected(cell, cases, folds)
    except NotApplicable as why:
        return [f"it cannot be scored on your files: {why.what}"], []
    given = table.assign(place=places).merge(expected, on="place", suffixes=("", "_true"))
    for name in [name for name in _SAYS if f"{name}_true" in given]:
        if (wrong := int((given[name] != given[f"{name}_true"]).sum())) > 0:
            found.append(f"{_SAYS[name]}: {counted(wrong, 'question')}")
    return found, []


def _expected(cell: Cell, cases: Cases, folds: Sequence[Fold]) -> pd.DataFrame:
    """Return what one's own files give: `place` of a test question, and the flags of `_SAYS` that can be known."""
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Answer)
    known = [name for name in _SAYS if name != "answerable" or protocol.head != "own"]
    tables = []
    for draw in pose(cell, cases, folds, protocol.vocabulary):
        flags = answer_table(cases, draw, np.zeros(len(draw.test), np.int64))
        tables.append(flags[known].assign(place=draw.test))
    return pd.concat(tables, ignore_index=True)
