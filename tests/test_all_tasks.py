"""The demo's suite: every task by one command, from simulated files to a board, and the numbers in their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchx.results.store import Store
from benchx.tasks.kinds import KINDS

pytestmark = pytest.mark.slow

PATIENTS = {"nih": 200, "rsna": 200, "object-cxr": 120, "shenzhen": 80, "iu-xray": 80, "vqa-rad": 200}
PRETRAINED, RANDOM = "imagenet-efficientnet-lite0", "random-efficientnet-lite0"


def test_every_task_runs_by_one_command_and_pretraining_helps(benchx, tmp_path):
    for number, (name, patients) in enumerate(PATIENTS.items()):
        benchx(
            "data", "phantom", name, "--out", f"data/{name}", "--patients", patients, "--seed", number, "--size", 160
        )
    run = ("run", "--suite", "phantom", "--data-root", "data", "--store", "store", "--seed", 0, "--fraction", 1)
    code, out, _ = benchx(*run, "--json")
    assert code == 0
    cells = json.loads(out)["cells"]
    assert {cell["state"] for cell in cells} == {"run"}
    assert {cell["task"] for cell in cells} == set(KINDS)
    scores = {(cell["method"], cell["dataset"], cell["task"], cell["fraction"]): cell["score"] for cell in cells}
    assert all(0 <= score <= 1 for score in scores.values())
    pretrained, random = (
        scores[method, "nih", "classification", 1.0] + scores[method, "rsna", "classification", 1.0]
        for method in (PRETRAINED, RANDOM)
    )
    assert pretrained >= random
    assert scores[PRETRAINED, "vqa-rad", "vqa", 1.0] > 0.4
    assert scores[PRETRAINED, "shenzhen", "segmentation", 1.0] > 0.8
    store = Store(Path("store"))
    searched = [one for one in store.records() if one.cell["protocol"] == "finetune"]
    assert all(len(store.trials(one.key)) == 2 for one in searched)
    code, _, _ = benchx("leaderboard", "--suite", "phantom", "--store", "store", "--out", "board")
    assert code == 0
    board = json.loads(Path("board/board.json").read_text())
    assert {column["task"] for column in board["columns"]} == set(KINDS)
    for method in (PRETRAINED, "random-clip-resnet50"):
        code, _, err = benchx(
            "bundle", "--suite", "phantom", "--method", method, "--store", "store", "--out", f"{method}.zip"
        )
        assert code == 0, err
