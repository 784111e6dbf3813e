"""Look for the predictions of one method among those of others, and of one draw among those of other draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from benchx.errors import UsageError
from benchx.planning import Cell
from benchx.publishing.columns import columns_of
from benchx.publishing.duplicates import Scores, same, scores_of
from benchx.publishing.opening import Opened, open_bundle
from benchx.publishing.table_reader import TableReader
from benchx.publishing.verdict import Finding
from benchx.results.store import Store

Place = tuple[str, float, int | None]
"""Dataset, label fraction and seed: where the predictions of two methods are compared."""


def shared_between_draws(own: Sequence[tuple[Cell, Scores]]) -> list[Finding]:
    """Find predictions that two draws of one column share: a warning, since a draw may change nothing."""
    columns: dict[tuple[str, str, str, float], list[tuple[Cell, Scores]]] = defaultdict(list)
    for cell, scores in own:
        columns[cell.column].append((cell, scores))
    return [
        Finding("warning", "duplicates", b.label, f"the same predictions as seed {a.seed}, though the protocol draws")
        for pairs in columns.values()
        for (a, scores_a), (b, scores_b) in combinations(pairs, 2)
        if same(scores_a, scores_b)
    ]


def copied_from(path: Path, own: Sequence[tuple[Cell, Scores]], method: str, reader: TableReader) -> list[Finding]:
    """Find predictions that another method has too, on the same dataset, label fraction and seed.

    Args:
        path: a bundle or a store; results of `method` itself in it are passed over.
        own: the cells of `method`.

    Raises:
        UsageError: the path is neither, or the bundle cannot be read.
    """
    mine: dict[Place, list[tuple[Cell, Scores]]] = defaultdict(list)
    for cell, scores in own:
        mine[cell.dataset, cell.fraction, cell.seed].append((cell, scores))
    return [
        Finding("error", "duplicates", cell.label, f"the same predictions as {other} ({path.name})")
        for other, place, scores in (
            _of_store(path, method, mine) if path.is_dir() else _of_bundle(path, method, mine, reader)
        )
        for cell, own_scores in mine[place]
        if same(own_scores, scores)
    ]


def _of_store(path: Path, method: str, places: Container[Place]) -> Iterator[tuple[str, Place, Scores]]:
    store = Store(path)
    if not store.cells.is_dir():
        raise UsageError(f"{path} is neither a bundle nor a store", "it has no folder cells/", "check the path")
    for record in store.records():
        place = (record.cell["dataset"], record.cell["fraction"], record.cell["seed"])
        if record.state == "done" and record.cell["method"] != method and place in places:
            yield record.cell["method"], place, scores_of(store.predictions(record.key), pseudonymous=False)


def _of_bundle(
    path: Path, method: str, places: Container[Place], reader: TableReader
) -> Iterator[tuple[str, Place, Scores]]:
    other = open_bundle(path)
    if not isinstance(other, Opened):
        raise UsageError(f"{path} cannot be compared with", other[0].what, f"see: benchx verify {path}")
    if other.manifest.method == method:
        return
    for key, content in other.tables.items():
        record = other.records.get(key)
        cell = other.planned.get(record.cell_digest) if record else None
        if cell is None or (place := (cell.dataset, cell.fraction, cell.seed)) not in places:
            continue
        hidden = cell.dataset in other.manifest.pseudonymous
        try:
            table = reader.read(content, columns_of(cell), labelled=not hidden)
        except ValueError as error:
            raise UsageError(f"{path} cannot be compared with", str(error), f"see: benchx verify {path}") from error
        yield other.manifest.method, place, scores_of(table, pseudonymous=hidden)
