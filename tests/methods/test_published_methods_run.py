"""Every published method goes from a file of its official shape through both protocols to a result."""

from __future__ import annotations

import pytest
from official_files import certificate, saved

import benchx
from benchx.methods.cards.reading import read_card
from benchx.methods.keyed_init import keyed_tensor
from benchx.phantom.writers import write

pytestmark = pytest.mark.slow

SUITE = """
extends: chestxray
name: published
short_side: 80
fractions: [1.0]
seeds: [0]
datasets:
  nih: null
  siim: null
  vindr: null
  covidx: null
protocols:
  frozen: {input: {size: 64}, strengths: [0.01, 1.0]}
  finetune: {input: {size: 64}, epochs: 1, batch_size: 16}
"""


@pytest.mark.parametrize("method", ["medklip", "gloria", "mrm", "imagenet-resnet50", "imagenet-vit-b16"])
def test_a_published_method_runs_through_both_protocols(method, tmp_path):
    tensors = {name: keyed_tensor(name, shape) for name, shape in certificate(method)["tensors"].items()}
    checkpoint = saved(tmp_path / "official.pth", tensors, tuple(read_card(method).layout.container))
    write("rsna", tmp_path / "rsna", 40, 0, 96, lambda done, total: None)
    (tmp_path / "published.yaml").write_text(SUITE)
    summary = benchx.run(
        str(tmp_path / "published.yaml"),
        [method],
        data_root=tmp_path,
        checkpoints={method: checkpoint},
        store=tmp_path / "store",
        device="cpu",
    )
    assert summary.counts == {"run": 2}
    for record in benchx.Store(tmp_path / "store").records():
        assert record.provenance.checkpoint == "official.pth"
        assert record.provenance.weights is not None
        assert 0 <= record.scores["macro_auroc"] <= 1
