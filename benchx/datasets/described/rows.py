"""The rows of a described dataset, whatever file they come from, and the checks that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from benchx.errors import DatasetError

_LONGEST = 30


@dataclass(frozen=True)
class Rows:
    """The cells of a dataset's rows.

    Attributes:
        cells: by role (a field of `Columns`), one object or string per row, null where nothing is known.
        labels: the columns of `Columns.labels`, in that order.
        names: the column that each role is read from.
        where: names file and line of a row.
    """

    cells: Mapping[str, pd.Series]
    labels: Sequence[pd.Series]
    names: Mapping[str, str]
    where: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.cells["image"])

    def first(self, wrong: pd.Series) -> tuple[int, str]:
        """Return number and place of the first row that is marked (bool [N])."""
        row = int(wrong.to_numpy().argmax())
        return row, self.where(row)

    def shown(self, value: str) -> str:
        """Show a cell in an error (see `shown`)."""
        return shown(value, reports="report" in self.cells)


def refuse_blanks(rows: Rows, role: str) -> None:
    """Raise a DatasetError when a role is read from a column that is empty on a row."""
    blank = rows.cells[role].isna()
    if blank.any():
        raise DatasetError(
            f"{rows.first(blank)[1]}: '{rows.names[role]}' is empty",
            f"{int(blank.sum())} rows have none, and it decides which image is meant or which are kept together",
            f"fill it in, or take {role} out of the description's columns",
        )


def refuse_duplicates(rows: Rows, role: str) -> None:
    """Raise a DatasetError when two rows have the same value."""
    cells = rows.cells[role]
    repeated = cells.duplicated(keep=False)
    if repeated.any():
        row, _ = rows.first(repeated)
        places = [rows.where(int(other)) for other in (cells == cells.iloc[row]).to_numpy().nonzero()[0]]
        raise DatasetError(
            f"{rows.shown(cells.iloc[row])} stands more than once in '{rows.names[role]}': {', '.join(places[:4])}",
            "one row is one image; which labels hold is undecidable",
            "keep one row per image",
        )


def read_numbers(rows: Rows, role: str) -> pd.Series:
    """Return a role's cells as floats, NaN where empty; raise a DatasetError for what is no finite number."""
    cells = rows.cells[role]
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    wrong = cells.notna() & ~numbers.abs().lt(float("inf"))
    if wrong.any():
        row, place = rows.first(wrong)
        raise DatasetError(
            f"{place}: {rows.names[role]} is {rows.shown(cells.iloc[row])}", "it must be a number", "mend the row"
        )
    return numbers


def shown(text: str, *, reports: bool) -> str:
    """Show a cell in an error, in quotes; of a cell that may hold a report only the length is told.

    Args:
        reports: whether the dataset has reports: cells may have slipped, so even a short one may be a sentence.
    """
    return f"a text of {len(text)} characters" if reports or len(text) > _LONGEST else f"'{text}'"
