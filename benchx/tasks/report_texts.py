"""The text of a report that a task reads."""

from __future__ import annotations

from collections.abc import Sequence

from benchx.datasets.samples import Report


def text_of(report: Report | None, sections: Sequence[str]) -> str:
    """Return sections of a report joined in this order, blanks and line breaks as single spaces; "" without any."""
    parts = [getattr(report, name) for name in sections] if report is not None else []
    return " ".join(" ".join(part.split()) for part in parts if part).strip()
