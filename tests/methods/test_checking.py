from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from official_files import hollow_tensors, saved
from torch import nn

from benchx.errors import CheckpointError
from benchx.methods.cards.reading import read_card
from benchx.methods.checking import check, grating_image
from benchx.methods.text import TOWERS
from benchx.methods.text.base import TextFeatures, TextTower


def test_the_packaged_weights_pass():
    report = check("imagenet-efficientnet-lite0")
    assert report.official is True
    assert (report.filled, report.dim) == ({"image encoder": 294}, 1280)
    assert report.unused == {"_fc": 2}
    # 4 652 008 of the published network less its classifier.
    assert report.parameters == 4_652_008 - 1_281_000
    assert json.loads(json.dumps(report.to_dict())) == json.loads(json.dumps(check(report.method).to_dict()))
    assert (report.same, report.fingerprint) == (True, "same")
    assert (report.missing, report.resized, report.without_text) == (0, (), None)


def test_a_random_twin_passes_without_a_file():
    report = check("random-efficientnet-lite0")
    assert (report.checkpoint, report.official, report.filled) == (None, None, {})
    assert (report.same, report.fingerprint) == (None, "the card has none")
    assert report.parameters == 4_652_008 - 1_281_000


def test_tensors_that_start_afresh_are_named(tmp_path):
    report = check("mrm", saved(tmp_path / "MRM.pth", hollow_tensors("mrm"), ("model",)))
    assert report.fresh == ("fc_norm.weight", "fc_norm.bias")
    assert report.filled == {"image encoder": 148}


def test_a_checkpoint_that_does_not_fill_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="fills 0 of"):
        check("mrm", saved(tmp_path / "MRM.pth", {"x": torch.ones(1)}, ("model",)))


def test_features_that_are_not_the_cards_are_reported(tmp_path):
    card = read_card("imagenet-efficientnet-lite0").model_dump(mode="json")
    card["fingerprint"]["mean"] += 0.01
    (tmp_path / "copy.yaml").write_text(json.dumps(card))
    report = check(str(tmp_path / "copy.yaml"))
    assert report.same is False
    assert report.fingerprint == "differs by 2.3e-02 of its largest figure; 1e-03 is allowed"


def test_half_precision_files_are_read_and_named(tmp_path):
    tensors = {name: tensor.half() for name, tensor in hollow_tensors("mrm").items()}
    report = check("mrm", saved(tmp_path / "MRM.pth", tensors, ("model",)))
    assert report.dtypes == {"float16": 148}


def test_resized_position_embeddings_are_named(tmp_path):
    file = saved(tmp_path / "model.pth", hollow_tensors("imagenet-vit-b16"))
    report = check("imagenet-vit-b16", file, image_size=32)
    assert report.resized == ("pos_embed [1, 197, 768] -> [1, 5, 768]",)


class Words(TextTower):
    """A table of ten words; a text is the mean of its words."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 6)

    def padding_mask(self, input_ids):
        return torch.ones_like(input_ids)

    def _read(self, ids, mask, continued):
        mean = self.words(ids).mean(1)
        return TextFeatures(mean, mean)


def _card_with_words(tmp_path, **changes):
    card = read_card("random-efficientnet-lite0").model_dump(mode="json") | changes
    card["text"] = {"name": "words", "tokenizer": {"repo": "owner/words", "max_length": 8}, **card["text"]}
    (tmp_path / "copy.yaml").write_text(json.dumps(card))
    return str(tmp_path / "copy.yaml")


def test_a_method_that_reads_only_text_is_described_by_an_embedding(tmp_path, monkeypatch):
    monkeypatch.setitem(TOWERS, "words", Words)
    weights = {"files": ["words.pth"], "page": "a page"}
    only_text = {"encoder": None, "input": None, "pooling": None, "weights": weights, "text": {}}
    table = torch.arange(60.0).reshape(10, 6)
    file = saved(tmp_path / "words.pth", {"words.weight": table})
    report = check(_card_with_words(tmp_path, **only_text), file)
    assert (report.filled, report.dim, report.parameters) == ({"text tower": 1}, 6, 60)
    # Tokens 0 to 9, and the last word for the six that the vocabulary lacks.
    expected = (table.sum(0) + 6 * table[9]) / 16
    assert report.features["first"] == pytest.approx(expected[:4].tolist())


def test_a_text_tower_whose_file_is_not_there_is_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setitem(TOWERS, "words", Words)
    monkeypatch.delenv("BENCHX_WEIGHTS", raising=False)
    packaged = read_card("imagenet-efficientnet-lite0").model_dump(mode="json")
    text = {"weights": {"files": ["words.pth"], "page": "a page"}}
    report = check(_card_with_words(tmp_path, **packaged | {"text": text}))
    assert report.filled == {"image encoder": 294}
    assert "words.pth" in report.without_text


def test_the_test_image_uses_the_grey_scale():
    image = grating_image(64)
    assert (image.shape, image.dtype) == ((64, 64), np.uint8)
    assert image.min() < 40
    assert image.max() > 150
