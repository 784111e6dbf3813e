"""Classification by image and report together, against the head on features made here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_fuser import cards

from benchx.cell import execute
from benchx.datasets import get_dataset
from benchx.images.geometry import prepare
from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.protocols import Frozen, Paired
from benchx.results.store import Store
from benchx.tasks.classification import problem as classification
from benchx.tasks.classification.frozen import frozen_fit
from benchx.tasks.classification.scores import score
from benchx.workspace import Workspace

RECIPE = {
    "input": {"preprocessing": "card"},
    "strengths": [0.01, 1.0],
    "min_validation_positives": 3,
    "inner_folds": 3,
    "feature_batch": 16,
    "precision": "fp32",
}
CLASSES = ("COVID-19", "Pneumonia")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("paired")
    write("covid-chestxray", root / "covid-chestxray", 48, 3, 40, lambda done, total: None)
    return root


@pytest.fixture
def workspace(data, tmp_path, monkeypatch) -> Workspace:
    return Workspace(Store(tmp_path / "store"), cards=cards(monkeypatch), data_root=data)


def silent(workspace: Workspace, every: int) -> Workspace:
    """The same with reports of every so many images only."""
    dataset = get_dataset("covid-chestxray")

    def read(root: Path):
        samples = dataset.read(root)
        kept = samples.table["sample"].tolist()[::every]
        return replace(samples, reports={name: samples.reports[name] for name in kept})

    return replace(workspace, datasets={"covid-chestxray": replace(dataset, read=read)})


def cell(method: str, split: str = "cv5", fraction: float = 1.0, kind: str = "paired", **changes) -> Cell:
    text = {"text": ["findings"]} if kind == "paired" else {}
    protocol = {"paired": Paired, "frozen": Frozen}[kind].model_validate(RECIPE | text | {"kind": kind} | changes)
    settings = {
        "protocol": protocol.model_dump(mode="json"),
        "classes": list(CLASSES),
        "uncertain": "unknown",
        "short_side": 40,
    }
    settings |= {"smallest_fraction": fraction, "cut_validation": True} if fraction < 1 else {}
    seed = 0 if fraction < 1 else None
    return Cell(
        "s", 1, method, "covid-chestxray", "classification", "paired", split, fraction, seed, "macro_auroc", settings
    )


def features(workspace: Workspace, method: str) -> np.ndarray:
    """Features of all images with their findings, pair by pair."""
    dataset = workspace.dataset(cell(method).reading)
    encoder, spec = workspace.load_encoder(method, 32, text=True), workspace.card(method).images
    rows = []
    with torch.inference_mode():
        for number, name in enumerate(dataset.samples.table["sample"]):
            seen = encoder.encode(prepare(dataset.pixels.images(np.array([number])), spec))
            read = encoder.encode_text([dataset.samples.reports[name].findings])
            joint = encoder.fusion is not None
            rows.append(encoder.fuse(seen, read) if joint else torch.cat([seen.pooled, read.embedding], dim=1))
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("method", ["fuser", "reader"])
def test_it_is_the_frozen_head_on_features_of_both(workspace, method) -> None:
    record = execute(cell(method), workspace)
    table = workspace.store.predictions(record.key)
    samples, folds = workspace.dataset(cell(method).reading).samples, workspace.folds(cell(method).reading).folds
    frozen = cell(method, kind="frozen")
    fit = frozen_fit(features(workspace, method), Frozen.model_validate(frozen.settings["protocol"]), "cpu")
    expected = classification.run(classification.pose(frozen, samples, folds), fit, lambda done, total: None)
    assert table["sample"].tolist() == expected.predictions["sample"].tolist()
    for name in CLASSES:
        np.testing.assert_allclose(table[f"score:{name}"], expected.predictions[f"score:{name}"], rtol=0, atol=1e-3)
    for found, wanted in zip(record.details["folds"], expected.details["folds"], strict=True):
        assert found["images"] == wanted["images"]
        assert found["strength"] == wanted["strength"]
    assert score(table) == record.scores
    joint = {"fuser": "fused by the method", "reader": "image and text side by side"}[method]
    assert record.details["pairs"]["joint"] == joint
    assert record.details["without_text"] == {"train": 0, "val": 0, "test": 0}


def test_reports_that_name_the_findings_are_worth_more_than_untrained_images(workspace) -> None:
    both = execute(cell("reader"), workspace).scores["macro_auroc"]
    assert both > execute(cell("reader", kind="frozen"), workspace).scores["macro_auroc"]


def test_images_without_a_text_are_left_out_of_every_part(workspace) -> None:
    here = silent(workspace, 2)
    whole = here.folds(cell("fuser").reading).folds
    record = execute(cell("fuser"), here)
    table = here.store.predictions(record.key)
    samples = here.dataset(cell("fuser").reading).samples
    assert set(table["sample"]) == set(samples.reports)
    left = record.details["without_text"]
    assert left["test"] == len(samples.table) - len(samples.reports)
    images = [fold["images"] for fold in record.details["folds"]]
    assert left["train"] + left["val"] + sum(one["train"] for one in images) == sum(
        len(fold.train) + len(fold.val) for fold in whole
    )
    drawn = execute(cell("fuser", fraction=0.5), here)
    assert drawn.details["folds"][0]["images"]["train"] < images[0]["train"]


def test_without_texts_or_a_tower_it_is_not_applicable(workspace) -> None:
    none = execute(cell("fuser", text=["impression"]), workspace)
    assert none.state == "not-applicable"
    assert "no image of 'covid-chestxray' for training has a text" in none.reason
    deaf = execute(cell("eyes"), workspace)
    assert deaf.state == "not-applicable"
    assert "'eyes' reads no text" in deaf.reason
