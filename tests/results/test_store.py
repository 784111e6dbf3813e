from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from benchx.errors import StoreError
from benchx.results.record import Provenance, Record
from benchx.results.status import status_rows
from benchx.results.store import Store

PREDICTIONS = pd.DataFrame({"sample": ["a", "b"], "score:Mass": [0.1, -2.0], "label:Mass": [1.0, float("nan")]})
K0, K1, K2, K3, K4 = (digit * 64 for digit in "01234")
ASKED, OTHER, THIRD, FOURTH = (digit * 64 for digit in "abcd")
CELL = {
    "suite": "s",
    "suite_version": 1,
    "method": "m",
    "dataset": "nih",
    "task": "classification",
    "protocol": "frozen",
    "split": "official",
    "fraction": 0.1,
    "seed": 0,
    "primary": "macro_auroc",
    "settings": {},
}


def record(key: str = K1, state: str = "done", auroc: float = 0.75, asked: str = ASKED) -> Record:
    provenance = Provenance(
        data="real",
        benchx="0",
        packages={},
        python="3",
        platform="p",
        device="cpu",
        threads=1,
        created="2026-01-01T00:00:00+00:00",
        wall_seconds=1.0,
        peak_memory_bytes=1,
    )
    done = state == "done"
    return Record(
        key=key,
        state=state,
        cell=CELL,
        cell_digest=asked,
        reason=None if done else "out of memory",
        scores={"macro_auroc": auroc, "macro_auprc": 0.5, "n": 2} if done else None,
        card={"name": "m"},
        provenance=provenance,
    )


def test_what_is_put_comes_back(tmp_path):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    assert store.get(K1) == record()
    pd.testing.assert_frame_equal(store.predictions(K1), PREDICTIONS)
    assert sorted(path.name for path in store.cells.iterdir()) == [K1]


def test_success_forgets_the_failure_of_the_same_cell(tmp_path):
    store = Store(tmp_path)
    store.put(record(state="failed"))
    assert store.failure(ASKED).reason == "out of memory"
    assert store.get(K1) is None
    store.put(record(), PREDICTIONS)
    assert store.failure(ASKED) is None
    assert [one.state for one in store.records()] == ["done"]


def test_a_result_that_was_being_replaced_when_killed_is_still_there(tmp_path):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    (store.cells / K1).rename(store.cells / f".{K1}.old")
    assert store.get(K1) == record()
    store.gc(caches=False)
    assert [path.name for path in store.cells.iterdir()] == [K1]
    pd.testing.assert_frame_equal(store.predictions(K1), PREDICTIONS)


def test_writers_of_one_key_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Store(tmp_path).put(record(), PREDICTIONS), range(40)))
    assert [path.name for path in Store(tmp_path).cells.iterdir()] == [K1]


def test_a_full_disk_leaves_nothing_behind_and_keeps_the_rest(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put(record(K0), PREDICTIONS)

    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreError, match="could not be written") as caught:
        store.put(record(K1), PREDICTIONS)
    assert caught.value.why == "No space left on device"
    assert [path.name for path in store.cells.iterdir()] == [K0]
    assert store.get(K0) is not None


def test_a_damaged_record_and_truncated_predictions_are_named(tmp_path):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    path = tmp_path / "cells" / K1 / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match=r"predictions.parquet cannot be read"):
        store.predictions(K1)
    (tmp_path / "cells" / K1 / "record.json").write_text('{"schema_version": 1')
    with pytest.raises(StoreError, match=r"record.json is not a readable record"):
        store.get(K1)


def test_merge_copies_what_is_lacking_and_refuses_contradictions(tmp_path):
    mine, theirs = Store(tmp_path / "a"), Store(tmp_path / "b")
    mine.put(record(K1), PREDICTIONS)
    theirs.put(record(K1), PREDICTIONS)
    theirs.put(record(K2, asked=OTHER), PREDICTIONS)
    theirs.put(record(K3, state="failed", asked=THIRD))
    merged = mine.merge(theirs)
    assert (merged.copied, merged.present) == (2, 1)
    assert mine.get(K2) is not None
    assert mine.failure(THIRD) is not None
    theirs.put(record(K2, auroc=0.9, asked=OTHER), PREDICTIONS)
    theirs.put(record(K4, asked=FOURTH), PREDICTIONS)
    with pytest.raises(StoreError, match="different scores"):
        mine.merge(theirs)
    assert mine.get(K4) is None
    with pytest.raises(StoreError, match="no results store"):
        mine.merge(Store(tmp_path / "none"))


def test_gc_removes_drafts_and_caches_but_no_result(tmp_path):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    for folder in (store.cells / ".draft", store.work / "k9", store.cache / "features"):
        folder.mkdir(parents=True)
        (folder / "bytes").write_bytes(b"12345678")
    assert store.gc(caches=False) == 16
    assert (store.cache / "features").is_dir()
    assert store.gc(caches=True) == 8
    assert [one.key for one in store.records()] == [K1]


def test_to_pandas_and_status_show_one_row_per_record_and_state(tmp_path):
    store = Store(tmp_path)
    assert store.to_pandas().empty
    assert status_rows(store) == []
    store.put(record(), PREDICTIONS)
    store.put(record(K2, state="failed", asked=OTHER))
    table = store.to_pandas()
    assert list(table["state"]) == ["done", "failed"]
    assert table["score"][0] == 0.75
    states = {row["state"]: (row["cells"], row["reason"]) for row in status_rows(store)}
    assert states == {"done": (1, None), "failed": (1, "out of memory")}


@pytest.mark.parametrize("name", ["key", "cell_digest"])
@pytest.mark.parametrize("value", ["../../planted", "/etc", "A" * 64, "a" * 63, ""])
def test_a_key_that_is_no_digest_is_refused(tmp_path, name, value):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    file = store.cells / K1 / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(StoreError, match=f"{name}: String should match"):
        list(store.records())


def test_a_merge_never_leaves_the_folder_of_the_store(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    evil = Store(tmp_path / "evil")
    evil.put(record(), PREDICTIONS)
    file = evil.cells / K1 / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"cell_digest": str(precious)}))
    with pytest.raises(StoreError, match="not a readable record"):
        Store(tmp_path / "mine").merge(evil)
    assert precious.is_dir()


def test_a_record_in_another_folder_is_refused(tmp_path):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    (store.cells / K1).rename(store.cells / K2)
    with pytest.raises(StoreError, match="is the record of 1111"):
        list(store.records())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["cell"].pop("method"), "cell.method: Field required"),
        (lambda r: r["cell"].update(seed="0"), "cell.seed: Input should be a valid integer"),
        (lambda r: r["provenance"].update(created="yesterday"), "provenance.created: Value error, Invalid isoformat"),
        (lambda r: r["provenance"].update(wall_seconds=-1), "provenance.wall_seconds: Input should be greater"),
    ],
)
def test_a_record_edited_to_nonsense_names_the_field(tmp_path, change, said):
    store = Store(tmp_path)
    store.put(record(), PREDICTIONS)
    file = store.cells / K1 / "record.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=said):
        list(store.records())
