"""From the label cells of a described dataset to its label matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchx.datasets.described.rows import Rows
from benchx.datasets.described.schema import Description
from benchx.errors import DatasetError


def label_matrix(described: Description, rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the labels, float32 [N, C], and which of them are called uncertain, bool [N, C] or None.

    One column: an empty cell is unknown for every class; a cell that names classes says that the others are
    absent. A column per class: 1, 0, -1 (uncertain) or empty (unknown).

    Raises:
        DatasetError: a cell holds anything else.
    """
    if described.columns.labels:
        numbers = np.column_stack([_numbers(rows, number, cells) for number, cells in enumerate(rows.labels)])
        return np.where(numbers == -1, np.nan, numbers).astype(np.float32), numbers == -1
    return _from_names(described, rows), None


def _numbers(rows: Rows, number: int, cells: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    wrong = cells.notna() & ~numbers.isin((-1.0, 0.0, 1.0))
    if wrong.any():
        row, place = rows.first(wrong)
        raise DatasetError(
            f"{place}: {rows.names[f'labels.{number}']} is {rows.shown(cells.iloc[row])}",
            "a label column holds 1 (present), 0 (absent), -1 (uncertain) or nothing (unknown)",
            "mend the column, or name classes in one column and give it as columns.label",
        )
    return numbers.to_numpy()


def _from_names(described: Description, rows: Rows) -> np.ndarray:
    """Read cells that are texts, or tuples of texts."""
    codes, kinds = pd.factorize(rows.cells["label"].to_numpy(object))
    # One row more, of unknowns: empty cells have the code -1.
    matrix = np.full((len(kinds) + 1, len(described.classes)), np.nan, np.float32)
    for kind, value in enumerate(kinds):
        matrix[kind] = 0
        names = value if isinstance(value, tuple) else _split(value, described.separator)
        for name in names:
            if name in described.classes:
                matrix[kind, described.classes.index(name)] = 1
        if fault := _fault(names, described, rows):
            place = rows.where(int(np.argmax(codes == kind)))
            raise DatasetError(f"{place}: {rows.names['label']}: {fault[0]}", fault[1], fault[2])
    return matrix[codes]


def _split(text: str, separator: str | None) -> list[str]:
    return [name.strip() for name in text.split(separator)] if separator else [text.strip()]


def _fault(names: list[str] | tuple[str, ...], described: Description, rows: Rows) -> tuple[str, str, str] | None:
    """Return what is wrong with the names of one cell, why, and what to do."""
    known = ", ".join((*described.classes, *described.negatives))
    for name in names:
        if name not in described.classes and name not in described.negatives:
            return (
                f"{rows.shown(name)} is not in the class list",
                f"the description knows: {known}",
                "add it to 'classes', or to 'negative' where it means none; 'separator' splits several",
            )
    if {*names} & {*described.negatives} and {*names} & {*described.classes}:
        return (
            f"{rows.shown(', '.join(names))} says both some and none of the classes",
            f"'negative' is {', '.join(described.negatives)}",
            "mend the row",
        )
    return None
