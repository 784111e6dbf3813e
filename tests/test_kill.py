"""A run that is killed continues to the same numbers, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import benchx
from benchx.phantom.writers import write

pytestmark = pytest.mark.slow

SUITE = """
extends: chestxray
name: killed
short_side: 80
fractions: [0.3, 1.0]
seeds: [0]
only: [nih]
datasets:
  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly]}, zero_shot: null}}
protocols:
  frozen: {input: {size: 64}, strengths: [0.01, 1.0]}
  finetune: {input: {size: 64}, epochs: 3, batch_size: 16, search: null}
"""


def command(root: Path, store: str) -> list[str]:
    arguments = ["run", "--suite", str(root / "killed.yaml"), "--method", "random-efficientnet-lite0"]
    places = ["--data-root", str(root / "data"), "--store", str(root / store), "--device", "cpu"]
    return [sys.executable, "-m", "benchx", *arguments, *places]


def outcome(store: Path) -> dict[str, tuple[object, object]]:
    found = benchx.Store(store)
    return {
        record.key: (record.scores, (found.cells / record.key / "predictions.parquet").read_bytes())
        for record in found.records()
    }


def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path):
    write("nih", tmp_path / "data" / "nih", 60, 0, 96, lambda done, total: None)
    (tmp_path / "killed.yaml").write_text(SUITE)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command(tmp_path, "whole"), check=True, capture_output=True, env=environment)
    killed = 0
    for life in range(60):
        process = subprocess.Popen(
            command(tmp_path, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            assert process.wait(timeout=3.0 + 0.6 * life) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            time.sleep(0.1)
    assert killed >= 1
    whole = outcome(tmp_path / "whole")
    assert len(whole) == 4
    assert outcome(tmp_path / "killed") == whole
