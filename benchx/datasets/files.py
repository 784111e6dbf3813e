"""Reading official files: tables, lists and folders of images, with one clear error for what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchx.datasets.folders import found_in, refuse_link_out
from benchx.errors import DatasetError

_LONGEST_SHOWN = 30


def read_csv(path: Path, required: Sequence[str], *, separator: str = ",", header: bool = True) -> pd.DataFrame:
    """Read an official table as strings (empty = null), checking that the columns are there.

    Byte-order marks, CRLF line ends and gzip (by the suffix) are accepted; blanks around column names go.

    Args:
        required: columns that must be there; without a header line, the names of all columns in order.

    Raises:
        DatasetError: the file is missing, is not a table, or lacks a column (it names those found).
    """
    if not path.is_file():
        raise DatasetError(
            f"{path.name} is not in {path.parent}",
            f"the dataset is read from its official files; {found_in(path.parent)}",
            "point --root DATASET=DIR at the folder that holds this file",
        )
    refuse_link_out(path, path.parent.resolve())
    try:
        table = pd.read_csv(
            path,
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=[""],
            sep=separator,
            skip_blank_lines=False,
            header=0 if header else None,
            names=None if header else list(required),
        )
    except (ValueError, UnicodeDecodeError, OSError, EOFError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise DatasetError(
            f"{path} cannot be read as a CSV", reason, "download it again; a table of your own: save it as UTF-8"
        ) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DatasetError(
            f"{path}, line 2: the row has more cells than the header has columns",
            "a comma too many, or a cell with commas that is not in quotes; which cell is which cannot be told",
            "use the file as published",
        )
    if header:
        _refuse_two_columns(path, separator)
    table = _without_blank_end(table, path)
    if table.empty:
        raise DatasetError(f"{path} holds no rows", "only its header is there", "download the file again")
    table.columns = table.columns.str.strip()
    lacking = [name for name in required if name not in table.columns]
    if lacking:
        raise DatasetError(
            f"{path} has no column {', '.join(repr(name) for name in lacking)}",
            f"found: {', '.join(shown(name) for name in table.columns)}",
            "use the file as published, with its original header",
        )
    return table


def _refuse_two_columns(path: Path, separator: str) -> None:
    """Raise a DatasetError for a name that two columns have, which pandas would tell apart by numbers."""
    first = pd.read_csv(path, header=None, nrows=1, dtype=str, encoding="utf-8-sig", sep=separator)
    names = first.iloc[0].dropna().str.strip()
    twice = names[names.duplicated()]
    if len(twice):
        raise DatasetError(
            f"{path} has two columns '{shown(twice.iloc[0])}'",
            "which holds cannot be told",
            "use the file as published",
        )


def shown(text: object) -> str:
    """Cut a text from a file for an error: it may have slipped out of a column of reports."""
    whole = str(text)
    return whole if len(whole) <= _LONGEST_SHOWN else f"{whole[:_LONGEST_SHOWN]}... ({len(whole)} characters)"


def _without_blank_end(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Drop blank lines at the end; one in between would shift the lines that errors name, and is refused."""
    blank = table.isna().all(axis=1).to_numpy()
    end = len(table)
    while end and blank[end - 1]:
        end -= 1
    if blank[:end].any():
        raise DatasetError(
            f"{path}, line {int(blank.argmax()) + 2} is blank", "a table has no gaps", "use the file as published"
        )
    return table.iloc[:end]


def read_json(path: Path) -> Any:
    """Read an official JSON file; a byte-order mark is accepted.

    Raises:
        DatasetError: the file is missing or is not JSON. The error does not show what it holds.
    """
    if not path.is_file():
        raise DatasetError(f"{path.name} is not in {path.parent}", found_in(path.parent), "download the file again")
    refuse_link_out(path, path.parent.resolve())
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"{error.msg}, line {error.lineno}, column {error.colno}"
        raise DatasetError(f"{path} is not JSON", where, "download the file again") from error
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
        raise DatasetError(f"{path} is not JSON", why, "download the file again") from error
    except (RecursionError, ValueError) as error:
        raise DatasetError(f"{path} is not JSON", type(error).__name__, "download the file again") from error


def refuse_blanks(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """Raise a DatasetError when one of some columns is empty on a row."""
    for name in columns:
        blank = table.index[table[name].isna()]
        if len(blank):
            raise DatasetError(
                f"{path}, line {int(blank[0]) + 2}: '{name}' is empty",
                f"{len(blank)} rows have none, and it decides who is trained and tested on",
                "use the file as published",
            )


def refuse_others(column: pd.Series, allowed: Iterable[str], path: Path) -> None:
    """Raise a DatasetError when a column holds a value (null included) that is not one of those allowed."""
    wrong = column.index[~column.isin(list(allowed))]
    if len(wrong):
        value = column[wrong[0]]
        raise DatasetError(
            f"{path}, line {int(wrong[0]) + 2}: {column.name} is "
            + ("empty" if pd.isna(value) else f"'{shown(value)}'"),
            f"it must be one of: {', '.join(allowed)}",
            "use the file as published",
        )


def refuse_duplicates(ids: pd.Series, path: Path) -> None:
    """Raise a DatasetError when an id stands on more than one row."""
    repeated = ids[ids.duplicated(keep=False)]
    if len(repeated):
        first = repeated.iloc[0]
        rows = [int(row) + 2 for row in repeated.index[repeated == first]]
        raise DatasetError(
            f"{path} lists {repeated.nunique()} ids more than once, first '{first}'",
            f"it stands on lines {', '.join(map(str, rows))}; which labels hold is undecidable",
            "use the file as published, or remove the surplus rows",
        )


def read_numbers(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of texts as floats, NaN where it is empty.

    Raises:
        DatasetError: a text is not a finite number.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column.index[column.notna() & ~numbers.abs().lt(float("inf"))]
    if len(wrong):
        raise DatasetError(
            f"{path}, line {int(wrong[0]) + 2}: {column.name} is '{shown(column[wrong[0]])}'",
            "it must be a number",
            "use the file as published",
        )
    return numbers.astype(float)


def read_list(path: Path) -> list[str]:
    """Read a split list: one id per line, blank lines skipped, CRLF and byte-order marks accepted."""
    if not path.is_file():
        raise DatasetError(f"{path.name} is not in {path.parent}", found_in(path.parent), "download the file again")
    refuse_link_out(path, path.parent.resolve())
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file", str(error), "download the file again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def refuse_unknown(listed: Sequence[str], known: Iterable[str], source: object, of: str) -> None:
    """Raise a DatasetError when a split list names an id that a table does not hold."""
    names = set(known)
    unknown = [(number, name) for number, name in enumerate(listed, start=1) if name not in names]
    if unknown:
        number, name = unknown[0]
        raise DatasetError(
            f"{source}, entry {number}: '{name}' is not in {of}",
            f"{len(unknown)} of {len(listed)} listed ids are unknown, so list and table belong to different releases",
            "use both as published, of the same release",
        )
