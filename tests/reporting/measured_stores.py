"""Stores of every task with simulated predictions: how good a method is decides how near they are to the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from made_stores import record

from benchx.digests import fraction_of_hash
from benchx.metrics.placements import mean_placements
from benchx.metrics.reports.bleu import BLEU_COLUMNS
from benchx.planning import Cell, plan
from benchx.results.store import Store
from benchx.suites import Suite, read_suite
from benchx.tasks.scoring import SCORERS

PATIENTS = 40
SKILLS = {"mrm": 0.8, "gloria": 0.5}
SUITE = """
extends: chestxray
only: [rsna, siim, mimic-cxr]
name: tasks
seeds: [0, 1]
fractions: [1.0]
datasets:
  rsna:
    split: official
    tasks:
      classification: {protocols: [frozen], primary: f1}
      segmentation: {protocols: [segment], primary: dice}
      zero_shot: {protocols: [zero-shot], primary: macro_auroc}
      few_shot: {protocols: [few-shot], primary: macro_auroc_at_16}
  siim:
    split: official
    tasks:
      classification: {protocols: [frozen], primary: macro_auroc}
      segmentation: null
      zero_shot: null
  mimic-cxr:
    split: official
    tasks:
      classification: null
      zero_shot: null
      retrieval: {protocols: [retrieve], primary: i2t_recall_at_10}
      report_generation: {protocols: [generate], primary: bleu_4, fractions: [1.0]}
  vqa-rad:
    split: official
    tasks:
      vqa: {protocols: [answer], primary: accuracy}
protocols:
  generate: {references: cleaned}
  few-shot:
    kind: few-shot
    input: {preprocessing: card}
    feature_batch: 32
    precision: fp32
    shots: [1, 2, 4, 8, 16]
    draws: 100
    strength: 0.1
  answer:
    kind: answer
    input: {preprocessing: card}
    feature_batch: 32
    precision: fp32
    encoder: frozen
    questions: own
    head: mlp
    epochs: 10
    batch_size: 32
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0
    patience: 3
"""

Edit = Callable[[Cell, pd.DataFrame], pd.DataFrame]
Details = Callable[[Cell], dict[str, Any]]


def suite_of(folder: Path, text: str = SUITE) -> Suite:
    """Return the suite of all tasks, written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tasks.yaml"
    path.write_text(text)
    return read_suite(str(path))


def measured_store(
    folder: Path,
    suite: Suite,
    *,
    skills: dict[str, float] = SKILLS,
    edit: Edit = lambda cell, table: table,
    details: Details = lambda cell: {},
    keep: Callable[[Cell], bool] = lambda cell: True,
    data: str = "phantom",
) -> Store:
    """Fill a store with results of every task of a suite.

    Args:
        details: of a cell's record, beside its fold; under `fold` what its fold holds beside the number.
    """
    store = Store(folder)
    for cell in filter(keep, plan(suite, list(skills))):
        table = edit(cell, table_of(cell, skills[cell.method]))
        told = details(cell)
        fold = {"fold": 0, "untrained_classes": [], "thresholds": {}} | told.pop("fold", {})
        done = {"state": "done", "reason": None, "scores": SCORERS[cell.task](table)}
        empty = record(cell, None, {"data": data})
        store.put(empty.model_copy(update=done | {"details": told | {"folds": [fold]}}), table)
    return store


def table_of(cell: Cell, skill: float) -> pd.DataFrame:
    """Make a prediction table: two cases a patient, truth from the dataset alone."""
    truth = np.random.default_rng(_seed("truth", cell.dataset, cell.task))
    noise = np.random.default_rng(_seed(cell.method, cell.dataset, cell.task, cell.seed))
    clusters = [f"p{number // 2:03d}" for number in range(2 * PATIENTS)]
    samples = [f"{cell.dataset}-{number:03d}" for number in range(2 * PATIENTS)]
    if cell.task == "retrieval":
        clusters, samples = clusters + clusters[::2], samples + [f"text:s{number:03d}" for number in range(PATIENTS)]
    made = {
        "classification": _classes,
        "zero_shot": _classes,
        "few_shot": _placements,
        "vqa": _answers,
        "segmentation": _masks,
        "retrieval": _ranks,
        "report_generation": _words,
    }[cell.task](cell, skill, truth, noise, len(samples))
    sex = np.where(np.arange(len(samples)) // 2 % 2, "female", "male")
    known = {"sample": samples, "cluster": clusters, "fold": np.zeros(len(samples), np.int8)}
    return pd.DataFrame(known | made | {"group:sex": pd.array(sex, dtype="string")})


def _classes(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name in cell.settings["classes"]:
        labels = (truth.random(cases) < 0.3).astype(np.float32)
        labels[:2] = [0, 1]
        scores = noise.normal(size=cases) + 4 * skill * labels - 2
        columns |= {f"score:{name}": scores.astype(np.float32), f"label:{name}": labels}
        if cell.task == "zero_shot":
            columns[f"call:{name}"] = (scores > 0).astype(np.float32)
    return columns


def _placements(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name in cell.settings["classes"]:
        labels = (truth.random(cases) < 0.3).astype(np.float32)
        labels[:2] = [0, 1]
        columns[f"label:{name}"] = labels
        shared = noise.normal(size=cases)
        for shots in cell.settings["protocol"]["shots"]:
            scores = shared + noise.normal(size=(5, cases)) + 4 * skill * (0.5 + shots / 32) * labels
            columns[f"placement:{shots}:{name}"] = mean_placements(scores, labels).placements.astype(np.float32)
    return columns


def _answers(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    flags = {
        "closed": truth.random(cases) < 0.5,
        "answerable": truth.random(cases) < 0.9,
        "seen_image": truth.random(cases) < 0.4,
        "majority": truth.random(cases) < 0.2,
        "majority_by_kind": truth.random(cases) < 0.3,
    }
    right = {"correct": flags["answerable"] & (noise.random(cases) < skill)}
    return {name: flag.astype(np.int8) for name, flag in (right | flags).items()}


def _masks(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name in cell.settings["classes"]:
        there = truth.random(cases) < 0.7
        pixels = np.where(there, truth.integers(20, 400, cases), 0)
        share = np.clip(skill + 0.2 * noise.normal(size=cases), 0, 1)
        tp = np.round(pixels * share).astype(np.int64)
        fp = np.where(noise.random(cases) < 0.5, np.round(100 * (1 - share)), 0).astype(np.int64)
        columns |= {
            f"tp:{name}": tp, f"fp:{name}": fp, f"fn:{name}": pixels - tp, f"tn:{name}": 1000 - pixels - fp,
            f"hd95:{name}": (30 * (1 - share)).astype(np.float32), f"nsd:{name}": share.astype(np.float32),
            f"lesion_tp:{name}": (tp > 50).astype(np.int64), f"lesion_fp:{name}": (fp > 50).astype(np.int64),
            f"lesion_fn:{name}": (there & (tp <= 50)).astype(np.int64),
            f"score:{name}": (noise.normal(size=cases) + 3 * skill * there).astype(np.float32),
            f"label:{name}": (pixels > 0).astype(np.float32),
        }  # fmt: skip
    return columns


def _ranks(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    rank = 1 + np.floor(60 * (1 - skill) * noise.random(cases))
    reports = np.arange(cases) >= 2 * PATIENTS
    columns = {}
    for way, mine in (("i2t", ~reports), ("t2i", reports)):
        values = {
            "rank": rank,
            "reciprocal_rank": 1 / rank,
            "ndcg": 1 / np.log2(1 + rank),
            **{f"recall_at_{depth}": (rank <= depth).astype(float) for depth in (1, 5, 10)},
        }
        columns |= {f"{way}_{name}": np.where(mine, one, np.nan).astype(np.float32) for name, one in values.items()}
    return columns


def _words(cell: Cell, skill: float, truth, noise, cases: int) -> dict[str, np.ndarray]:
    length = truth.integers(10, 40, cases)
    columns = {"hypothesis_length": length + noise.integers(-3, 4, cases), "reference_length": length}
    for order in (1, 2, 3, 4):
        total = columns["hypothesis_length"] - order + 1
        columns[f"bleu_total_{order}"] = total
        columns[f"bleu_match_{order}"] = noise.binomial(total, skill**order)
    return {name: columns[name].astype(np.int64) for name in BLEU_COLUMNS} | {
        "rouge_l": np.clip(skill + 0.1 * noise.normal(size=cases), 0, 1).astype(np.float32)
    }


def _seed(*parts: object) -> int:
    return int(fraction_of_hash(*parts) * 2**53)
