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
name: tiny
short_side: 80
fractions: [0.5, 1.0]
seeds: [0, 1]
datasets:
  rsna: {split: cv5}
  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}
protocols: {frozen: {input: {size: 64}, strengths: [0.01, 1.0]}}
"""


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
