"""Report generation through the command that users call, on simulated radiographs in R2Gen's layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchx
from benchx.phantom.writers import write
from benchx.tasks.report_generation.scores import fault, score

METHOD = "random-efficientnet-lite0"
SUITE = """
name: tiny
version: 1
description: reports of a few phantoms
short_side: 96
fractions: [1.0]
cut_validation: true
seeds: [0]
datasets:
  iu-xray: {split: official, tasks: {report_generation: {protocols: [generate], primary: bleu_4}}}
protocols:
  generate:
    kind: generate
    input: {preprocessing: suite, size: 64, resize: stretch, interpolation: bilinear, mean: 0.5, std: 0.25}
    views: 2
    text: [findings]
    cleaning: iu-xray
    vocabulary_threshold: 1
    max_length: 40
    beam: 2
    weight_decay: 0.0
    lr: 0.0001
    patience: 50
    precision: fp32
"""
OPTIONS = {"encoder": "frozen", "decoder": "transformer", "epochs": "1", "batch_size": "8", "head_lr": "0.0005"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("iu-xray", root / "iu-xray", 30, 3, 96, lambda done, total: None)
    return root


def run_one(folder: Path, data: Path, method: str = METHOD, **options: str) -> tuple[benchx.Store, object]:
    suite = folder / "tiny.yaml"
    lines = "".join(f"    {name}: {value}\n" for name, value in (OPTIONS | options).items())
    suite.write_text(SUITE + lines)
    summary = benchx.run(str(suite), [method], data_root=data, store=folder / "store", device="cpu")
    store = benchx.Store(folder / "store")
    (record,) = store.records()
    assert summary.counts == {"run" if record.state == "done" else record.state: 1}
    return store, record


@pytest.mark.parametrize(
    ("options", "patches"),
    [({"references": "cleaned"}, "cached"), ({"crop_from": "80"}, "frozen"), ({"encoder": "trained"}, "trained")],
)
def test_every_test_study_gets_a_report(data, tmp_path, monkeypatch, options, patches):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("BENCHX_SCORERS", raising=False)
    store, record = run_one(tmp_path, data, **options)
    entries = json.loads((data / "iu-xray" / "annotation.json").read_text())
    table = store.predictions(record.key)
    assert sorted(table["sample"]) == sorted(entry["id"] for entry in entries["test"])
    assert fault(table) is None
    assert record.scores == score(table)
    assert record.scores["n"] == len(entries["test"])
    (fold,) = record.details["folds"]
    assert fold["patches"] == patches
    assert fold["studies"] == {part: len(entries[part]) for part in ("train", "val", "test")}
    assert fold["images"]["train"] == sum(len(entry["image_path"]) for entry in entries["train"])
    assert record.details["tokenizer"] == "ptb-python"
    assert set(record.details["unavailable"]) == {"meteor", "radgraph_f1", "chexbert"}
    assert 0 <= record.details["chance"]["bleu_4"] <= 1
    assert (record.scores["cleaned_bleu_4"] is not None) == ("references" in options)


def test_texts_are_kept_apart(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    store, record = run_one(tmp_path, data)
    (private,) = (tmp_path / "store").rglob("reports.parquet")
    reports = pd.read_parquet(private)
    assert list(reports.columns) == ["sample", "generated", "reference"]
    entries = {
        entry["id"]: entry["report"] for entry in json.loads((data / "iu-xray" / "annotation.json").read_text())["test"]
    }
    assert dict(zip(reports["sample"], reports["reference"], strict=True)) == entries
    written = private.with_name("record.json").read_text()
    assert not any(text in written for text in (*entries.values(), *filter(None, reports["generated"])))
    assert list(store.predictions(record.key).select_dtypes(["object", "string"]).columns) == ["sample", "cluster"]


def test_sections_that_no_report_has_make_a_state(data, tmp_path):
    _, record = run_one(tmp_path, data, text="[impression]")
    assert record.state == "not-applicable"
    assert "no test study" in record.reason


def test_crops_larger_than_the_pixels_are_refused(data, tmp_path):
    _, record = run_one(tmp_path, data, crop_from="128")
    assert record.state == "failed"
    assert "crops of 64 px cannot be taken from images of 128 px" in record.reason


@pytest.mark.slow
def test_with_java_meteor_is_there_and_scorers_are_named(data, tmp_path):
    _, record = run_one(tmp_path, data, references="cleaned", decoder="r2gen")
    assert record.details["tokenizer"] == "ptb-java"
    assert 0 <= record.scores["meteor"] <= 1
    assert 0 <= record.scores["cleaned_meteor"] <= 1


@pytest.mark.slow
def test_16_reports_are_learnt_by_heart(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    root = tmp_path / "data" / "iu-xray"
    write("iu-xray", root, 120, 3, 96, lambda done, total: None)
    content = json.loads((root / "annotation.json").read_text())
    distinct = {entry["report"]: entry for part in content.values() for entry in part}
    chosen = list(distinct.values())[:16]
    assert len(chosen) == 16
    parts = {"train": [entry | {"split": "train"} for entry in chosen]}
    for part in ("val", "test"):
        copies = []
        for entry in chosen:
            study = f"{entry['id']}-{part}"
            shutil.copytree(root / "images" / entry["id"], root / "images" / study)
            images = [f"{study}/{Path(image).name}" for image in entry["image_path"]]
            copies.append({"id": study, "report": entry["report"], "image_path": images, "split": part})
        parts[part] = copies
    for entry in (entry for part in content.values() for entry in part):
        if entry["id"] not in {one["id"] for one in chosen}:
            shutil.rmtree(root / "images" / entry["id"])
    (root / "annotation.json").write_text(json.dumps(parts))
    options = {
        "epochs": "120",
        "evaluate_every": "20",
        "batch_size": "16",
        "warmup_fraction": "0.1",
        "clip_norm": "1.0",
    }
    _, record = run_one(tmp_path, tmp_path / "data", "imagenet-efficientnet-lite0", **options)
    assert record.scores["n"] == 16
    assert record.scores["bleu_4"] > 0.9
    assert np.isfinite(record.scores["cider"])
