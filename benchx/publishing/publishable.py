"""Results of one's own store, checked before they are published as strictly as those of others."""

from __future__ import annotations

import pandas as pd

from benchx.errors import StoreError
from benchx.planning import Cell
from benchx.publishing.columns import columns_of
from benchx.publishing.details import details_problems
from benchx.publishing.records import value_problems
from benchx.publishing.rescoring import score_problems, table_problems
from benchx.publishing.tables import read_table, write_table
from benchx.publishing.trials import trial_problems
from benchx.results.record import Record
from benchx.results.store import TRIALS, Store


def publishable_predictions(store: Store, cell: Cell, record: Record) -> pd.DataFrame:
    """Read the predictions of a finished cell, and make sure that the whole record follows from them.

    Raises:
        StoreError: they cannot be read or scored, or a value of the record is impossible, missing or another one
            than they give; names the record.
    """
    table = store.predictions(record.key)
    trials = store.cells / record.key / TRIALS
    found = trials.read_bytes() if trials.is_file() else None
    if problems := _problems(cell, record, table, found):
        raise StoreError(
            f"the result {record.key[:12]} ({cell.label}) cannot be published",
            problems[0],
            f"remove the folder {store.cells / record.key} and run the suite again",
        )
    return table


def _problems(cell: Cell, record: Record, table: pd.DataFrame, trials: bytes | None) -> list[str]:
    columns = columns_of(cell)
    try:
        published = read_table(write_table(table, columns), columns, labelled=True)
    except ValueError as error:
        return [str(error)]
    if problems := value_problems(record, has_table=True) + table_problems(published, cell):
        return problems
    found = score_problems(record.scores or {}, published, cell)
    wrong = found.wrong + found.lacking + details_problems(record.details, published, cell)
    return wrong or trial_problems(trials, record.details, cell)
