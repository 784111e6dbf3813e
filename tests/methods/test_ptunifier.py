"""PTUnifier's parts against transformers' RoBERTa, and what they refuse."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from official_files import keyed_file
from transformers import RobertaConfig
from transformers.models.roberta.modeling_roberta import RobertaEmbeddings

from benchx.errors import UsageError
from benchx.methods import load
from benchx.methods.encoders.base import Features
from benchx.methods.encoders.ptunifier import ptunifier
from benchx.methods.keyed_init import seeded_images
from benchx.methods.text.ptunifier import ptunifier_text
from benchx.methods.text.roberta import WordEmbeddings


@torch.inference_mode()
def test_the_word_embeddings_are_robertas():
    ours = WordEmbeddings()
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    theirs = RobertaEmbeddings(config).eval()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    ids = torch.tensor([[0, 713, 16, 2, 1, 1], [0, 9, 2, 1, 1, 1]])
    assert torch.allclose(ours(ids), theirs(input_ids=ids), atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "word"),
    [(torch.zeros(1, 513, dtype=torch.int64), "too long"), (torch.tensor([[0, 50265, 2]]), "50265")],
)
def test_token_ids_that_do_not_fit(ids, word):
    with torch.device("meta"):
        tower = ptunifier_text()
    with pytest.raises(UsageError, match=word):
        tower(ids)


def test_only_its_own_features_with_its_text_tower_are_projected():
    with torch.device("meta"):
        encoder = ptunifier(pooling="cls", channels=3, image_size=32)
        found = encoder.eval().encode(torch.zeros(1, 3, 32, 32, device="meta"))
    with pytest.raises(UsageError, match="no text tower"):
        encoder.project(found)
    plain = Features(*(getattr(found, field.name) for field in fields(Features)))
    with pytest.raises(UsageError, match="not PTUnifier's"):
        encoder.project(plain)


@pytest.mark.slow
def test_padding_changes_no_embedding(tmp_path):
    encoder = load("ptunifier", keyed_file(tmp_path, "ptunifier"))
    short = torch.tensor([[0, 713, 16, 2]])
    padded = torch.tensor([[0, 713, 16, 2, 1, 1], [0, 9, 11, 12, 13, 2]])
    with torch.inference_mode():
        alone, among = encoder.encode_tokens(short), encoder.encode_tokens(padded)
        assert float((alone[0] - among[0]).abs().max() / alone.abs().max()) < 1e-5
        features = encoder.encode(seeded_images(288, count=1))
        assert encoder.similarity(features, among).shape == (1, 2)
