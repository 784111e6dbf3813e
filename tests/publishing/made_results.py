"""Stores of made-up results whose keys, scores and digests are right, and forgeries of their bundles."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from made_stores import record

from benchx.datasets.samples import Samples
from benchx.datasets.splits import make_folds, split_digest
from benchx.methods.cards.reading import read_card
from benchx.planning import Cell, plan
from benchx.publishing.archive import pack
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.manifest import Manifest, listed
from benchx.publishing.verdict import Verdict
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.suites import Suite
from benchx.tasks.predictions import classification_table

METHOD = "random-efficientnet-lite0"
OTHER = "random-resnet50"
SAME = {"images": "1" * 64, "split": "2" * 64}
"""Digests of the images and the split of every dataset."""

Edit = Callable[[dict[str, bytes], dict[str, Any]], None]


def cases(cell: Cell, seed: int, patients: int = 30) -> pd.DataFrame:
    """Predictions on two images per patient; the scores follow the labels a little."""
    truth, noise = np.random.default_rng(0), np.random.default_rng([seed, cell.seed or 0, int(100 * cell.fraction)])
    columns: dict[str, Any] = {
        "sample": [f"{patient:03d}_{image}.png" for patient in range(patients) for image in range(2)],
        "cluster": [f"{patient:03d}" for patient in range(patients) for _ in range(2)],
        "fold": np.zeros(2 * patients, np.int8),
    }
    for name in cell.settings["classes"]:
        labels = (truth.random(2 * patients) < 0.4).astype(np.float32)
        labels[truth.integers(0, 2 * patients, 3)] = np.nan
        columns[f"score:{name}"] = (np.nan_to_num(labels) + noise.normal(size=2 * patients)).astype(np.float32)
        columns[f"label:{name}"] = labels
    return pd.DataFrame(columns)


def record_of(cell: Cell, table: pd.DataFrame | None, *, data: str, **of_provenance: Any) -> Record:
    """Make the record of a cell; a method that is none of the two has the card of the other one under its name."""
    card = read_card(METHOD if cell.method == METHOD else OTHER).model_copy(update={"name": cell.method})
    fold = None if table is None else _fold(cell, table)
    return record(cell, table, SAME | {"data": data} | of_provenance, card=card, fold=fold)


def _fold(cell: Cell, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "images": {"train": 100, "val": 10, "test": len(table)},
        "units": {"train": 50, "val": 5, "test": table["cluster"].nunique()},
        "thresholds": {name: {"0.9": 0.5, "0.95": None} for name in cell.settings["classes"]},
        "strength": 1.0,
    }


def fill(store: Store, suite: Suite, method: str = METHOD, *, data: str = "phantom", seed: int = 1) -> list[Cell]:
    """Put a result of every cell of a suite into a store."""
    cells = plan(suite, [method])
    for cell in cells:
        table = cases(cell, seed)
        store.put(record_of(cell, table, data=data), table)
    return cells


def fill_from(
    store: Store,
    suite: Suite,
    samples: Samples,
    method: str = METHOD,
    *,
    seed: int = 1,
    left_out: int = 0,
    unreadable: int = 0,
) -> None:
    """Put a result of every cell on a real dataset into a store, on the test cases of its official split.

    Args:
        left_out: how many of the first test cases get no prediction.
        unreadable: how many images the records call unreadable.
    """
    folds = make_folds(samples, "official")
    test = folds[0].test[left_out:]
    for cell in plan(suite, [method]):
        classes = tuple(cell.settings["classes"])
        labels = samples.class_labels(classes)[test]
        scores = labels + np.random.default_rng([seed, cell.seed or 0]).normal(size=labels.shape)
        table = classification_table(samples, test, 0, scores, labels, classes)
        table["group:sex"] = "F"
        done = record_of(
            cell, table, data="real", split=split_digest(samples, folds), unit=samples.unit, unreadable=unreadable
        )
        store.put(done, table)


def contents(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forge(bundle: Path, edit: Edit, out: Path) -> Path:
    """Change a bundle and mend its hashes and its id, as someone would who knows how it is made."""
    files = contents(bundle)
    manifest = json.loads(files.pop("manifest.json"))
    edit(files, manifest)
    manifest["files"] = [entry.model_dump() for entry in listed(files)]
    draft = Manifest.model_validate(manifest)
    whole = draft.model_copy(update={"id": draft.digest()})
    out.write_bytes(pack({"manifest.json": whole.to_bytes(), **files}))
    return out


def first(files: dict[str, bytes], ending: str) -> str:
    return next(name for name in sorted(files) if name.endswith(ending))


def hide_result(index: int) -> Edit:
    """Call a finished cell, by its place among the sorted keys, not applicable, as someone would who dislikes it."""

    def edit(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = sorted(name for name in files if name.endswith("record.json"))[index]
        record = json.loads(files[name])
        record.update(state="not-applicable", scores=None, details={}, reason="no class can be scored")
        files[name] = (json.dumps(record, indent=1) + "\n").encode()
        del files[name.replace("record.json", "predictions.parquet")]

    return edit


def edit_record(change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = first(files, "record.json")
        record = json.loads(files[name])
        change(record)
        files[name] = (json.dumps(record, indent=1) + "\n").encode()

    return edit


def edit_table(change: Callable[[pd.DataFrame], pd.DataFrame], **options: Any) -> Edit:
    def edit(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = first(files, "predictions.parquet")
        buffer = io.BytesIO()
        change(pd.read_parquet(io.BytesIO(files[name]))).to_parquet(buffer, index=False, **options)
        files[name] = buffer.getvalue()

    return edit


def errors(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.check, finding.what) for finding in verdict.findings if finding.severity == "error"]


def bundle_of(suite: Suite, path: Path, method: str = METHOD, **how: Any) -> Path:
    store = Store(path / f"store-{method}")
    fill(store, suite, method, **how)
    write_bundle(make_bundle(suite, store, method), path / f"{method}.benchx.zip")
    return path / f"{method}.benchx.zip"
