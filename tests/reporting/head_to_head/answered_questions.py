"""A store of answered questions, several to an image, for tests of what reads stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from made_stores import record

from benchx.planning import plan
from benchx.results.store import Store
from benchx.suites import Suite, read_suite
from benchx.tasks.scoring import SCORERS

SUITE = """
extends: chestxray
only: []
name: questions
seeds: [0, 1]
fractions: [1.0]
datasets:
  vqa-rad-chest:
    split: official
    tasks:
      vqa: {protocols: [answer], primary: accuracy}
protocols:
  answer:
    kind: answer
    input: {preprocessing: card}
    feature_batch: 8
    encoder: frozen
    questions: minilm
    head: linear
    epochs: 1
    batch_size: 8
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0
    patience: 1
    precision: auto
"""


def suite_of_questions(folder: Path, primary: str = "accuracy") -> Suite:
    """Return a suite of questions alone, written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "questions.yaml"
    path.write_text(SUITE.replace("primary: accuracy", f"primary: {primary}"))
    return read_suite(str(path))


def store_of_questions(
    folder: Path, suite: Suite, skills: dict[str, float], *, images: int, questions: int, open_images: int | None = None
) -> Store:
    """Fill a store.

    Args:
        skills: by method, the share of right answers.
        images, questions: of the test set, and of each image.
        open_images: how many of the images have an open question; every second question is open without it.
    """
    store = Store(folder)
    for cell in plan(suite, list(skills)):
        rng = np.random.default_rng([sum(map(ord, cell.method)), cell.seed or 0])
        size = images * questions
        image = np.arange(size) // questions
        closed = np.arange(size) % 2 if open_images is None else image >= open_images
        ones = np.ones(size, np.int8)
        table = pd.DataFrame(
            {
                "sample": [f"q{number:04d}" for number in range(size)],
                "cluster": [f"i{number:03d}" for number in image],
                "fold": 0 * ones,
                "correct": (rng.random(size) < skills[cell.method]).astype(np.int8),
                "closed": closed.astype(np.int8),
                "answerable": ones,
                "seen_image": 0 * ones,
                "majority": 0 * ones,
                "majority_by_kind": 0 * ones,
            }
        )
        made = record(cell, None, {"unit": "image"})
        done = {"state": "done", "reason": None, "scores": SCORERS["vqa"](table)}
        fold = {"fold": 0, "untrained_classes": []}
        store.put(made.model_copy(update=done | {"details": {"folds": [fold]}}), table)
    return store
