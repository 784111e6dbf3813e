"""Segmentation through the command that users call, on simulated radiographs in official layouts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import benchx
from benchx.phantom.writers import write
from benchx.tasks.segmentation.scores import fault, score

METHOD = "random-efficientnet-lite0"
SUITE = """
name: tiny
version: 1
description: one dataset, one protocol
short_side: 96
cut_validation: true
fractions: [1.0]
seeds: [0]
datasets:
  {dataset}: {{split: {split}, tasks: {{segmentation: {{protocols: [segment], primary: {primary}}}}}}}
protocols:
  segment:
    kind: segment
    input: {{preprocessing: suite, size: 64, resize: letterbox, interpolation: bilinear, mean: 0.5, std: 0.25}}
    epochs: 1
    batch_size: 8
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0001
    patience: 3
    precision: fp32
    encoder: {encoder}
    decoder: {decoder}
    output: {output}
    loss: {loss}
    selection: {primary}
    tolerance: 2.0
    cache_gigabytes: {cache}
"""


def suite_of(folder: Path, dataset: str, **changes: str) -> str:
    fields = {
        "split": "official", "encoder": "frozen", "decoder": "{name: unet}", "output": "sigmoid", "loss": "dice-ce",
        "primary": "dice", "cache": "0",
    }  # fmt: skip
    path = folder / f"{dataset}.yaml"
    path.write_text(SUITE.format(dataset=dataset, **(fields | changes)))
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("montgomery", root / "montgomery", 30, 3, 96, lambda done, total: None)
    write("object-cxr", root / "object-cxr", 30, 3, 96, lambda done, total: None)
    return root


def run_one(suite: str, data: Path, store: Path) -> tuple[benchx.Store, object]:
    summary = benchx.run(suite, [METHOD], data_root=data, store=store, device="cpu")
    assert summary.counts == {"run": 1}
    found = benchx.Store(store)
    (record,) = found.records()
    return found, record


def test_lungs_of_every_test_image_are_drawn_and_scored(data, tmp_path):
    store, record = run_one(suite_of(tmp_path, "montgomery", cache="1"), data, tmp_path / "store")
    table = store.predictions(record.key)
    assert fault(table) is None
    assert record.state == "done"
    assert record.scores == score(table)
    assert record.scores["n"] == len(table)
    (fold,) = record.details["folds"]
    assert fold["images"]["test"] == len(table)
    assert sum(fold["images"].values()) == 30
    assert fold["maps"] == "cached"
    assert record.details["distance_unit"] == "pixels of the original image"
    assert record.provenance.images is not None
    assert np.isfinite(table.filter(like="hd95:")).all(axis=None)


def test_cached_maps_change_next_to_nothing(data, tmp_path):
    (first, cached), (second, computed) = (
        run_one(suite_of(tmp_path, "montgomery", cache=cache), data, tmp_path / cache) for cache in ("1", "0")
    )
    assert computed.details["folds"][0]["maps"] == "frozen"
    assert cached.details["folds"][0]["maps"] == "cached"
    one, other = first.predictions(cached.key), second.predictions(computed.key)
    assert one["sample"].tolist() == other["sample"].tolist()
    for name in one.filter(like="score:"):
        np.testing.assert_allclose(one[name], other[name], rtol=0.2, atol=0.2)


def test_benchx_settings_of_a_trained_encoder(data, tmp_path):
    suite = suite_of(
        tmp_path, "object-cxr", encoder="trained", output="softmax", loss="ce", primary="mdice",
        decoder="{name: upernet, width: 16, auxiliary: 0.4}",
    )  # fmt: skip
    store, record = run_one(suite, data, tmp_path / "store")
    assert set(record.scores["per_class"]) == {"Foreground"}
    assert record.details["folds"][0]["maps"] == "trained"
    assert 0 <= record.scores["mdice"] <= 1
    table = store.predictions(record.key)
    assert {"tp:Foreground", "hd95:Foreground", "score:Foreground"} <= set(table.columns)


def test_a_damaged_mask_is_an_error_of_three_lines(data, tmp_path):
    broken = tmp_path / "data"
    shutil.copytree(data / "montgomery", broken / "montgomery")
    for mask in broken.rglob("*ask*/**/*.png"):
        mask.write_bytes(b"no image")
    summary = benchx.run(
        suite_of(tmp_path, "montgomery"), [METHOD], data_root=broken, store=tmp_path / "store", device="cpu"
    )
    assert summary.counts == {"failed": 1}
    (record,) = benchx.Store(tmp_path / "store").records()
    assert "MCUCXR" in record.reason
