"""Scorers by hand on small features; their parity with the official code is in parity_checks."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from benchx.errors import UsageError
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.cosine import cosine
from benchx.methods.scorers.gloria import gloria, local_similarity
from benchx.methods.scorers.medklip import medklip
from benchx.methods.text.base import TextFeatures


class Seen(nn.Module):
    """An encoder whose projections are the features themselves."""

    def project(self, features: Features) -> torch.Tensor:
        return features.pooled

    def project_tokens(self, features: Features) -> torch.Tensor:
        return features.tokens


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def images() -> Features:
    return Features(drawn(3, 8), drawn(3, 6, 8, seed=1), (), ())


@pytest.fixture
def text() -> TextFeatures:
    """Two texts of four and of two words."""
    mask = torch.tensor([[False, True, True, True, True, False], [False, True, True, False, False, False]])
    return TextFeatures(drawn(2, 8, seed=2), drawn(2, 8, seed=2), drawn(2, 6, 8, seed=3), mask)


def local_by_hand(places: torch.Tensor, words: torch.Tensor) -> float:
    """GLoRIA's local similarity of one image's places and one text's words, as the paper writes it."""
    shares = (places @ words.T).softmax(dim=1)
    attended = (4 * shares).softmax(dim=0).T @ places
    return math.log((5 * cosine_similarity(attended, words, dim=1)).exp().max())


def test_gloria_compares_whole_texts_and_words(images, text):
    ours = gloria()(Seen(), images, text)
    for row in range(3):
        for column, words in enumerate((text.words[0, 1:5], text.words[1, 1:3])):
            whole = float(cosine_similarity(images.pooled[row], text.embedding[column], dim=0))
            local = local_by_hand(images.tokens[row], words)
            assert float(ours[row, column]) == pytest.approx((whole + local) / 2, abs=1e-5)


def test_gloria_gives_the_same_text_by_text(images, text, monkeypatch):
    at_once = local_similarity(images.tokens, text.words, text.word_mask)
    monkeypatch.setattr(importlib.import_module("benchx.methods.scorers.gloria"), "CHUNK", 1)
    assert torch.allclose(local_similarity(images.tokens, text.words, text.word_mask), at_once, atol=1e-6)


@pytest.mark.parametrize("without", [(1,), (0, 1)])
def test_gloria_compares_texts_without_words_as_a_whole(images, text, without):
    text.word_mask[list(without)] = False
    words = text.words.requires_grad_()
    ours = gloria()(Seen(), images, text)
    whole = cosine()(Seen(), images, text)
    assert torch.equal(ours[:, without], whole[:, without])
    ours.sum().backward()
    assert words.grad.isfinite().all()


def test_gloria_on_embeddings_alone_is_the_cosine(images, text):
    bare = TextFeatures(text.embedding, text.embedding)
    assert torch.equal(gloria()(Seen(), images, bare), cosine()(Seen(), images, bare))


@pytest.mark.parametrize(("learned", "factor"), [(1.0, math.e), (-2.0, 1.0), (9.0, 100.0)])
def test_a_learned_scale_is_kept_between_1_and_100(images, text, learned, factor):
    scorer = cosine(scaled=True, limits=(0.0, 4.6052))
    with torch.no_grad():
        scorer.logit_scale.fill_(learned)
    plain = cosine()(Seen(), images, text)
    assert plain.abs().max() <= 1
    assert torch.allclose(scorer(Seen(), images, text), plain * factor, rtol=1e-4)


@pytest.fixture(scope="module")
def queries() -> TextFeatures:
    return TextFeatures(drawn(5, 768), drawn(5, 768))


@pytest.fixture(scope="module")
def patches() -> Features:
    return Features(drawn(2, 4), drawn(2, 9, 256, seed=1), (), ())


@torch.inference_mode()
def test_medklip_is_torchs_decoder(patches, queries):
    torch.manual_seed(0)
    scorer = medklip().eval()
    ours = scorer(Seen(), patches, queries)
    asked = scorer.disease_embedding_layer(queries.embedding).expand(2, -1, -1)
    logits = scorer.classifier(scorer.decoder(asked, patches.tokens))
    assert torch.allclose(ours, (logits[..., 1] - logits[..., 0]).sigmoid(), atol=1e-6)


@torch.inference_mode()
def test_medklip_shows_where_it_looks(patches, queries):
    maps = medklip().eval().attention(Seen(), patches, queries)
    assert maps.shape == (2, 5, 3, 3)
    assert torch.allclose(maps.sum((2, 3)), torch.ones(2, 5))


def test_medklip_refuses_embeddings_of_another_width(patches):
    with pytest.raises(UsageError, match="768"):
        medklip()(Seen(), patches, TextFeatures(drawn(5, 128), drawn(5, 128)))
