"""A small question answering problem, made here: what is asked and what is seen decide the answer together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchx.datasets.questions import Asked, build_samples
from benchx.datasets.samples import Samples
from benchx.planning import Cell
from benchx.protocols import Answer
from benchx.tasks.vqa.cases import Cases, read_cases
from benchx.tasks.vqa.fitting import Setting
from benchx.tasks.vqa.sources import kept

PLACES = ("left", "right", "both")
"""The answer to where; that of image i is the i-th, cyclically."""


def protocol(**changes: object) -> Answer:
    fields = {
        "kind": "answer",
        "input": {"preprocessing": "card"},
        "epochs": 2,
        "batch_size": 8,
        "lr": 0.001,
        "head_lr": 0.01,
        "weight_decay": 0.0,
        "patience": 50,
        "precision": "fp32",
        "feature_batch": 8,
        "encoder": "frozen",
        "questions": "own",
        "head": "linear",
    }
    return Answer.model_validate(fields | changes)


def cell(**changes: object) -> Cell:
    fields = dict(suite="s", suite_version=1, method="m", dataset="d", task="vqa", protocol="a", split="official")
    settings = {
        "smallest_fraction": 0.1,
        "cut_validation": True,
        "short_side": 64,
        "uncertain": "unknown",
        "protocol": protocol().model_dump(mode="json"),
    }
    return Cell(**(fields | {"fraction": 1.0, "seed": 0, "primary": "accuracy", "settings": settings} | changes))


def asked(question: str, image: str, answer: object, official: str, **changes: object) -> Asked:
    fields = dict(question=question, sample=image, image=f"{image}.png", answer=answer, official=official)
    return Asked(**(fields | dict(text="where is it?", closed=False, kind="POS", where="here") | changes))


def questions(images: int, tested: int) -> Samples:
    """Of every image, where something is (which one must see) and whether there is something (always yes)."""
    rows = []
    for number in range(images):
        part = "test" if number >= images - tested else "train"
        image = f"i{number:03d}"
        rows.append(asked(f"q{number:03d}w", image, PLACES[number % 3], part))
        rows.append(asked(f"q{number:03d}y", image, "Yes", part, text="is there?", closed=True, kind="PRES"))
    there = {row.image for row in rows}
    return build_samples("d", Path("d"), rows, there)


def features(cases: Cases, *, seen: bool, seed: int = 0) -> np.ndarray:
    """Noisy features: which question it is, and if the image is seen, which place is on it."""
    rng = np.random.default_rng(seed)
    where = np.array([kind == "POS" for kind in cases.kinds])
    place = cases.images % 3
    shown = np.eye(3)[place] * (where[:, None] if seen else 0)
    whole = np.concatenate([where[:, None], shown, np.ones((len(where), 1))], axis=1)
    return (whole + 0.05 * rng.standard_normal(whole.shape) * [1, 1, 1, 1, 0]).astype(np.float32)


def setting(samples: Samples, options: Answer, *, seen: bool = True) -> tuple[Cases, Setting]:
    cases = read_cases(samples)
    made = features(cases, seen=seen)
    return cases, Setting(options, lambda draw: kept(made, draw.train, "cpu"), 0, "cpu")


def flags(rows: list[tuple[int, ...]], kinds: list[str | None] | None = None) -> pd.DataFrame:
    """A prediction table of rows of correct, closed, answerable, seen_image, majority, majority_by_kind."""
    names = ["correct", "closed", "answerable", "seen_image", "majority", "majority_by_kind"]
    table = pd.DataFrame(rows, columns=names).astype(np.int8)
    count = len(rows)
    table.insert(0, "sample", [f"q{row}" for row in range(count)])
    table.insert(1, "cluster", [f"i{row // 2}" for row in range(count)])
    table.insert(2, "fold", np.zeros(count, np.int8))
    return table if kinds is None else table.assign(**{"group:question": pd.Series(kinds, dtype="string")})
