"""Small stores to compare, and their comparison by cell."""

from __future__ import annotations

from made_stores import CLASSIFICATION, predictions, record

from benchx.reporting.compare.stores import compare
from benchx.suites import read_suite

SUITE = read_suite(CLASSIFICATION)
TENTH, WHOLE = 0.1, 1.0


def compared(base, head, *, margin=0.01, suite=None, level=0.95):
    return compare(base, head, suite=suite, margin=margin, level=level, advance=lambda done, total: None)


def only(*fractions, methods=("mrm", "gloria"), seeds=None, dataset="rsna"):
    """Keep a few cells, so that stores are small."""
    return lambda cell: (
        cell.fraction in fractions
        and cell.method in methods
        and cell.dataset == dataset
        and (seeds is None or cell.seed in seeds)
    )


def rows_of(comparison):
    return {(row.name.method, row.name.fraction): row for row in comparison.rows}


def unfinished(store, cell, state, reason):
    done = record(cell, predictions(cell, 1, 60, 2, 0.1), {})
    store.put(done.model_copy(update={"state": state, "reason": reason, "scores": None}))
