"""Made-up results of every task on simulated or "real" data, right in all that a bundle is checked for."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from made_results import METHOD, Edit, record_of

from benchx.annotators.chexbert import OBSERVATIONS
from benchx.datasets.samples import Samples
from benchx.datasets.splits import make_folds, split_digest
from benchx.digests import digest_json, digest_lines
from benchx.methods.cards.reading import read_card
from benchx.metrics.placements import mean_placements
from benchx.metrics.reports.bleu import BLEU_COLUMNS
from benchx.metrics.reports.meteor import METEOR_COLUMNS, meteor_of_sums
from benchx.planning import Cell, method_digest, plan
from benchx.results.record import Record
from benchx.results.store import Store
from benchx.suites import Suite
from benchx.tasks.scoring import SCORERS
from benchx.tasks.vqa.scores import FLAGS

NEW = ("segmentation", "zero_shot", "few_shot", "retrieval", "report_generation")

TASKS = """
extends: chestxray
only: [rsna, mimic-cxr]
name: tasks
fractions: [1.0]
seeds: [0]
datasets:
  rsna:
    split: official
    tasks:
      classification: null
      segmentation: {protocols: [segment], primary: dice}
      zero_shot: {protocols: [zero-shot], primary: macro_auroc}
      few_shot: {protocols: [few-shot], primary: macro_auroc_at_16}
  mimic-cxr:
    split: official
    tasks:
      retrieval: {protocols: [retrieve], primary: i2t_recall_at_10}
      report_generation: {protocols: [generate], primary: bleu_4}
protocols:
  few-shot:
    kind: few-shot
    input: {preprocessing: card}
    feature_batch: 32
    precision: fp32
    shots: [1, 16]
    draws: 5
    strength: 0.1
"""
PIXELS = 1000
Cases = pd.DataFrame
"""`sample`, `cluster` and `fold` of the test cases; of tasks with classes also `there`."""


def some_cases(task: str) -> Cases:
    """Test cases: two images or studies per patient, and for retrieval a report of each patient's two images."""
    rng = np.random.default_rng(5)
    samples, clusters = [f"i{n:03d}" for n in range(40)], [f"p{n // 2:02d}" for n in range(40)]
    if task == "retrieval":
        samples, clusters = samples + [f"text:s{n:02d}" for n in range(20)], clusters + clusters[::2]
    there = (rng.random(len(samples)) < 0.5).astype(np.float32)
    return pd.DataFrame({"sample": samples, "cluster": clusters, "fold": np.int8(0), "there": there})


def table_of(cell: Cell, cases: Cases) -> pd.DataFrame:
    """Make up the predictions of some cases."""
    rng = np.random.default_rng([len(cases), len(cell.task)])
    case = cases[["sample", "cluster", "fold"]].reset_index(drop=True).astype({"fold": np.int8})
    columns = {
        "classification": _logits,
        "segmentation": _masks,
        "zero_shot": _prompts,
        "few_shot": _placements,
        "retrieval": _ranks,
        "report_generation": _words,
        "vqa": _flags,
    }[cell.task](rng, cell, cases)
    return pd.concat([case, pd.DataFrame(columns)], axis=1).assign(**{"group:sex": "female"})


def _masks(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    there = cases["there"].to_numpy() == 1
    for name in cell.settings["classes"]:
        truth = np.where(there, rng.integers(50, 200, len(cases)), 0)
        hit = (truth * rng.random(len(cases))).astype(np.int64)
        false = rng.integers(0, 100, len(cases))
        counts = {"tp": hit, "fp": false, "fn": truth - hit, "tn": PIXELS - truth - false}
        counts |= {f"lesion_{kind}": rng.integers(0, 3, len(cases)) for kind in ("tp", "fp", "fn")}
        columns |= {f"{kind}:{name}": values.astype(np.int64) for kind, values in counts.items()}
        columns |= {
            f"hd95:{name}": (20 * rng.random(len(cases))).astype(np.float32),
            f"nsd:{name}": rng.random(len(cases)).astype(np.float32),
            f"score:{name}": (there + rng.normal(size=len(cases))).astype(np.float32),
            f"label:{name}": there.astype(np.float32),
        }
    return columns


def _logits(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    known = ("score:", "label:")
    return {name: values for name, values in _prompts(rng, cell, cases).items() if name.startswith(known)}


def _prompts(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    labels = cases["there"].to_numpy(np.float32)
    for name in cell.settings["classes"]:
        scores = (labels + rng.normal(size=len(cases))).astype(np.float32)
        outlined = np.where(labels == 1, rng.random(len(cases)), np.nan).astype(np.float32)
        columns |= {
            f"score:{name}": scores,
            f"label:{name}": labels,
            f"call:{name}": (scores > THRESHOLD).astype(np.float32),
            f"pointing:{name}": (outlined > 0.5).astype(np.float32) + 0 * outlined,
            f"heat_iou:{name}": outlined / 2,
            f"heat_iou_chosen:{name}": outlined,
            f"heat_cnr:{name}": outlined - 2,
        }
    return columns


THRESHOLD = 0.25


def _placements(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    labels = cases["there"].to_numpy(np.float32)
    for name in cell.settings["classes"]:
        columns[f"label:{name}"] = labels
        for shots in cell.settings["protocol"]["shots"]:
            found = mean_placements(labels + rng.normal(size=(5, len(cases))), labels)
            columns[f"placement:{shots}:{name}"] = found.placements.astype(np.float32)
    return columns


def _ranks(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, Any]:
    reports = cases["sample"].str.startswith("text:").to_numpy()
    samples = cases["sample"].to_numpy()
    columns: dict[str, Any] = {}
    for way, mine in (("i2t", ~reports), ("t2i", reports)):
        rank = np.where(mine, rng.integers(1, 1 + (reports == (way == "i2t")).sum(), len(cases)), np.nan)
        values = {"rank": rank, "reciprocal_rank": 1 / rank, "ndcg": 1 / np.log2(1 + rank)}
        values |= {f"recall_at_{k}": np.where(mine, rank <= k, np.nan) for k in (1, 5, 10)}
        for k in (1, 5, 10):
            share = np.where(mine, rng.integers(0, k + 1, len(cases)) / k, np.nan)
            values |= {f"class_precision_at_{k}": share, f"class_hit_at_{k}": np.where(mine, share > 0, np.nan)}
        columns |= {f"{way}_{name}": value.astype(np.float32) for name, value in values.items()}
    others = {True: samples[~reports], False: samples[reports]}
    columns["top"] = ["|".join(rng.permutation(others[bool(report)])[:10]) for report in reports]
    return columns


def _words(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    n = len(cases)
    total = 20 - np.arange(4) + 0 * rng.integers(0, 1, (n, 4))
    match = (total * rng.random((n, 4))).astype(np.int64)
    counts = np.concatenate([match, total, np.full((n, 1), 20), rng.integers(10, 30, (n, 1))], axis=1)
    meteor = rng.integers(1, 20, (n, len(METEOR_COLUMNS)))
    columns: dict[str, np.ndarray] = dict(zip(BLEU_COLUMNS, counts.T.astype(np.int64), strict=True))
    columns |= dict(zip(METEOR_COLUMNS, meteor.T.astype(np.int64), strict=True))
    columns["meteor"] = np.minimum(meteor_of_sums(meteor), 1).astype(np.float32)
    for name in ("rouge_l", "cider", "radgraph_simple", "radgraph_partial", "radgraph_complete"):
        columns[name] = rng.random(n).astype(np.float32)
    for side in ("hypothesis", "reference"):
        columns |= {f"chexbert_{side}:{name}": rng.integers(0, 4, n).astype(np.int8) for name in OBSERVATIONS}
    return columns


def _flags(rng: np.random.Generator, cell: Cell, cases: Cases) -> dict[str, np.ndarray]:
    columns = {name: rng.integers(0, 2, len(cases)).astype(np.int8) for name in FLAGS}
    columns["correct"] &= columns["answerable"]
    return columns


def trials_of(cell: Cell) -> list[dict[str, Any]]:
    """Make up the trials of a cell's one fold; the last but one is the best of those that finished."""
    search = cell.settings["protocol"].get("search")
    if search is None:
        return []
    grid = list(itertools.product(*search["space"].values()))
    return [
        {
            "fold": 0,
            "trial": number,
            "settings": dict(zip(search["space"], values, strict=True)),
            "epochs": 4 if number % 2 else 40,
            "score": 0.9 if number == 1 else 0.5 + 0.01 * number,
            "seconds": 1.5,
            "state": "halved" if number % 2 else "finished",
        }
        for number, values in enumerate(grid)
    ]


def details_of(cell: Cell, table: pd.DataFrame) -> dict[str, Any]:
    cases = table[~table["sample"].str.startswith("text:")]
    parts = {"train": 0, "val": 0, "test": len(cases)}
    fold: dict[str, Any] = {
        "fold": 0,
        "images": parts,
        "units": parts | {"test": cases["cluster"].nunique()},
        "untrained_classes": [],
    }
    if cell.task == "report_generation":
        fold |= {"studies": parts, "images": parts | {"test": 2 * len(cases)}}
    if cell.task == "vqa":
        fold["questions"] = parts
    if cell.task == "zero_shot":
        fold["f1_thresholds"] = dict.fromkeys(cell.settings["classes"], THRESHOLD)
    if trials := trials_of(cell):
        best = max((one for one in trials if one["state"] == "finished"), key=lambda one: one["score"])
        fold["search"] = {
            "chosen": best["settings"],
            "trial": best["trial"],
            "trials": len(trials),
            "best_so_far": [max(one["score"] for one in trials[: number + 1]) for number in range(len(trials))],
        }
    return {"folds": [fold]}


def done(cell: Cell, table: pd.DataFrame, **provenance: Any) -> Record:
    record = record_of(cell, None, **provenance)
    changes: dict[str, Any] = {"state": "done", "reason": None, "scores": SCORERS[cell.task](table)}
    changes["details"] = details_of(cell, table)
    if cell.task in ("retrieval", "zero_shot"):
        known, card = record.provenance, read_card(METHOD)
        # Weights as `Workspace.weights_digest` has them where text is read.
        weights = digest_lines([known.weights, digest_json(card.text_numerics())])
        read = {"card": card.numerics(), "weights": weights}
        changes["key"] = cell.key(**read, dataset=known.images, split=known.split)
        changes["provenance"] = known.model_copy(update={"method": method_digest(cell.task, **read)})
    return record.model_copy(update=changes)


def put(store: Store, cell: Cell, cases: Cases, **provenance: Any) -> None:
    table = table_of(cell, cases)
    private = {}
    if cell.task == "report_generation":
        private["reports"] = cases[["sample"]].assign(generated="Lungs clear.", reference="Heart enlarged.")
    store.put(done(cell, table, **provenance), table, private=private, trials=trials_of(cell))


def fill_tasks(store: Store, suite: Suite, *, data: str = "phantom") -> Sequence[Cell]:
    cells = plan(suite, [METHOD])
    for cell in cells:
        put(store, cell, some_cases(cell.task), data=data, images=images_of(cell))
    return cells


def images_of(cell: Cell) -> str:
    """A digest of the data, which differs where outlines or reports are read."""
    return {"segmentation": "3", "retrieval": "4", "report_generation": "4", "vqa": "4"}.get(cell.task, "1") * 64


def real_cases(cell: Cell, samples: Samples) -> Cases:
    """The test cases of a cell on files of a dataset, told by hand."""
    table, test = samples.table, make_folds(samples, "official")[0].test
    rows = table.iloc[test].assign(cluster=samples.clusters[test], fold=0)
    if cell.task in ("segmentation", "zero_shot", "few_shot"):
        rows = rows.assign(there=samples.labels[test, 0])
        return rows[[name in samples.regions for name in rows["sample"]]] if cell.task == "segmentation" else rows
    sections = cell.settings["protocol"]["text"]
    texts = [" ".join(getattr(samples.reports[name], one) or "" for one in sections) for name in rows["sample"]]
    rows = rows[[bool(text.strip()) for text in texts]]
    studies = rows.drop_duplicates("study").assign(sample=lambda some: some["study"])
    if cell.task == "report_generation":
        return studies
    return pd.concat([rows, studies.assign(sample="text:" + studies["study"].astype(str))], ignore_index=True)


def fill_real(store: Store, suite: Suite, samples: dict[str, Samples]) -> None:
    for cell in plan(suite, [METHOD]):
        own = samples[cell.dataset]
        split = split_digest(own, make_folds(own, "official"))
        put(store, cell, real_cases(cell, own), data="real", images=images_of(cell), split=split, unit=own.unit)


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def file_of(files: dict[str, bytes], task: str, name: str) -> str:
    """Return the name of a file of a task's only cell."""
    return next(
        record.replace("record.json", name)
        for record in files
        if record.endswith("record.json") and json.loads(files[record])["cell"]["task"] == task
    )


def editing(task: str, *, table: Any = None, record: Any = None, trials: Any = None) -> Edit:
    """Return an edit of a forger who changes the table, the record or the trials of a task's cell."""

    def edit(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        if table is not None:
            name = file_of(files, task, "predictions.parquet")
            buffer = io.BytesIO()
            table(pd.read_parquet(io.BytesIO(files[name]))).to_parquet(buffer, index=False)
            files[name] = buffer.getvalue()
        if record is not None:
            name = file_of(files, task, "record.json")
            value = json.loads(files[name])
            record(value)
            files[name] = (json.dumps(value, indent=1) + "\n").encode()
        if trials is not None:
            name = file_of(files, task, "trials.jsonl")
            rows = trials(lines(files[name]))
            files[name] = "".join(json.dumps(row) + "\n" for row in rows).encode()

    return edit
