"""From two results stores to the cells that they share: which results are compared, and which comparison is refused."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from benchx.errors import UsageError
from benchx.reporting.board import column_name
from benchx.reporting.building.draws import draw_name
from benchx.reporting.building.gathering import Found
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.results.versions import of_newest_method, of_newest_settings, on_newest_data


@dataclass(frozen=True)
class CellName:
    """What is compared: a method at one place of a suite, its draws together."""

    suite: str
    method: str
    dataset: str
    task: str
    protocol: str
    split: str
    fraction: float

    @property
    def label(self) -> str:
        """The cell in words."""
        return f"{self.method} / {column_name(self.dataset, self.task, self.protocol, self.fraction)}"


@dataclass(frozen=True)
class Side:
    """A cell in one store.

    Attributes:
        done: results by draw, all of the version (settings, data, split, method) of the newest one.
        unfinished: draws without such a result, with the record that says why.
        outdated: how many results of other versions were left out.
    """

    done: dict[str, Found]
    unfinished: dict[str, Record]
    outdated: int


def read_both(base: Store, head: Store, suite: str | None) -> tuple[dict[CellName, Side], dict[CellName, Side]]:
    """Return the cells of two stores, of one suite or of all.

    A result that several suites ask for is stored once, under the names of suite and protocol that it was first run
    for. So a cell of HEAD that BASE knows by other names goes by BASE's.

    Raises:
        UsageError: a folder holds no results store, or there is no such suite in either.
        StoreError: a record cannot be read.
    """
    before, after = read_cells(base), read_cells(head)
    if suite is not None:
        _check_suite(suite, {name.suite for name in (*before, *after)}, base, head)
    known = {digest: name for name, side in before.items() if name not in after for digest in _digests(side)}
    renamed = {}
    for name, side in after.items():
        others = {known[digest] for digest in _digests(side) if digest in known} if name not in before else set()
        renamed[others.pop() if len(others) == 1 else name] = side
    return _narrowed(before, suite), _narrowed(renamed, suite)


def read_cells(store: Store) -> dict[CellName, Side]:
    """Return the cells of a store.

    Raises:
        UsageError: the folder holds no results store.
        StoreError: a record cannot be read.
    """
    if not (store.cells.is_dir() or store.failures.is_dir()):
        raise UsageError(
            f"{store.path} is no results store",
            "it has no folder cells/",
            "give two folders that benchx run --store has written: benchx compare BASE HEAD",
        )
    found: dict[CellName, list[Record]] = defaultdict(list)
    for record in store.records():
        found[_name(record.cell)].append(record)
    return {name: _side(records, store) for name, records in found.items()}


def check_comparable(name: CellName, base: Record, head: Record) -> None:
    """Check that two results of a cell are on the same data, split and settings.

    Raises:
        UsageError: they are not; what differs is named with both values.
    """
    before, after = base.provenance, head.provenance
    asked = "compare results of one suite version and protocol"
    data = "a comparison needs the same images and labels", "run BASE and HEAD on the same files"
    differing: list[tuple[str, Any, Any, str, str]] = [
        (
            "kind of data",
            before.data or "real",
            after.data or "real",
            "simulated and real images are never compared",
            "run both on the same data",
        ),
        ("dataset fingerprint", _short(before.images), _short(after.images), *data),
        ("split digest", _short(before.split), _short(after.split), "their test cases are others", data[1]),
        ("metric", base.cell["primary"], head.cell["primary"], "two metrics have no difference", asked),
    ]
    settings = [dict(_flat("", one.cell["settings"])) for one in (base, head)]
    for key in sorted(settings[0].keys() | settings[1].keys()):
        values = [one.get(key, "not set") for one in settings]
        differing.append((key, *values, "both sides must ask for the same thing", asked))
    for what, left, right, why, todo in differing:
        if left != right:
            raise UsageError(f"{name.label}: the {what} is {left} in BASE and {right} in HEAD", why, todo)


def nothing_in_common(base: Store, head: Store, cells: Mapping[CellName, Side], others: Mapping[CellName, Side]) -> str:
    """Say why no cell of BASE is known to HEAD."""
    for title, store, some in (("BASE", base, cells), ("HEAD", head, others)):
        if not some:
            return f"{title} ({store.path}) has no result of it"
    if not any(side.done for side in cells.values()):
        return f"BASE ({base.path}) has no finished result"
    for field in ("suite", "method", "dataset", "task", "protocol", "split", "fraction"):
        left, right = ({getattr(name, field) for name in some} for some in (cells, others))
        if not left & right:
            sides = (", ".join(map(str, sorted(values))) for values in (left, right))
            return f"BASE and HEAD have no {field} in common: {' against '.join(sides)}"
    return "every cell of BASE is of another method or column than every cell of HEAD"


def _check_suite(suite: str, known: set[str], base: Store, head: Store) -> None:
    if not known or suite in known:
        return
    near = difflib.get_close_matches(suite, sorted(known), n=1, cutoff=0.4)
    raise UsageError(
        f"neither {base.path} nor {head.path} has a result of a suite '{suite}'",
        f"they have results of: {', '.join(sorted(known))}",
        f"did you mean '{near[0]}'?" if near else "name one of these, or leave --suite out",
    )


def _narrowed(cells: dict[CellName, Side], suite: str | None) -> dict[CellName, Side]:
    return {name: side for name, side in cells.items() if suite is None or name.suite == suite}


def _name(cell: Mapping[str, Any]) -> CellName:
    return CellName(**{field.name: cell[field.name] for field in fields(CellName)})


def _side(records: list[Record], store: Store) -> Side:
    done = [record for record in records if record.state == "done"]
    kept = of_newest_method(on_newest_data(of_newest_settings(done)))
    finished = {draw_name(record.cell): Found(record, store) for record in kept}
    unfinished = {
        draw: record
        for record in sorted(records, key=lambda record: record.provenance.created)
        if record.state != "done" and (draw := draw_name(record.cell)) not in finished
    }
    return Side(finished, unfinished, len(done) - len(kept))


def _digests(side: Side) -> set[str]:
    """Return the digests of what was asked for, which hold neither suite nor protocol names."""
    return {found.record.cell_digest for found in side.done.values()} | {
        record.cell_digest for record in side.unfinished.values()
    }


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested settings with their dotted names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else f"setting {key}", inner)
    else:
        yield prefix, value


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "not recorded"
