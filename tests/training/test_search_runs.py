"""A suite that declares a search, through `benchx run`: its trials are kept, and a kill changes nothing."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchx
from benchx.phantom.writers import write
from benchx.training import search

SUITE = """
extends: phantom
name: searched
short_side: 40
fractions: [1.0]
seeds: [0]
only: [nih]
datasets: {{nih: {{tasks: {{classification: {{classes: [Effusion, Cardiomegaly], protocols: [searched]}}}}}}}}
protocols:
  searched:
    kind: finetune
    input: {{preprocessing: card, size: 32}}
    augmentation: {{scale: [0.6, 1.0], ratio: [0.8, 1.25], horizontal_flip: 0.5}}
    epochs: 2
    batch_size: 32
    weight_decay: 0.0
    clip_norm: 1.0
    patience: 2
    precision: fp32
    {rates}
    search: {search}
"""
ANY = "lr: 1.0\n    head_lr: 1.0"
SPACE = "{space: {lr: [1.0e-6, 0.01], head_lr: [0.01, 0.1]}, halving: [0.5]}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("nih", root / "nih", 90, 3, 48, lambda done, total: None)
    return root


def run_suite(root: Path, data: Path, store: str, text: str) -> benchx.Store:
    path = root / f"{store}.yaml"
    path.write_text(text)
    summary = benchx.run(
        str(path),
        ["random-efficientnet-lite0"],
        data_root=data,
        store=root / store,
        device="cpu",
        protocols=["searched"],
    )
    assert summary.complete
    return benchx.Store(root / store)


@pytest.fixture(scope="module")
def searched(data: Path, tmp_path_factory: pytest.TempPathFactory) -> benchx.Store:
    return run_suite(tmp_path_factory.mktemp("run"), data, "whole", SUITE.format(rates=ANY, search=SPACE))


def timeless(store: benchx.Store, key: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in store.trials(key)]


def test_a_run_keeps_every_trial_beside_the_record(searched: benchx.Store) -> None:
    (record,) = searched.records()
    lines = (searched.cells / record.key / "trials.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["settings"] for row in rows] == [
        {"lr": lr, "head_lr": head_lr} for lr in (1e-6, 0.01) for head_lr in (0.01, 0.1)
    ]
    assert [(row["fold"], row["trial"]) for row in rows] == [(0, trial) for trial in range(4)]
    assert sorted((row["state"], row["epochs"]) for row in rows) == [("finished", 2)] * 2 + [("halved", 1)] * 2
    finished = [row for row in rows if row["state"] == "finished"]
    (fold,) = record.details["folds"]
    found = fold["search"]
    assert found["trials"] == 4
    assert found["chosen"] == rows[found["trial"]]["settings"]
    assert rows[found["trial"]]["score"] == max(row["score"] for row in finished)
    assert found["best_so_far"] == list(np.maximum.accumulate([row["score"] for row in rows]))
    assert max(row["score"] for row in fold["history"]) == rows[found["trial"]]["score"]
    assert not searched.work.exists() or not list(searched.work.iterdir())


def test_what_is_reported_is_the_chosen_training(searched: benchx.Store, data: Path, tmp_path: Path) -> None:
    (record,) = searched.records()
    chosen = record.details["folds"][0]["search"]["chosen"]
    rates = f"lr: {chosen['lr']}\n    head_lr: {chosen['head_lr']}"
    alone = run_suite(tmp_path, data, "alone", SUITE.format(rates=rates, search="null"))
    (single,) = alone.records()
    assert single.key != record.key
    assert alone.trials(single.key) == []
    assert single.scores == record.scores
    pd.testing.assert_frame_equal(alone.predictions(single.key), searched.predictions(record.key), check_exact=True)
    assert single.details["folds"][0]["history"] == record.details["folds"][0]["history"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 4, 6])
def test_a_run_that_is_killed_goes_on_with_its_search(
    searched: benchx.Store, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: int
) -> None:
    real, noted = search.write_whole, []

    def killed(path: Path, content: bytes) -> None:
        real(path, content)
        noted.append(path)
        if len(noted) == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(search, "write_whole", killed)
    text = SUITE.format(rates=ANY, search=SPACE)
    with pytest.raises(KeyboardInterrupt):
        run_suite(tmp_path, data, "killed", text)
    resumed = run_suite(tmp_path, data, "killed", text)
    assert len(noted) == 6  # four trials, of which two went on
    (record,), (whole,) = resumed.records(), searched.records()
    assert (record.key, record.scores) == (whole.key, whole.scores)
    assert timeless(resumed, record.key) == timeless(searched, whole.key)
    assert record.details == whole.details
    pd.testing.assert_frame_equal(resumed.predictions(record.key), searched.predictions(whole.key), check_exact=True)


@pytest.mark.slow
def test_killed_by_the_system_again_and_again_it_ends_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "searched.yaml"
    path.write_text(SUITE.format(rates=ANY, search=SPACE))

    def command(store: str) -> list[str]:
        arguments = ["run", "--suite", str(path), "--method", "random-efficientnet-lite0", "--protocol", "searched"]
        places = ["--data-root", str(data), "--store", str(tmp_path / store), "--device", "cpu"]
        return [sys.executable, "-m", "benchx", *arguments, *places]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, capture_output=True, env=environment)
    killed = 0
    for life in range(60):
        process = subprocess.Popen(
            command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            assert process.wait(timeout=4.0 + 1.0 * life) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            time.sleep(0.1)
    assert killed >= 1
    stores = [benchx.Store(tmp_path / name) for name in ("whole", "killed")]
    (one,), (two,) = (list(store.records()) for store in stores)
    assert (one.key, one.scores, one.details) == (two.key, two.scores, two.details)
    assert timeless(stores[0], one.key) == timeless(stores[1], two.key)
    assert math.isfinite(one.scores["macro_auroc"])
    pd.testing.assert_frame_equal(stores[0].predictions(one.key), stores[1].predictions(two.key), check_exact=True)
