"""Published methods, one or more of each kind of network, go from a file of their official shape to a result."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from official_files import certificate, hollow_tensors, saved

import benchx
from benchx.methods.cards.reading import read_card
from benchx.methods.certifying import certifiable
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.keyed_init import keyed_tensor
from benchx.phantom.writers import write

pytestmark = pytest.mark.slow

SUITE = """
extends: chestxray
name: published
short_side: 80
fractions: [1.0]
seeds: [0]
only: [rsna]
datasets:
  rsna: {tasks: {segmentation: null, zero_shot: null}}
protocols:
  frozen: {input: {size: SIDE}, strengths: [0.01, 1.0]}
  finetune: {input: {size: SIDE}, epochs: 1, batch_size: 16, search: null}
"""
SIDES = {"rad-dino": 56, "unimed-l14-base-text": 56}
"""Pixels, where patches of 14 make it other than 64."""


METHODS = {
    "arl-vqa-rad": ["frozen"],
    "biovil": ["frozen"],
    "biovil-t": ["frozen"],
    "clip-rn50": ["frozen"],
    "clip-vit-b32": ["frozen"],
    "conceptclip": ["frozen"],
    "gloria": ["frozen", "finetune"],
    "imagenet-vit-b16": ["frozen", "finetune"],
    "medclip-vit": ["frozen"],
    "medklip": ["frozen"],
    "medslip": ["frozen"],
    "mrm": ["frozen"],
    "prior": ["frozen"],
    "ptunifier": ["frozen"],
    "rad-dino": ["frozen"],
    "unimed-l14-base-text": ["frozen"],
    "xrv-densenet121": ["frozen", "finetune"],
}
"""The protocols that each goes through."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("rsna", root / "rsna", 40, 0, 96, lambda done, total: None)
    for side in (64, *SIDES.values()):
        (root / f"{side}.yaml").write_text(SUITE.replace("SIDE", str(side)))
    return root


def official_file(folder: Path, method: str) -> Path:
    """A file of the official names and shapes; only what the image encoder takes has more than one number."""
    card, hollow = read_card(method), hollow_tensors(method)
    with torch.device("meta"):
        expected = build_encoder(card).expected()
    taken = cover(hollow, card.layout, expected).taken
    keyed = {name: keyed_tensor(name, shape) for name, shape in certificate(method)["tensors"].items() if name in taken}
    return saved(folder / "official.pth", hollow | keyed, tuple(certificate(method)["container"]))


def test_every_kind_of_network_is_there():
    choices = {name: read_card(name).encoder for name in certifiable()}
    kinds = {choice.name for choice in choices.values() if choice is not None}
    assert {choices[name].name for name in METHODS} == kinds


@pytest.mark.parametrize("method", METHODS)
def test_a_published_method_gives_a_result(method, data, tmp_path):
    checkpoint = official_file(tmp_path, method)
    summary = benchx.run(
        str(data / f"{SIDES.get(method, 64)}.yaml"),
        [method],
        data_root=data,
        checkpoints={method: checkpoint},
        store=tmp_path / "store",
        protocols=METHODS[method],
        device="cpu",
    )
    checkpoint.unlink()
    assert summary.counts == {"run": len(METHODS[method])}
    for record in benchx.Store(tmp_path / "store").records():
        assert record.provenance.checkpoint == "official.pth"
        assert record.provenance.weights is not None
        assert 0 <= record.scores["macro_auroc"] <= 1
