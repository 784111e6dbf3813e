"""From the rows of a described dataset to `Samples`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.described.labels import label_matrix
from benchx.datasets.described.rows import Rows, read_numbers, refuse_blanks, refuse_duplicates
from benchx.datasets.described.schema import Description
from benchx.datasets.folders import is_phantom
from benchx.datasets.samples import Report, Samples
from benchx.errors import DatasetError


def assemble(
    described: Description,
    root: Path,
    rows: Rows,
    ids: pd.Series,
    images: Sequence[str],
    present: np.ndarray,
    notes: tuple[str, ...],
) -> Samples:
    """Build the samples.

    Args:
        ids: of the samples, where the description names no column for them.
        images: paths relative to the root; `present` [N] says which of them are there.
        notes: what the source has to say.

    Raises:
        DatasetError: an id, patient or study is empty, an id is there twice, or a label, age or part is none.
    """
    for role in ("sample", "patient", "study"):
        if role in rows.cells:
            refuse_blanks(rows, role)
    if "sample" in rows.cells:
        refuse_duplicates(rows, "sample")
        ids = rows.cells["sample"]
    labels, uncertain = label_matrix(described, rows)
    table = pd.DataFrame({"sample": ids.to_numpy(object), "image": list(images)})
    for role in ("patient", "study", "view", "sex"):
        table[role] = rows.cells[role].to_numpy(object) if role in rows.cells else None
    table["age"] = read_numbers(rows, "age").to_numpy() if "age" in rows.cells else None
    table["official"] = _official(described, rows)
    return Samples(
        described.name,
        root,
        table,
        labels,
        described.classes,
        tuple(table["sample"][~present]),
        is_phantom(root),
        notes,
        publishes_split="split" in rows.cells,
        uncertain=uncertain,
        reports=_reports(table["sample"], rows),
    )


def _official(described: Description, rows: Rows) -> np.ndarray | str:
    """Return the part of every row, or nothing where the source gives none."""
    if "split" not in rows.cells:
        return ""
    cells = rows.cells["split"]
    wrong = ~cells.isin(list(described.splits))
    if wrong.any():
        row, place = rows.first(wrong)
        cell = cells.iloc[row]
        raise DatasetError(
            f"{place}: {rows.names['split']} is " + ("empty" if pd.isna(cell) else rows.shown(cell)),
            f"the description knows these parts: {', '.join(described.splits)}",
            "say under 'splits' whether it is train, val or test",
        )
    return cells.map(described.splits).to_numpy(object)


def _reports(ids: pd.Series, rows: Rows) -> dict[str, Report]:
    if "report" not in rows.cells:
        return {}
    pairs = zip(ids, rows.cells["report"], strict=True)
    return {name: Report(findings=text) for name, text in pairs if pd.notna(text) and text.strip()}
