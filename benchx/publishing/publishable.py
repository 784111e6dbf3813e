"""Results of one's own store, checked before they are published as strictly as those of others."""

from __future__ import annotations

import pandas as pd

from benchx.errors import StoreError
from benchx.planning import Cell
from benchx.publishing.details import details_problems
from benchx.publishing.records import value_problems
from benchx.publishing.rescoring import score_problems, split_folds, table_problems
from benchx.publishing.tables import read_table, write_table
from benchx.results.record import Record
from benchx.results.store import Store


def publishable_predictions(store: Store, cell: Cell, record: Record) -> pd.DataFrame:
    """Read the predictions of a finished cell, and make sure that the whole record follows from them.

    Raises:
        StoreError: they cannot be read or scored, or a value of the record is impossible, missing or another one
            than they give; names the record.
    """
    table = store.predictions(record.key)
    if problems := _problems(cell, record, table):
        raise StoreError(
            f"the result {record.key[:12]} ({cell.label}) cannot be published",
            problems[0],
            f"remove the folder {store.cells / record.key} and run the suite again",
        )
    return table


def _problems(cell: Cell, record: Record, table: pd.DataFrame) -> list[str]:
    classes = cell.settings["classes"]
    try:
        published = read_table(write_table(table), classes, labelled=True)
    except ValueError as error:
        return [str(error)]
    if problems := value_problems(record, has_table=True) + table_problems(published, cell):
        return problems
    wrong, lacking = score_problems(record.scores or {}, published, cell)
    return wrong + lacking + details_problems(record.details, published, classes, split_folds(cell))
