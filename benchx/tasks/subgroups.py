"""Subgroups of test cases by sex, age and view, as a prediction table holds them."""

from __future__ import annotations

import numpy as np
import pandas as pd

AGE_BANDS = ("0-17", "18-39", "40-59", "60-79", "80+")
"""Years; a table holds the band and never the age."""

_BAND_STARTS = (0, 18, 40, 60, 80)
_OLDEST = 120
"""Years; a greater age is a slip, and unknown."""

_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male", "o": "other", "other": "other"}
_NO_VALUES = frozenset({"", "nan", "none", "null", "na", "n/a", "u", "unknown"})


def group_columns(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the subgroup columns of some cases.

    Args:
        table: rows of `Samples.table`.

    Returns:
        `group:sex` (female, male, other, or as the source writes it), `group:age` (one of `AGE_BANDS`) and
        `group:view` (as the source writes it): nullable strings with a fresh index, null where unknown. A column
        that is null for every case is left out.
    """
    values = {
        "sex": [_SEXES.get(value.lower(), value) if value else None for value in map(_known, table["sex"])],
        "age": _bands(pd.to_numeric(table["age"]).to_numpy(np.float64)),
        "view": [_known(value) for value in table["view"]],
    }
    columns = {f"group:{name}": pd.Series(column, dtype="string") for name, column in values.items()}
    return {name: column for name, column in columns.items() if column.notna().any()}


def read_groups(predictions: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the subgroups that a prediction table knows: {sex, age, view: str or None [N]}; empty where none."""
    return {
        name.removeprefix("group:"): np.array([None if pd.isna(value) else str(value) for value in column], object)
        for name, column in predictions.items()
        if isinstance(name, str) and name.startswith("group:")
    }


def _known(value: object) -> str | None:
    """Return a source's value without the blanks around it, None where it says that it is not known."""
    text = str(value).strip()
    return None if pd.isna(value) or text.lower() in _NO_VALUES else text  # type: ignore[call-overload]


def _bands(years: np.ndarray) -> list[str | None]:
    numbers = np.searchsorted(_BAND_STARTS, years, side="right") - 1
    plausible = (years >= 0) & (years <= _OLDEST)
    return [AGE_BANDS[number] if real else None for number, real in zip(numbers, plausible, strict=True)]
