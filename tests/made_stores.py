"""Results stores with simulated predictions, for tests of what reads stores: no image, no training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.digests import digest_json, fraction_of_hash
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.planning import Cell, method_digest, plan
from benchx.results.record import Provenance, Record
from benchx.results.store import Store
from benchx.suites import Suite, read_suite
from benchx.tasks.classification.scores import score

CLASSIFICATION = str(Path(__file__).with_name("classification.yaml"))
"""A suite named phantom, of classification alone."""

WEIGHTS = digest_json("weights")
Edit = Callable[[Cell, pd.DataFrame], pd.DataFrame]


def made_store(
    path: Path,
    skills: Mapping[str, float],
    *,
    suite: Suite | None = None,
    patients: int = 60,
    images: int = 2,
    spread: float = 0.1,
    keep: Callable[[Cell], bool] = lambda cell: True,
    edit: Edit = lambda cell, table: table,
    provenance: Mapping[str, Any] | None = None,
) -> Store:
    """Fill a store with the results of a suite.

    Args:
        skills: by method (names of cards), how far positives lie above negatives, in standard deviations.
        suite: that of `CLASSIFICATION` unless given.
        patients, images: test patients of every dataset, and images of each.
        spread: standard deviation of a draw's skill.
        keep: which cells to write.
        edit: changes a cell's predictions before they are scored.
        provenance: fields to set otherwise.
    """
    suite = suite or read_suite(CLASSIFICATION)
    store = Store(path)
    for cell in plan(suite, list(skills)):
        if keep(cell):
            table = edit(cell, predictions(cell, skills[cell.method], patients, images, spread))
            store.put(record(cell, table, provenance or {}), table)
    return store


def predictions(cell: Cell, skill: float, patients: int, images: int, spread: float) -> pd.DataFrame:
    """Simulate a cell's predictions; labels and cases depend on the dataset alone, images of a patient are alike."""
    truth = np.random.default_rng(_seed("labels", cell.dataset))
    cases, classes = patients * images, cell.settings["classes"]
    labels = (truth.random((cases, len(classes))) < 0.3).astype(np.float32)
    labels[:2] = [[0], [1]]
    shared = np.repeat(truth.normal(size=(patients, len(classes))), images, axis=0)
    noise = np.random.default_rng(_seed(cell.method, cell.dataset, cell.fraction, cell.seed, cell.protocol))
    effect = skill + 0.5 * cell.fraction + (spread * noise.normal() if cell.seed is not None else 0)
    scores = shared + noise.normal(size=labels.shape) + effect * labels - 1
    columns: dict[str, Any] = {
        "sample": [f"{cell.dataset}-{number:05d}" for number in range(cases)],
        "cluster": [f"p{number // images:04d}" for number in range(cases)],
        "fold": np.zeros(cases, np.int8),
        "group:sex": pd.array(np.where(np.arange(cases) // images % 2, "female", "male"), dtype="string"),
    }
    for index, name in enumerate(classes):
        columns[f"score:{name}"] = scores[:, index].astype(np.float32)
        columns[f"label:{name}"] = labels[:, index]
    return pd.DataFrame(columns)


def record(
    cell: Cell,
    table: pd.DataFrame | None,
    provenance: Mapping[str, Any],
    *,
    card: Card | None = None,
    fold: Mapping[str, Any] | None = None,
) -> Record:
    """Make the record of a cell as `benchx.cell.execute` would, with keys that follow from its contents.

    Args:
        table: its predictions; None for a cell without a class that can be scored.
        provenance: fields to set otherwise.
        card: of another method than the cell's.
        fold: what the task would tell of the one fold, beside its number.
    """
    card = card or read_card(cell.method)
    images, split = digest_json([cell.dataset, "images"]), digest_json([cell.dataset, "split"])
    fields: dict[str, Any] = {
        "weights": WEIGHTS,
        "images": images,
        "split": split,
        "data": "phantom",
        "unit": "patient",
        "preprocessing": "card",
        "precision": "fp32",
        "benchx": "0.1.0",
        "packages": {},
        "python": "3.11",
        "platform": "test",
        "device": "cpu",
        "threads": 1,
        "created": "2026-01-01T00:00:00+00:00",
        "wall_seconds": 2.0,
        "peak_memory_bytes": 10**9,
    } | dict(provenance)
    strengths = cell.settings["protocol"].get("strengths", ())
    search = {"selection_curve": [0.6] * len(strengths), "trial_scores": [0.6] * len(strengths)} if strengths else {}
    told = {"fold": 0, "untrained_classes": [], "thresholds": {}} | (search if fold is None else dict(fold))
    return Record(
        key=cell.key(card=card.numerics(), weights=fields["weights"], dataset=fields["images"], split=fields["split"]),
        state="not-applicable" if table is None else "done",
        cell=asdict(cell),
        cell_digest=cell.digest,
        reason="no class can be scored" if table is None else None,
        scores=None if table is None else score(table),
        details={} if table is None else {"folds": [told]},
        card=card.model_dump(mode="json"),
        provenance=Provenance(**{"method": method_digest(cell.task, card.numerics(), fields["weights"])} | fields),
    )


def _seed(*parts: object) -> int:
    return int(fraction_of_hash(*parts) * 2**53)
