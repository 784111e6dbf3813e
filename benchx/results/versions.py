"""Which results stand for a method where a store holds several versions: those of the version of the newest one.

Boards, bundles and comparisons all choose by these rules. They differ in which results have to be of one version: on a
board the data of a column, whatever the method, and there every method; in a bundle the data of a dataset; in a
comparison, where no plan says what was asked for, also the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import Any, Literal

from benchx.digests import digest_json
from benchx.results.record import Record

Per = Literal["dataset", "task", "method"] | None
"""A field of the cell: results that share its value have to be of one version; None: all have to be."""


def newest(records: Iterable[Record]) -> Record:
    """Return the newest of some finished results.

    One that does not apply counts only where none is done. Of those made in the same second it is the one with the
    greatest key, so that the order in which they are read does not matter.
    """
    return max(records, key=_age)


def on_newest_data(records: Iterable[Record], per: Per = None) -> list[Record]:
    """Return the results on the same images and split as the newest."""
    return _like_newest(records, per, lambda record: (record.provenance.images, record.provenance.split))


def of_newest_method(records: Iterable[Record], per: Per = None) -> list[Record]:
    """Return the results of the same version of the method (card, weights, numerics) as the newest, by seed."""
    kept = _like_newest(records, per, lambda record: record.provenance.method)
    return sorted(kept, key=lambda record: record.cell["seed"] or 0)


def of_newest_settings(records: Iterable[Record]) -> list[Record]:
    """Return the results that were asked for with the same settings and metric as the newest."""
    return _like_newest(records, None, lambda record: digest_json([record.cell["settings"], record.cell["primary"]]))


def _age(record: Record) -> tuple[Any, ...]:
    return record.state == "done", datetime.fromisoformat(record.provenance.created), record.key


def _like_newest(records: Iterable[Record], per: Per, version: Callable[[Record], Hashable]) -> list[Record]:
    by_age = sorted(records, key=_age)
    places = [record.cell[per] if per else None for record in by_age]
    wanted = {place: version(record) for place, record in zip(places, by_age, strict=True)}
    return [record for place, record in zip(places, by_age, strict=True) if version(record) == wanted[place]]
