"""What is read of a stored result, and what is said where its record has another score. Which files are refused, and
with which words, stands in test_leaderboard.py."""

from __future__ import annotations

import pandas as pd
import pytest
from made_stores import made_store

from benchx.errors import StoreError
from benchx.reporting.building.gathering import Found
from benchx.reporting.building.predictions import misrecorded, predictions_path, read_predictions


@pytest.fixture
def found(tmp_path):
    store = made_store(tmp_path, {"mrm": 1.0}, keep=lambda cell: (cell.dataset, cell.fraction) == ("rsna", 1.0))
    (record,) = store.records()
    return Found(record, store)


def test_cases_come_in_the_order_of_their_ids_whatever_that_of_the_file(found):
    table = read_predictions(found)
    assert table["sample"].is_monotonic_increasing
    table.sample(frac=1, random_state=0).to_parquet(predictions_path(found), index=False)
    pd.testing.assert_frame_equal(read_predictions(found), table)


def test_predictions_of_a_fold_that_the_record_does_not_list_are_refused_with_what_to_do(found):
    read_predictions(found).assign(fold=1).to_parquet(predictions_path(found), index=False)
    with pytest.raises(StoreError, match="of folds that its record does not list") as refused:
        read_predictions(found)
    assert refused.value.todo == f"remove {found.store.cells / found.record.key} and run the suite again"


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({"macro_auroc": 0.8}, None),
        ({"macro_auroc": 0.8 + 9e-7}, None),
        ({"macro_auroc": 0.8 - 2e-6}, "records 0.8000, its predictions give 0.8000"),
        ({"macro_auroc": 1}, "records 1.0000, its predictions give 0.8000"),
        ({"macro_auroc": float("nan")}, "records nan, its predictions give 0.8000"),
        ({"macro_auroc": "0.8"}, "records no macro_auroc, its predictions give 0.8000"),
        ({"macro_auprc": 0.8}, "records no macro_auroc, its predictions give 0.8000"),
        (None, "records no macro_auroc, its predictions give 0.8000"),
    ],
)
def test_a_record_with_another_score_is_named(found, recorded, said):
    forged = Found(found.record.model_copy(update={"scores": recorded}), found.store)
    expected = [] if said is None else [f"{found.record.key[:12]} (mrm) {said}"]
    assert misrecorded([forged], "macro_auroc", [0.8]) == expected
