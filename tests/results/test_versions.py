"""Of several versions of a result the newest stands, on a board, in a bundle and in a comparison alike."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from made_stores import predictions, record

from benchx.digests import digest_json
from benchx.planning import plan
from benchx.publishing.selection import select
from benchx.reporting.building.gathering import gather
from benchx.reporting.compare.matching import read_cells
from benchx.results.store import Store
from benchx.results.versions import newest, of_newest_method, of_newest_settings, on_newest_data
from benchx.suites import read_suite

SUITE = read_suite("phantom")
METHOD = "mrm"
DRAWS = [cell for cell in plan(SUITE, [METHOD]) if (cell.dataset, cell.fraction) == ("rsna", 0.1)]
TABLE = predictions(DRAWS[0], 1.0, 10, 2, 0.1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def result(cell=DRAWS[0], hours=0, data=1, method=1, state="done"):
    """A result made some hours after the start, on a version of the data, of a version of the method."""
    fields = {
        "images": digest_json(["data", data]),
        "weights": digest_json(["weights", method]),
        "created": (START + timedelta(hours=hours)).isoformat(),
    }
    done = record(cell, TABLE, fields)
    if state == "done":
        return done
    return done.model_copy(update={"state": state, "scores": None, "details": {}, "reason": "no class can be scored"})


def store_of(path, records):
    store = Store(path)
    for one in records:
        store.put(one)
    return store


def on_board(store):
    (column,) = gather(SUITE, [store]).columns
    return {found.record.key for found in column.by_method[METHOD]}


def in_bundle(store):
    return {one.key for _, one in select(SUITE, store, METHOD).done}


def in_comparison(store):
    (side,) = read_cells(store).values()
    return {found.record.key for found in side.done.values()}


@pytest.mark.parametrize("seed", range(12))
def test_board_bundle_and_comparison_of_one_store_take_the_same_results(tmp_path, seed):
    """Three draws on two versions of the data, of two of the method; some made in the same hour."""
    random = np.random.default_rng(seed)
    records = [
        result(cell, int(random.integers(4)), data, method)
        for cell in DRAWS
        for data in (1, 2)
        for method in (1, 2)
        if random.random() < 0.7
    ]
    latest = max(one.provenance.created for one in records)
    last = max((one for one in records if one.provenance.created == latest), key=lambda one: one.key)
    expected = {
        one.key
        for one in records
        if (one.provenance.images, one.provenance.method) == (last.provenance.images, last.provenance.method)
    }
    store = store_of(tmp_path, records)
    assert on_board(store) == in_bundle(store) == in_comparison(store) == expected


def test_a_newer_result_that_does_not_apply_displaces_none_that_is_done(tmp_path):
    done = [result(cell, data=1) for cell in DRAWS]
    store = store_of(tmp_path, [*done, result(DRAWS[0], hours=1, data=2, state="not-applicable")])
    assert on_board(store) == in_bundle(store) == in_comparison(store) == {one.key for one in done}


def test_where_nothing_is_done_the_newest_that_does_not_apply_stands():
    old, new = (result(hours=hours, data=hours, state="not-applicable") for hours in (0, 1))
    assert on_newest_data([new, old]) == [new]


def test_the_order_of_reading_does_not_matter():
    records = [result(cell, data=data) for cell in DRAWS for data in (1, 2)]
    assert newest(records) == newest(records[::-1])
    assert on_newest_data(records) == on_newest_data(records[::-1])
    assert [one.cell["seed"] for one in of_newest_method(records[::-1])] == [0, 0, 1, 1, 2, 2]


def test_times_of_two_zones_are_compared_as_times():
    late = result(hours=5)
    early = late.model_copy(
        update={"provenance": late.provenance.model_copy(update={"created": "2026-01-01T06:00:00+02:00"})}
    )
    assert newest([late, early]) is late
    assert early.provenance.created > late.provenance.created  # as text


def test_data_are_of_one_version_per_dataset_and_methods_per_method():
    (nih,) = (cell for cell in plan(SUITE, [METHOD]) if (cell.dataset, cell.fraction) == ("nih", 1.0))
    (other,) = (cell for cell in plan(SUITE, ["gloria"]) if (cell.dataset, cell.fraction) == ("nih", 1.0))
    first, second, third = result(nih, 0, data=1), result(DRAWS[0], 1, data=2), result(other, 2, data=2, method=2)
    assert on_newest_data([first, second], "dataset") == [first, second]
    assert on_newest_data([first, second, third], "dataset") == [second, third]
    assert on_newest_data([first, second]) == [second]
    assert {one.key for one in of_newest_method([first, second, third], "method")} == {first.key, second.key, third.key}
    assert of_newest_method([first, second, third], "task") == [third]


@pytest.mark.parametrize("change", [{"primary": "macro_auprc"}, {"settings": {"short_side": 1}}])
def test_other_settings_or_another_metric_are_another_version(change):
    old, new = result(hours=0), result(hours=1)
    changed = new.model_copy(update={"cell": json.loads(json.dumps(new.cell)) | change})
    assert of_newest_settings([old, changed]) == [changed]
    assert of_newest_settings([old, new]) == [old, new]
