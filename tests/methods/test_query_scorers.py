"""What MedKLIP, MeDSLIP and KAD promise together: answers and heat maps of texts, whatever the order and the batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchx.errors import UsageError
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.kad import kad
from benchx.methods.scorers.medklip import medklip
from benchx.methods.scorers.medslip import medslip
from benchx.methods.scorers.queries import QueryScorer
from benchx.methods.text.base import TextFeatures

WIDTHS = {medklip: 256, medslip: 256, kad: 768}


class Seen(nn.Module):
    """An encoder whose projections are the features themselves."""

    def project_tokens(self, features: Features) -> torch.Tensor:
        return features.tokens


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def asked(count: int = 6, width: int = 768) -> TextFeatures:
    return TextFeatures(drawn(count, width, seed=2), drawn(count, width, seed=2))


@pytest.fixture(params=WIDTHS, ids=lambda build: build.__name__)
def build(request):
    return request.param


@pytest.fixture
def scorer(build) -> QueryScorer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


@pytest.fixture
def images(build) -> Features:
    return Features(drawn(3, 4), drawn(3, 9, WIDTHS[build], seed=1), (), ())


@torch.inference_mode()
def test_presence_is_a_probability_and_attention_sums_to_1(scorer, images):
    present, maps = scorer(Seen(), images, asked()), scorer.attention(Seen(), images, asked())
    assert present.shape == (3, 6)
    assert ((present > 0) & (present < 1)).all()
    assert maps.shape == (3, 6, 3, 3)
    assert (maps >= 0).all()
    assert torch.allclose(maps.sum((2, 3)), torch.ones(3, 6))
    answers = scorer.answers(Seen(), images, asked())
    assert torch.allclose(present, (answers.logits[..., 1] - answers.logits[..., 0]).sigmoid(), atol=1e-6)
    assert torch.allclose(maps.flatten(2), answers.attention)


@torch.inference_mode()
def test_places_are_laid_out_row_by_row(scorer, images):
    maps = scorer.attention(Seen(), images, asked())
    assert torch.equal(maps[:, :, 1, 2], scorer.answers(Seen(), images, asked()).attention[..., 5])


@torch.inference_mode()
def test_the_order_of_texts_changes_their_places_alone(scorer, images):
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    turned = TextFeatures(asked().pooled[order], asked().embedding[order])
    assert torch.allclose(scorer(Seen(), images, turned), scorer(Seen(), images, asked())[:, order], atol=1e-6)


@torch.inference_mode()
def test_an_answer_depends_on_the_whole_set(scorer, images):
    alone = TextFeatures(asked().pooled[:2], asked().embedding[:2])
    assert not torch.allclose(scorer(Seen(), images, alone), scorer(Seen(), images, asked())[:, :2], atol=1e-4)


@torch.inference_mode()
def test_an_image_does_not_depend_on_its_batch(scorer, images):
    first = Features(images.pooled[:1], images.tokens[:1], (), ())
    assert torch.allclose(scorer(Seen(), first, asked()), scorer(Seen(), images, asked())[:1], atol=1e-6)
    maps = [scorer.attention(Seen(), some, asked())[0] for some in (first, images)]
    assert torch.allclose(*maps, atol=1e-7)


def test_texts_of_another_width_are_refused(scorer, images):
    with pytest.raises(UsageError, match="768 numbers"):
        scorer(Seen(), images, asked(width=128))
