"""A bundle of a run as it comes from the spine: made, verified with and without the data, and described."""

from __future__ import annotations

import pytest
from made_results import METHOD

import benchx
from benchx.phantom.writers import write
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.model_index import model_index
from benchx.publishing.selection import select
from benchx.publishing.verify import verify
from benchx.suites import read_suite

SUITE = """
extends: phantom
only: [nih, rsna]
name: tiny
short_side: 80
fractions: [0.5, 1.0]
seeds: [0, 1]
datasets:
  rsna: {split: cv5}
  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}
protocols: {frozen: {input: {size: 64}, strengths: [0.01, 1.0]}}
"""
TRAINED = """
name: trained
version: 1
description: tasks that are trained, for a few steps
short_side: 96
fractions: [1.0]
cut_validation: true
seeds: [0]
datasets:
  montgomery: {split: official, tasks: {segmentation: {protocols: [segment], primary: mdice}}}
  iu-xray: {split: official, tasks: {report_generation: {protocols: [generate], primary: bleu_4}}}
protocols:
  segment:
    kind: segment
    input: {preprocessing: suite, size: 32, resize: letterbox, interpolation: bilinear, mean: 0.5, std: 0.25}
    epochs: 2
    steps_per_epoch: 2
    batch_size: 4
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0
    patience: 3
    precision: fp32
    encoder: frozen
    decoder: {name: unet}
    output: softmax
    loss: dice-ce
    selection: mdice
    tolerance: 2.0
    search: {space: {head_lr: [0.001, 0.01]}, halving: [0.5]}
  generate:
    kind: generate
    input: {preprocessing: suite, size: 32, resize: stretch, interpolation: bilinear, mean: 0.5, std: 0.25}
    epochs: 1
    steps_per_epoch: 2
    batch_size: 8
    lr: 0.001
    head_lr: 0.001
    weight_decay: 0.0
    patience: 3
    precision: fp32
    encoder: frozen
    decoder: transformer
    views: 2
    text: [findings]
    cleaning: iu-xray
    references: cleaned
    vocabulary_threshold: 1
    max_length: 10
    beam: 1
"""


@pytest.mark.slow
def test_segmentations_and_reports_with_trials_are_bundled_and_rescored(tmp_path):
    for name in ("montgomery", "iu-xray"):
        write(name, tmp_path / "data" / name, 30, 3, 96, lambda done, total: None)
    (tmp_path / "trained.yaml").write_text(TRAINED)
    suite_file = str(tmp_path / "trained.yaml")
    benchx.run(suite_file, [METHOD], data_root=tmp_path / "data", store=tmp_path / "store", device="cpu")
    bundle = make_bundle(read_suite(suite_file), benchx.Store(tmp_path / "store"), METHOD, with_reports=True)
    assert sorted(entry.path.split("/")[2] for entry in bundle.manifest.files) == [
        *["predictions.parquet"] * 2,
        *["record.json"] * 2,
        "reports.parquet",
        "trials.jsonl",
    ]
    write_bundle(bundle, tmp_path / bundle.file_name)
    verdict = verify(tmp_path / bundle.file_name, data_root=tmp_path / "data")
    assert verdict.sound, verdict.findings
    assert [(cell.state, cell.attested) for cell in verdict.cells] == [("re-scored", ())] * 2


@pytest.mark.slow
def test_a_run_is_bundled_and_rescored(tmp_path):
    for name in ("nih", "rsna"):
        write(name, tmp_path / "data" / name, 60, 3, 64, lambda done, total: None)
    (tmp_path / "tiny.yaml").write_text(SUITE)
    suite_file = str(tmp_path / "tiny.yaml")
    benchx.run(suite_file, [METHOD], data_root=tmp_path / "data", store=tmp_path / "store", device="cpu")
    suite, store = read_suite(suite_file), benchx.Store(tmp_path / "store")
    bundle = make_bundle(suite, store, METHOD)
    assert not bundle.manifest.missing
    write_bundle(bundle, tmp_path / bundle.file_name)
    for data_root, notes in ((None, {"suite", "truth"}), (tmp_path / "data", {"suite"})):
        verdict = verify(tmp_path / bundle.file_name, data_root=data_root)
        assert verdict.sound, verdict.findings
        assert {cell.state for cell in verdict.cells} == {"re-scored"}
        assert {finding.check for finding in verdict.findings} == notes
    assert len(model_index(select(suite, store, METHOD), store)["model-index"][0]["results"]) == 4
