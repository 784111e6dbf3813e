"""What a head-to-head tells of one method in a cell, from the records of its draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchx.reporting.building.draws import draw_name
from benchx.reporting.building.gathering import Found
from benchx.reporting.exposure import seen_by
from benchx.reporting.head_to_head.contest import Prompts, Side


def side_of(dataset: str, found: Sequence[Found], score: float) -> Side:
    """Return the side of a method whose draws, one or more, average to a score."""
    records = [one.record for one in found]
    searches = [searched for record in records if (searched := _prompts(record.details)) is not None]
    return Side(
        score=score,
        draws=tuple(draw_name(record.cell) for record in records),
        prompts=tuple(dict.fromkeys(searches)),
        saw=seen_by(records[0], dataset),
    )


def _prompts(details: Mapping[str, Any]) -> Prompts | None:
    """Return what a zero-shot cell chose among several prompt sets on its validation images, if it did."""
    searched = details.get("searched")
    if searched is None:
        return None
    if details["chosen"] is None:
        return Prompts("another in every fold", None, len(searched))
    best = searched[details["chosen"]]
    return Prompts(best["prompts"], best["validation"], len(searched))
