"""The RoBERTa tower against transformers' RoBERTa, from tensors of its own names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from comparing import keyed, relative
from transformers import RobertaConfig, RobertaModel

from benchx.errors import UsageError
from benchx.methods.cards.reading import read_card
from benchx.methods.filling import Checkpoint, fill
from benchx.methods.text.roberta import Roberta, roberta

LAYERS = 2


@pytest.fixture(scope="module")
def theirs() -> RobertaModel:
    config = RobertaConfig(
        vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, num_hidden_layers=LAYERS, layer_norm_eps=1e-5
    )
    model = RobertaModel(config, add_pooling_layer=False).eval()
    model.load_state_dict(keyed(model))
    return model


@pytest.fixture(scope="module")
def tower(theirs) -> Roberta:
    card = read_card("m3ae")
    with torch.device("meta"):
        tower = roberta()
    tower.layers = tower.layers[:LAYERS]
    named = {f"language_encoder.{name}": value for name, value in theirs.state_dict().items()}
    fill(tower, card.text.layout, Checkpoint(card, Path("x.ckpt"), {"state_dict": named}), "text tower")
    return tower.eval()


@torch.inference_mode()
def test_it_is_transformers_roberta(tower, theirs):
    ids = torch.tensor([[0, 713, 16, 41, 2, 1], [0, 9, 2, 1, 1, 1]])
    mask = (ids != 1).long()
    found = tower(ids)
    expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    assert relative(found.words[mask.bool()], expected[mask.bool()]) < 1e-5
    assert torch.equal(found.pooled, found.words[:, 0])
    assert torch.equal(found.embedding, found.pooled)
    assert torch.equal(found.word_mask, mask.bool())


@torch.inference_mode()
def test_positions_count_from_the_padding_id(tower):
    """Its first token has position 2: with the position table moved by one, the features move."""
    ids = torch.tensor([[0, 713, 2]])
    before = tower(ids).pooled
    table = tower.embeddings.position_embeddings.weight
    kept = table.clone()
    table[:2] += 1
    assert torch.equal(tower(ids).pooled, before)
    table[2] += 1
    assert not torch.equal(tower(ids).pooled, before)
    table.copy_(kept)


@torch.inference_mode()
def test_padding_changes_nothing(tower):
    alone, among = tower(torch.tensor([[0, 713, 2]])), tower(torch.tensor([[0, 713, 2, 1, 1], [0, 5, 6, 7, 2]]))
    assert relative(among.pooled[:1], alone.pooled) < 1e-5


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(1, 513, dtype=torch.int64), "too long"),
        (torch.tensor([[0, 50265, 2]]), "50265"),
        (torch.ones(1, 3, dtype=torch.int64), "no token"),
    ],
)
def test_tokens_that_do_not_fit(tower, ids, message):
    with pytest.raises(UsageError, match=message):
        tower(ids)
