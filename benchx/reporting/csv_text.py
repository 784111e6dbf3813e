"""Tables as CSV that pandas reads back as they were, and that spreadsheets take for no formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchx.errors import printable

_FORMULA_STARTS = ("=", "+", "-", "@")


def csv_text(fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV (UTF-8, comma, one header line); a field that a row lacks is empty.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; control characters are written as
    escapes, so that a row is a line. The texts of a list are joined by `; `.

    Raises:
        ValueError: a row has another field.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=fields, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, str):
        value = printable(value)
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return repr(float(value)) if isinstance(value, float) else str(value)
