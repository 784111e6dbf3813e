"""BenchX's split lists: taken only with the published sums, from a folder or from a server."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from benchx.datasets import benchx_lists, fetching
from benchx.datasets.benchx_lists import LISTS, PARTS, Lists, read_lists
from benchx.datasets.readers import nih
from benchx.datasets.samples import COLUMNS, Samples
from benchx.datasets.splits import make_folds, split_digest
from benchx.errors import BenchxError, DataMissing, DatasetError

TINY = {
    "train": "a\nb\nc\n",
    "val": "d\n",
    "test": "e\nf\n",
    "train_1": "a\n",
    "train_10": "b\nc\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the lists of one small dataset, whose sums are declared as the published ones."""
    out = tmp_path / "lists"
    (out / "Tiny").mkdir(parents=True)
    for part, text in TINY.items():
        (out / "Tiny" / f"{part}.txt").write_text(text)
    sums = {part: hashlib.sha256(text.encode()).hexdigest() for part, text in TINY.items()}
    for module in (benchx_lists, fetching):
        monkeypatch.setattr(module, "LISTS", {"tiny": Lists("Tiny", sums)})
    return out


@pytest.fixture
def samples(tmp_path):
    names = list("gfedcba")
    table = pd.DataFrame({name: pd.Series([None] * len(names), dtype=object) for name in COLUMNS})
    table["sample"], table["image"], table["official"] = names, names, ""
    return Samples("tiny", tmp_path, table, np.zeros((len(names), 1), np.float32), ("x",), publishes_split=False)


def test_the_lists_make_the_parts_and_the_fractions(folder, samples):
    (fold,) = make_folds(samples, "benchx-2024", read_lists("tiny", folder))
    names = samples.table["sample"].to_numpy()
    parts = {part: set(names[getattr(fold, part)]) for part in ("train", "val", "test")}
    assert parts == {"train": set("abc"), "val": set("d"), "test": set("ef")}
    assert {fraction: set(names[rows]) for fraction, rows in fold.subsets.items()} == {0.01: {"a"}, 0.1: {"b", "c"}}
    without = dataclasses.replace(fold, subsets={})
    assert split_digest(samples, (fold,)) != split_digest(samples, (without,))


def test_an_unknown_id_and_an_image_in_two_parts_are_refused(folder, samples):
    lists = read_lists("tiny", folder)
    with pytest.raises(DatasetError, match=r"list val.txt of 'tiny', entry 2: 'z' is not in"):
        make_folds(samples, "benchx-2024", lists | {"val": ["d", "z"]})
    with pytest.raises(DatasetError, match="an image in two parts"):
        make_folds(samples, "benchx-2024", lists | {"val": ["a"]})


def test_another_sum_and_a_missing_list_are_refused(folder):
    path = folder / "Tiny" / "val.txt"
    path.write_text("d \n")
    with pytest.raises(DatasetError, match=r"val.txt is not the published list\nwhy: its sha256 is"):
        read_lists("tiny", folder)
    path.unlink()
    with pytest.raises(DataMissing, match=r"no file .*val.txt\n.*\n.*benchx data splits fetch"):
        read_lists("tiny", folder)
    with pytest.raises(DatasetError, match="publishes no split lists of 'iu-xray'"):
        read_lists("iu-xray", folder)


@pytest.fixture
def server(folder):
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.func.log_message = lambda *arguments: None
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_lists_are_fetched_once_and_whole(folder, server, tmp_path):
    steps = []
    out = tmp_path / "fetched"
    assert fetching.fetch_lists(out, lambda done, total: steps.append((done, total)), server) == 5
    assert steps[-1] == (5, 5)
    assert read_lists("tiny", out) == read_lists("tiny", folder)
    (out / "Tiny" / "val.txt").unlink()
    assert fetching.fetch_lists(out, lambda done, total: None, server) == 1
    assert not list(out.rglob("*.partial"))


def test_a_server_with_another_list_is_refused_and_nothing_is_written(folder, server, tmp_path):
    (folder / "Tiny" / "train.txt").write_text("a\n")
    with pytest.raises(DatasetError, match="train.txt is not the published list"):
        fetching.fetch_lists(tmp_path / "out", lambda done, total: None, server)
    assert not list(tmp_path.glob("out/**/*.txt"))


def test_a_wrong_list_that_is_there_is_fetched_again(folder, server, tmp_path):
    out = tmp_path / "fetched"
    (out / "Tiny").mkdir(parents=True)
    (out / "Tiny" / "val.txt").write_text("wrong\n")
    assert fetching.fetch_lists(out, lambda done, total: None, server) == 5
    assert read_lists("tiny", out) == read_lists("tiny", folder)


def test_a_list_that_is_not_served_is_named(folder, server, tmp_path):
    (folder / "Tiny" / "train.txt").unlink()
    with pytest.raises(BenchxError, match=r"train.txt could not be fetched\nwhy: File not found"):
        fetching.fetch_lists(tmp_path / "out", lambda done, total: None, server)
    with pytest.raises(BenchxError, match=r"could not be fetched\nwhy: .*refused"):
        fetching.fetch_lists(tmp_path / "out", lambda done, total: None, "http://127.0.0.1:9")


def test_every_declared_sum_is_that_of_the_published_file(shared):
    for name, lists in LISTS.items():
        read = read_lists(name, shared / "splits" / "benchx-2024")
        assert set(read) == set(PARTS) == set(lists.sha256)
        assert all(read.values())


def test_the_published_nih_lists_divide_its_real_rows(shared, tmp_path):
    lists = read_lists("nih", shared / "splits" / "benchx-2024")
    samples = nih.read(shared / "data" / "nih-256")
    known = set(samples.table["sample"])
    listed = {part: [name for name in names if name in known] for part, names in lists.items()}
    (fold,) = make_folds(samples, "benchx-2024", listed)
    assert len(fold.train) + len(fold.val) + len(fold.test) == 441
    with pytest.raises(DatasetError, match=r"list train.txt of 'nih', entry \d+: .* is not in"):
        make_folds(samples, "benchx-2024", lists)
