"""A random method with a text side: hashed words, weights from the seed, chance as its floor."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import TokenizerChoice
from benchx.methods.loading import load
from benchx.methods.text.hashed_words import hashed_words

METHOD = "random-clip-resnet50"


def test_words_become_ids_between_a_begin_and_an_end() -> None:
    tokens = hashed_words(["No effusion.", "no EFFUSION", ""], 100, 6)
    assert tokens.ids[0].tolist() == tokens.ids[1].tolist()
    assert tokens.ids[0, 0] == 98
    assert tokens.ids[0, 3:].tolist() == [99, 0, 0]
    assert tokens.ids[2].tolist() == [98, 99, 0, 0, 0, 0]
    assert tokens.mask.sum(dim=1).tolist() == [4, 4, 2]
    assert bool(((tokens.ids[0, 1:3] >= 1) & (tokens.ids[0, 1:3] < 98)).all())


def test_long_texts_are_cut_and_keep_their_end() -> None:
    tokens = hashed_words(["word " * 5000], 100, 8)
    assert tokens.ids.shape == (1, 8)
    assert tokens.ids[0, -1] == 99


def test_the_seed_decides_the_text_side_and_leaves_the_images_as_they_are() -> None:
    one, two, images = load(METHOD), load(METHOD), load(METHOD, text=False)
    texts = ["no effusion", "a large effusion"]
    with torch.no_grad():
        first, second = one.encode_text(texts).embedding, two.encode_text(texts).embedding
    assert torch.equal(first, second)
    assert bool(first.isfinite().all())
    assert not torch.allclose(first[0], first[1])
    for left, right in zip(one.trunk.parameters(), images.trunk.parameters(), strict=True):  # type: ignore[attr-defined]
        assert torch.equal(left, right)
    assert images.text is None


def test_a_random_tower_needs_hashed_words() -> None:
    card = read_card(METHOD)
    fields = card.model_dump(mode="json")
    fields["text"]["tokenizer"] = {"repo": "openai/clip-vit-base-patch32", "max_length": 77}
    with pytest.raises(ValidationError, match="no vocabulary"):
        type(card).model_validate(fields)
    with pytest.raises(ValidationError, match="exactly one"):
        TokenizerChoice(max_length=5)
