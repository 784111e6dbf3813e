"""From results stores to the columns of a board: which finished cells are compared, and what is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchx.errors import StoreError
from benchx.planning import Cell, plan
from benchx.reporting.board import column_name
from benchx.results.record import Provenance, Record
from benchx.results.store import Store
from benchx.results.versions import newest, of_newest_method, on_newest_data
from benchx.suites import Suite

ColumnKey = tuple[str, str, str, float]
"""Dataset, task, protocol and fraction."""


@dataclass(frozen=True)
class Found:
    """A record and the store that holds it."""

    record: Record
    store: Store


@dataclass(frozen=True)
class Gathered:
    """The finished cells of one column.

    Attributes:
        cell: one of the planned cells, for what they share.
        family: where the dataset's images come from.
        by_method: the draws of every method, by seed; all on one version of the data, each method in one version.
        planned: how many draws the suite asks of a method.
        newest: provenance of the column's newest result.
        absent: methods without a result here, with the reason.
    """

    cell: Cell
    family: str
    by_method: dict[str, tuple[Found, ...]]
    planned: int
    newest: Provenance
    absent: dict[str, str]


@dataclass(frozen=True)
class Gathering:
    """The finished cells of a suite.

    Attributes:
        data: `real` or `phantom`.
        empty: columns without any result, with the reason.
        notes: results that were left out, with the reason.
    """

    data: Literal["real", "phantom"]
    columns: tuple[Gathered, ...]
    empty: tuple[str, ...]
    notes: tuple[str, ...]


def gather(suite: Suite, stores: Sequence[Store]) -> Gathering:
    """Find the results of a suite in some stores.

    A column takes the results on one version of the data: the one (images and split digest) of its newest result; a
    method that has only results on another version is listed as absent with that reason. Of a method it takes the
    results of one version (card, weights, numerics): that of its newest result. Results of the suite that its
    present version does not ask for are left out and counted.

    Raises:
        StoreError: no store holds a result of the suite, two hold one result with different scores, or phantom and
            real results meet.
    """
    records = _merged(stores)
    methods = sorted({one.record.cell["method"] for one in records})
    planned = plan(suite, methods) if methods else []
    cells = {cell.digest: cell for cell in planned}
    found: dict[ColumnKey, list[tuple[Cell, Found]]] = defaultdict(list)
    for one in records:
        if (cell := cells.get(one.record.cell_digest)) is not None:
            found[cell.column].append((cell, one))
    columns, empty = [], []
    data = _one_kind(suite, [one for pairs in found.values() for _, one in pairs], stores, len(records))
    for key in dict.fromkeys(cell.column for cell in planned):
        asked = [cell for cell in planned if cell.column == key]
        column = _column(suite.dataset(key[0]).family, found[key], asked)
        if isinstance(column, Gathered):
            columns.append(column)
        else:
            empty.append(f"{column_name(*key)}: {column}")
    return Gathering(data, tuple(columns), tuple(empty), _notes(suite, records, set(cells)))


def _merged(stores: Sequence[Store]) -> list[Found]:
    """Return the records of all stores, each finished one once."""
    kept: dict[str, Found] = {}
    unfinished = []
    for store in stores:
        for record in store.records():
            if record.state != "done":
                unfinished.append(Found(record, store))
            elif (other := kept.setdefault(record.key, Found(record, store))).record.scores != record.scores:
                raise StoreError(
                    f"{other.store.path} and {store.path} hold {record.key[:12]} with different scores",
                    "the same cell, data, split and weights gave two numbers (another device or package?)",
                    "leave one of the two stores out, or remove one of the two results",
                )
    return [*kept.values(), *unfinished]


def _one_kind(
    suite: Suite, found: Sequence[Found], stores: Sequence[Store], records: int
) -> Literal["real", "phantom"]:
    names = " and ".join(str(store.path) for store in stores)
    kinds = {one.record.provenance.data or "real" for one in found if one.record.state == "done"}
    if not kinds:
        raise StoreError(
            f"{names}: no finished result of suite '{suite.name}'",
            f"{records} results of other suites or unfinished" if records else "empty or does not exist",
            f"run: benchx run --suite {suite.name} --method NAME --store {stores[0].path}",
        )
    if len(kinds) > 1:
        raise StoreError(
            f"{names}: phantom and real results of suite '{suite.name}' together",
            "simulated and real images never share a board",
            "keep them in two stores",
        )
    return kinds.pop()


def _column(family: str, pairs: Sequence[tuple[Cell, Found]], planned: Sequence[Cell]) -> Gathered | str:
    """Choose a column's results, or say why there is none."""
    primary = planned[0].primary
    done = {one.record.key: one for _, one in pairs if _is_scored(one.record, primary)}
    if not done:
        return "; ".join(sorted({why for _, one in pairs if (why := _why_not(one.record, primary))})) or "not run"
    records = [one.record for one in done.values()]
    by_method: dict[str, list[Found]] = defaultdict(list)
    for record in of_newest_method(on_newest_data(records), "method"):
        by_method[record.cell["method"]].append(done[record.key])
    absent = {
        cell.method: _why_not(one.record, primary) or "has results on another version of the data only"
        for cell, one in pairs
        if cell.method not in by_method
    }
    draws = sum(cell.method == planned[0].method for cell in planned)
    chosen = {method: tuple(by_method[method]) for method in sorted(by_method)}
    return Gathered(planned[0], family, chosen, draws, newest(records).provenance, dict(sorted(absent.items())))


def _is_scored(record: Record, primary: str) -> bool:
    """Whether a cell is finished, and its record does not say that there is no primary score.

    A record of retrieval says so by leaving it out: one on a dataset without classes has no class matches. So does one
    of few shots, whose protocol may ask for fewer of them.
    """
    left_out = None if record.cell["task"] in ("retrieval", "few_shot") else "not recorded"
    return record.state == "done" and (record.scores or {}).get(primary, left_out) is not None


def _why_not(record: Record, primary: str) -> str | None:
    if record.state != "done" or _is_scored(record, primary):
        return record.reason
    unavailable = record.details.get("unavailable")
    reason = unavailable.get(primary) if isinstance(unavailable, dict) else None
    return f"no {primary}: {reason}" if reason else f"its test cases give no {primary}"


def _notes(suite: Suite, records: Sequence[Found], asked: set[str]) -> tuple[str, ...]:
    """Count the suite's results that its present version does not ask for, by the version they are of."""
    other: dict[int, int] = defaultdict(int)
    for one in records:
        cell = one.record.cell
        if cell["suite"] == suite.name and one.record.cell_digest not in asked:
            other[cell["suite_version"]] += 1
    return tuple(
        f"{count} results of version {version} of this suite are left out: version {suite.version} asks for other cells"
        for version, count in sorted(other.items())
    )
