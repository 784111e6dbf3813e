from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from made_results import METHOD, fill, fill_from
from made_tasks import TASKS, fill_real, fill_tasks

from benchx.datasets.readers import mimic_cxr, rsna, vindr
from benchx.datasets.samples import Samples
from benchx.phantom.writers import write
from benchx.planning import plan
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.table_reader import TableReader
from benchx.results.store import Store
from benchx.suites import Suite, read_suite

TINY = """
extends: phantom
only: [nih, rsna]
name: tiny
version: 1
fractions: [0.1, 1.0]
seeds: [0, 1]
datasets:
  rsna: null
  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}
"""
PRIVATE = """
extends: phantom
only: [nih, rsna]
name: private
fractions: [0.1, 1.0]
seeds: [0, 1]
datasets:
  nih: null
  rsna: null
  vindr:
    split: official
    tasks: {classification: {protocols: [frozen], primary: macro_auroc, classes: [Lung Opacity, Cardiomegaly]}}
"""


@pytest.fixture(autouse=True)
def no_data_of_the_machine(monkeypatch):
    monkeypatch.delenv("BENCHX_DATA", raising=False)


@pytest.fixture(scope="session")
def reader():
    """One process that reads tables, for all tests: `verify` starts its own, which takes a second."""
    with TableReader() as reader:
        yield reader


@pytest.fixture(autouse=True)
def one_reader(monkeypatch, reader):
    monkeypatch.setattr("benchx.publishing.verify.TableReader", lambda: nullcontext(reader))


def _suite(folder: Path, name: str, text: str) -> Suite:
    (folder / f"{name}.yaml").write_text(text)
    return read_suite(str(folder / f"{name}.yaml"))


@pytest.fixture(scope="session")
def suite(tmp_path_factory) -> Suite:
    return _suite(tmp_path_factory.mktemp("suite"), "tiny", TINY)


@pytest.fixture(scope="session")
def private_suite(tmp_path_factory) -> Suite:
    return _suite(tmp_path_factory.mktemp("suite"), "private", PRIVATE)


@pytest.fixture(scope="session")
def store(suite, tmp_path_factory) -> Store:
    """A finished store of the tiny suite: three cells, simulated data."""
    store = Store(tmp_path_factory.mktemp("store"))
    fill(store, suite)
    return store


@pytest.fixture(scope="session")
def bundle(suite, store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "tiny.benchx.zip"
    write_bundle(make_bundle(suite, store, "random-efficientnet-lite0"), path)
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A data root with VinDr-CXR in its official layout that does not say that it is simulated."""
    root = tmp_path_factory.mktemp("data")
    write("vindr-png", root / "vindr", 72, 0, 64, lambda done, total: None)
    (root / "vindr" / "PHANTOM.json").unlink()
    return root


@pytest.fixture(scope="session")
def vindr_samples(data) -> Samples:
    return vindr.read(data / "vindr").sorted()


@pytest.fixture(scope="session")
def private_store(private_suite, vindr_samples, tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("private"))
    fill_from(store, private_suite, vindr_samples)
    return store


@pytest.fixture(scope="session")
def private_bundle(private_suite, private_store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "private.benchx.zip"
    write_bundle(make_bundle(private_suite, private_store, "random-efficientnet-lite0"), path)
    return path


@pytest.fixture(scope="session")
def tasks(tmp_path_factory) -> Suite:
    path = tmp_path_factory.mktemp("suite") / "tasks.yaml"
    path.write_text(TASKS)
    return read_suite(str(path))


@pytest.fixture(scope="session")
def task_cells(tasks):
    return {cell.task: cell for cell in plan(tasks, [METHOD])}


@pytest.fixture(scope="session")
def open_store(tasks, tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    fill_tasks(store, tasks)
    return store


@pytest.fixture(scope="session")
def open_bundle(tasks, open_store, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "open.benchx.zip"
    write_bundle(make_bundle(tasks, open_store, METHOD), path)
    return path


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in ("rsna", "mimic-cxr"):
        write(name, root / name, 60, 0, 64, lambda done, total: None)
        (root / name / "PHANTOM.json").unlink()
    return root


@pytest.fixture(scope="session")
def real_samples(real_data):
    return {
        "rsna": rsna.read(real_data / "rsna").sorted(),
        "mimic-cxr": mimic_cxr.read(real_data / "mimic-cxr").sorted(),
    }


@pytest.fixture(scope="session")
def hidden_store(tasks, real_samples, tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("hidden"))
    fill_real(store, tasks, real_samples)
    return store


@pytest.fixture(scope="session")
def hidden_bundle(tasks, hidden_store, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "hidden.benchx.zip"
    write_bundle(make_bundle(tasks, hidden_store, METHOD), path)
    return path
