"""The few-shot curve on real radiographs: more shots help, by the packaged ImageNet weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_shots import PROTOCOL

from benchx.planning import Cell
from benchx.results.store import Store
from benchx.tasks.few_shot.run import run
from benchx.tasks.few_shot.scores import fault
from benchx.workspace import Workspace

NIH = Path(__file__).resolve().parents[4] / "shared" / "data" / "nih-256"
CLASSES = ("Atelectasis", "Effusion", "Infiltration", "Nodule")


@pytest.mark.slow
@pytest.mark.skipif(not NIH.is_dir(), reason="no real radiographs here")
def test_the_curve_of_real_radiographs_rises_with_shots(tmp_path):
    protocol = PROTOCOL.model_copy(update={"draws": 100, "feature_batch": 32})
    settings = {"classes": list(CLASSES), "uncertain": "unknown", "short_side": 256}
    settings["protocol"] = protocol.model_dump(mode="json")
    method = "imagenet-efficientnet-lite0"
    cell = Cell("s", 1, method, "nih", "few_shot", "few-shot", "cv5", 1.0, None, "macro_auroc_at_16", settings)
    workspace = Workspace(Store(tmp_path), roots={"nih": NIH}, skip_unreadable=True)
    outcome = run(cell, workspace, tmp_path / "work")
    assert fault(outcome.predictions) is None
    curve = [outcome.scores[f"macro_auroc_at_{shots}"] for shots in protocol.shots]
    assert curve == sorted(curve)
    assert curve[0] < 0.6
    assert curve[-1] > curve[0] + 0.05
    assert all(fold["converged"] for fold in outcome.details["folds"])
