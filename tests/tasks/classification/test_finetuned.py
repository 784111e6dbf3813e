"""What the fine-tuning protocol hands on beside the test cases: validation predicted by the chosen model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchx.datasets.samples import COLUMNS, Samples
from benchx.images.spec import InputSpec
from benchx.planning import Cell
from benchx.protocols import Finetune
from benchx.tasks.classification import problem as classification
from benchx.tasks.classification.finetuned import finetuned_fit
from benchx.tasks.classification.problem import Draw, Problem

PROTOCOL = Finetune.model_validate(
    {
        "kind": "finetune",
        "input": {"preprocessing": "card", "size": 32},
        "augmentation": {"scale": [0.6, 1.0], "ratio": [0.8, 1.25], "horizontal_flip": 0.5},
        "epochs": 3,
        "batch_size": 8,
        "lr": 0.01,
        "head_lr": 0.03,
        "weight_decay": 0.0,
        "warmup_fraction": 0.0,
        "clip_norm": 1.0,
        "patience": 3,
        "precision": "fp32",
    }
)
CLASSES = ("Mass", "Edema")


class Tiny(nn.Module):
    dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 3, 5, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.linspace(-0.5, 0.5, 75).reshape(3, 1, 5, 5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images).relu().mean((2, 3))


class Pixels:
    """Grey images whose brightness carries the first label."""

    def __init__(self, labels: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 120, (len(labels), 32, 32))
        self.pixels = (noise + 100 * labels[:, 0, None, None]).astype(np.uint8)

    def images(self, rows: np.ndarray) -> list[np.ndarray]:
        return list(self.pixels[rows])


def make() -> tuple[Problem, Pixels]:
    rng = np.random.default_rng(1)
    labels = (rng.random((80, 2)) < 0.3).astype(np.float32)
    table = pd.DataFrame({"sample": [f"i{row}" for row in range(80)], "patient": [f"p{row}" for row in range(80)]})
    table = table.assign(image="", official="", sex="F", age=30.5).reindex(columns=COLUMNS)
    samples = Samples("nih", Path(), table, labels, CLASSES)
    cell = Cell("s", 1, "m", "nih", "classification", "finetune", "official", 1.0, 0, "macro_auroc", {})
    draw = Draw(0, np.arange(40), np.arange(40, 65), np.arange(65, 80))
    return Problem(cell, samples, labels, CLASSES, (draw,)), Pixels(labels)


def fit_of(pixels: Pixels, work: Path):
    spec = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)
    report = lambda fold: lambda done, total: None  # noqa: E731
    return finetuned_fit(Tiny, pixels, spec, PROTOCOL, device="cpu", work=work, advance=report)


def test_validation_is_predicted_by_the_model_that_predicts_the_test_cases(tmp_path):
    problem, pixels = make()
    (draw,) = problem.draws
    fitted = fit_of(pixels, tmp_path / "a")(problem, draw)
    assert fitted.held.rows.tolist() == draw.val.tolist()
    swapped = fit_of(pixels, tmp_path / "b")(problem, replace(draw, test=draw.val))
    np.testing.assert_array_equal(fitted.held.logits, swapped.test)
    assert np.ptp(fitted.held.logits[:, 0]) > 0


def test_the_record_gets_thresholds_from_validation_and_the_table_subgroups(tmp_path):
    problem, pixels = make()
    (draw,) = problem.draws
    outcome = classification.run(problem, fit_of(pixels, tmp_path), lambda done, total: None)
    held = fit_of(pixels, tmp_path / "again")(problem, draw).held
    (fold,) = outcome.details["folds"]
    assert list(fold["thresholds"]) == list(CLASSES)
    for index, name in enumerate(CLASSES):
        negatives = np.sort(held.logits[problem.labels[draw.val, index] == 0, index])
        place = int(np.ceil(0.9 * len(negatives) - 1e-9)) - 1
        assert fold["thresholds"][name]["0.9"] == negatives[place]
    assert set(outcome.predictions["group:sex"]) == {"female"}
    assert set(outcome.predictions["group:age"]) == {"18-39"}
    assert "group:view" not in outcome.predictions


def test_without_validation_nothing_is_held_out(tmp_path):
    problem, pixels = make()
    draw = replace(problem.draws[0], val=np.zeros(0, int))
    outcome = classification.run(replace(problem, draws=(draw,)), fit_of(pixels, tmp_path), lambda done, total: None)
    assert outcome.details["folds"][0]["thresholds"] == {}
