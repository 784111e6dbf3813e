"""What the pretraining behind a result saw of its dataset."""

from __future__ import annotations

from benchx.datasets.sharing import seen_of
from benchx.results.record import Record


def seen_by(record: Record, dataset: str) -> tuple[str, ...]:
    """Return what a method, and those that its protocol uses beside it, saw of a dataset; empty where nothing."""
    own = seen_of(dataset, record.card.get("exposure", ()))
    others = record.details.get("other_methods", {})
    return own + tuple(
        f"{seen} (by {name})" for name, other in others.items() for seen in seen_of(dataset, other["exposure"])
    )
