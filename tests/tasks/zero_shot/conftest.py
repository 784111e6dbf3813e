"""A workspace of small methods on simulated radiographs, for the tests of whole zero-shot cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_method import SmallEncoder
from zero_shot_cells import cell

from benchx.images.spec import InputSpec
from benchx.methods.cards.reading import read_card
from benchx.phantom.writers import write
from benchx.results.store import Store
from benchx.workspace import Workspace


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("zero-shot")
    write("nih", root / "nih", 40, 3, 72, lambda done, total: None)
    (root / "weights.pt").write_bytes(b"weights")
    return root


@pytest.fixture
def workspace(place, monkeypatch) -> Workspace:
    """A workspace of small methods under the names of real ones, with labels that are drawn for every image."""
    small = InputSpec(size=64, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)
    names = ("chexzero", "conceptclip", "medclip-vit", "mgca-vit", "unimed-b16")
    made = Workspace(
        Store(place / "store"),
        cards={name: read_card(name).model_copy(update={"input": small}) for name in names},
        roots={"nih": place / "nih"},
        weights_root=place,
        checkpoints=dict.fromkeys(names, place / "weights.pt"),
    )
    monkeypatch.setattr(made, "load_encoder", lambda method, size, text: SmallEncoder().eval())
    labels = made.dataset(cell().reading).samples.labels
    labels[:] = np.random.default_rng(0).random(labels.shape) < 0.4
    (fold,) = made.folds(cell().reading).folds
    labels[fold.val] = (np.add.outer(np.arange(len(fold.val)), np.arange(labels.shape[1])) // 2) % 2
    return made
