"""Build the board of a suite from stored predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchx.errors import StoreError
from benchx.planning import Cell, plan
from benchx.reporting.board import Board, Column, Row, column_name
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.statistics.bootstrap import paired_gap, seed_mean_interval
from benchx.suites import Suite
from benchx.tasks.predictions import scores_and_labels

REPLICATES = 2000
LEVEL = 0.95
SEED = 0

ColumnKey = tuple[str, str, str, float]
Case = tuple[np.ndarray, np.ndarray]
"""Scores [n, C] and labels [n, C] of one seed, cases in the order of their ids."""


def build_board(suite: Suite, store: Store, advance: Callable[[int, int], None]) -> Board:
    """Build a suite's board from a store.

    A column takes the results on one version of the data: the one (images and split digest) of its newest
    result; a method that has only results on another version is listed as absent with that reason. Of a method
    it takes the results of one version (card, weights, numerics): that of its newest result.

    Raises:
        StoreError: the store holds no result of the suite, or phantom and real results together.
    """
    records = list(store.records())
    methods = sorted({record.cell["method"] for record in records})
    planned = plan(suite, methods) if methods else []
    cells = {cell.digest: cell for cell in planned}
    found: dict[ColumnKey, list[tuple[Cell, Record]]] = defaultdict(list)
    for record in records:
        if (cell := cells.get(record.cell_digest)) is not None:
            found[cell.column].append((cell, record))
    done = [record for pairs in found.values() for _, record in pairs if record.state == "done"]
    if not done:
        raise StoreError(
            f"{store.path} holds no finished result of suite '{suite.name}'",
            f"it holds {len(records)} results" if records else "it is empty or does not exist",
            f"run: benchx run --suite {suite.name} --method NAME --store {store.path}",
        )
    kinds = {record.provenance.data or "real" for record in done}
    if len(kinds) > 1:
        raise StoreError(
            f"{store.path} holds phantom and real results of suite '{suite.name}'",
            "simulated and real images never share a board",
            "keep them in two stores",
        )
    keys = list(dict.fromkeys(cell.column for cell in planned))
    columns, empty = [], []
    for number, key in enumerate(keys):
        advance(number, len(keys))
        column = _column(key, found[key], [cell for cell in planned if cell.column == key], store)
        if isinstance(column, Column):
            columns.append(column)
        else:
            empty.append(f"{column_name(*key)}: {column}")
    advance(len(keys), len(keys))
    return Board(suite.name, suite.version, kinds.pop(), LEVEL, REPLICATES, tuple(columns), tuple(empty))


def _column(
    key: ColumnKey, pairs: Sequence[tuple[Cell, Record]], planned: Sequence[Cell], store: Store
) -> Column | str:
    """Build a column, or say why there is none."""
    done = [record for _, record in pairs if record.state == "done"]
    if not done:
        return "; ".join(sorted({record.reason for _, record in pairs if record.reason})) or "not run"
    newest = max(done, key=lambda record: record.provenance.created).provenance
    current = [r for r in done if (r.provenance.images, r.provenance.split) == (newest.images, newest.split)]
    by_method = _one_version(current)
    clusters, cases = _load(by_method, store)
    if len(set(clusters)) < 2:
        return f"all {len(clusters)} test images are of one {newest.unit}, so no interval can be given"
    seeds = {method: sum(cell.method == method for cell in planned) for method in by_method}
    rows = [_row(method, by_method[method], seeds[method], cases[method], clusters) for method in by_method]
    rows.sort(key=lambda row: -row.score.estimate)
    leader = rows[0].method
    behind = {m: paired_gap(cases[m], cases[leader], clusters, replicates=REPLICATES, level=LEVEL, seed=SEED)
              for m in by_method if m != leader}  # fmt: skip
    first = current[0]
    assert first.scores is not None
    return Column(
        *key,
        split_kind=first.cell["split"],
        primary=planned[0].primary,
        unit=newest.unit or "image",
        cases=len(clusters),
        units=len(set(clusters)),
        excluded=first.scores["excluded_classes"],
        shared_units=newest.shared_units,
        images=newest.images or "",
        split=newest.split or "",
        rows=tuple(replace(row, behind=behind.get(row.method)) for row in rows),
        absent=_absent(pairs, by_method),
    )


def _one_version(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return every method's results, by seed, of the version of the method that its newest result is of."""
    newest: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.provenance.created):
        newest[record.cell["method"]] = record
    kept: dict[str, list[Record]] = {method: [] for method in newest}
    for record in sorted(records, key=lambda record: record.cell["seed"] or 0):
        if record.provenance.method == newest[record.cell["method"]].provenance.method:
            kept[record.cell["method"]].append(record)
    return kept


def _load(by_method: dict[str, list[Record]], store: Store) -> tuple[list[str], dict[str, list[Case]]]:
    """Load predictions, cases aligned by id; the clusters are those of the cases."""
    reference = None
    cases: dict[str, list[Case]] = {}
    for method, records in by_method.items():
        cases[method] = []
        for record in records:
            table = store.predictions(record.key).sort_values("sample", ignore_index=True)
            if reference is None:
                reference = table[["sample", "cluster"]]
            elif not reference.equals(table[["sample", "cluster"]]):
                raise StoreError(
                    f"the predictions of {record.key[:12]} hold other test cases than the rest of their column",
                    "data and split have the same digest, so the file was changed",
                    f"remove {store.cells / record.key} and run the suite again",
                )
            scores, labels, _ = scores_and_labels(table)
            cases[method].append((scores, labels))
    assert reference is not None
    return reference["cluster"].tolist(), cases


def _row(method: str, records: Sequence[Record], planned: int, cases: list[Case], clusters: list[str]) -> Row:
    interval = seed_mean_interval(cases, clusters, replicates=REPLICATES, level=LEVEL, seed=SEED)
    seeds = [record.cell["seed"] for record in records]
    untrained = {name for r in records for fold in r.details["folds"] for name in fold["untrained_classes"]}
    return Row(
        method=method,
        score=interval,
        seeds=tuple(float((record.scores or {})["macro_auroc"]) for record in records),
        seed_names=tuple("deterministic" if seed is None else str(seed) for seed in seeds),
        planned_seeds=planned,
        behind=None,
        untrained=tuple(sorted(untrained)),
        unreadable=records[0].provenance.unreadable,
    )


def _absent(pairs: Sequence[tuple[Cell, Record]], present: dict[str, list[Record]]) -> dict[str, str]:
    absent = {}
    for cell, record in pairs:
        if cell.method not in present:
            absent[cell.method] = record.reason or "has results on another version of the data only"
    return dict(sorted(absent.items()))
