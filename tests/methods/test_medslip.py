"""MeDSLIP against a plain reading of its official code, and the places where a port of it goes wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from official_files import SEEDS, certificate, saved
from query_reading import decoder, linear, norm, resnet

from benchx.errors import UsageError
from benchx.methods import load
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.resnet import ResNet50
from benchx.methods.keyed_init import keyed_tensor, seeded_images
from benchx.methods.text.base import TextFeatures

FINDINGS, ANATOMY = "decoder_pathology", "decoder_anatomy"


def book(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 768, generator=torch.Generator().manual_seed(seed))


def features(embeddings: torch.Tensor) -> TextFeatures:
    return TextFeatures(embeddings, embeddings)


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """What the official file holds and ours reads, and of what is not read the norm that it holds twice."""
    read = {name: keyed_tensor(name, shape) for name, shape in certificate("medslip")["tensors"].items()}
    return read | {f"{ANATOMY}.norm.{part}": read[f"{FINDINGS}.norm.{part}"] for part in ("weight", "bias")}


@pytest.fixture(scope="module")
def encoder(tensors, tmp_path_factory) -> Encoder:
    return loaded(tmp_path_factory.mktemp("medslip"), tensors)


def loaded(folder: Path, tensors: dict[str, torch.Tensor]) -> Encoder:
    return load("medslip", saved(folder / "MeDSLIP_resnet50.pth", tensors, ("model",), epoch=1), image_size=64)


@pytest.fixture(scope="module")
def places(tensors) -> torch.Tensor:
    return resnet(tensors, seeded_images(64), stages=3)


@pytest.fixture(scope="module")
def found(encoder):
    with torch.inference_mode():
        return encoder.encode(seeded_images(64))


def stream(tensors, which: str, masked: torch.Tensor) -> torch.Tensor:
    return linear(tensors, f"res_l2_{which}", linear(tensors, f"res_l1_{which}", masked).clamp(min=0))


def asked(tensors, which: str, texts: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and attention of one decoder; both books go through one layer, both decoders end in one norm."""
    queries = linear(tensors, "pathology_embedding_layer", texts).expand(len(seen), -1, -1)
    states, maps = decoder(tensors, f"decoder_{which}", queries, seen)
    logits = linear(tensors, f"classifier_{which}", norm(tensors, f"{FINDINGS}.norm", states))
    return logits, torch.stack(maps).mean(0)


def close(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool((ours - theirs).abs().max() < 1e-5 * theirs.abs().max())


def far(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool((ours - theirs).abs().max() > 1e-2 * theirs.abs().max())


@torch.inference_mode()
def test_the_mask_is_linear_and_splits_every_place_in_two(encoder, found, tensors, places):
    mask = linear(tensors, "mask_generator", places)
    assert mask.min() < 0
    assert mask.max() > 1
    ours = encoder.project_tokens(found)
    assert close(ours, stream(tensors, "pathology", mask * places))
    assert close(encoder.project_anatomy_tokens(found), stream(tensors, "anatomy", (1 - mask) * places))
    assert far(ours, stream(tensors, "pathology", mask.sigmoid() * places))
    # the grounding class of the repository feeds the mask itself
    assert far(ours, stream(tensors, "pathology", mask))
    assert close(found.pooled, places.mean(1))


@torch.inference_mode()
def test_answers_and_attention_are_the_plain_reading(encoder, found, tensors):
    texts, scorer = book(7, 1), encoder.scorer
    logits, attention = asked(tensors, "pathology", texts, encoder.project_tokens(found))
    ours = encoder.similarity(found, texts)
    assert close(ours, logits.softmax(-1)[..., 1])
    assert far(ours, logits.softmax(-1)[..., 0])
    assert close(scorer.attention(encoder, found, features(texts)).flatten(2), attention)
    there, anatomy = asked(tensors, "anatomy", book(5, 2), encoder.project_anatomy_tokens(found))
    answers = scorer.anatomy_answers(encoder, found, features(book(5, 2)))
    assert close(answers.logits, there)
    assert close(answers.attention, anatomy)


@torch.inference_mode()
def test_the_product_with_the_anatomy_is_the_mean_over_its_places(encoder, found):
    texts, anatomy = features(book(3, 1)), features(book(5, 2))
    ours = encoder.scorer.located_attention(encoder, found, texts, anatomy)
    one = encoder.scorer.answers(encoder, found, texts).attention
    others = encoder.scorer.anatomy_answers(encoder, found, anatomy).attention
    by_hand = torch.stack([one * others[:, [place]] for place in range(5)]).mean(0)
    assert close(ours.flatten(2), by_hand)
    assert ours.shape == (2, 3, 4, 4)


@torch.inference_mode()
def test_the_norm_that_the_file_holds_twice_is_read_once(encoder, found, tensors, tmp_path):
    spoilt = {name: value * (3 if name.startswith(f"{ANATOMY}.norm") else 1) for name, value in tensors.items()}
    again, anatomy = loaded(tmp_path, spoilt), features(book(5, 2))
    ours = again.scorer.anatomy_answers(again, found, anatomy)
    assert close(ours.logits, encoder.scorer.anatomy_answers(encoder, found, anatomy).logits)
    doubled = {name: value * (3 if name.startswith(f"{FINDINGS}.norm") else 1) for name, value in tensors.items()}
    third = loaded(tmp_path, doubled)
    assert far(third.scorer.anatomy_answers(third, found, anatomy).logits, ours.logits)


@torch.inference_mode()
def test_a_file_of_distributed_training_is_the_same(encoder, tensors, tmp_path):
    wrapped = loaded(tmp_path, {f"module.{name}": value for name, value in tensors.items()})
    images, texts = seeded_images(64), book(3, 1)
    ours = [one.similarity(one.encode(images), texts) for one in (encoder, wrapped)]
    assert close(*ours)


@torch.inference_mode()
def test_the_grid_at_its_own_size_has_14_places_a_side(encoder):
    maps = encoder.scorer.attention(encoder, encoder.encode(seeded_images(224)), features(book(2, 1)))
    assert maps.shape == (2, 2, 14, 14)
    assert maps.sum((2, 3)).numpy() == pytest.approx(np.ones((2, 2)), abs=1e-5)


def test_another_encoder_has_no_stream_of_the_anatomy(encoder, found):
    with pytest.raises(UsageError, match="no stream of anatomical places"):
        encoder.scorer.anatomy_answers(ResNet50(channels=3, image_size=64), found, features(book(2, 1)))


@pytest.mark.slow
@pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared/parity-seeds is not there")
@torch.inference_mode()
def test_the_grounding_class_of_the_repository_is_another_network(tensors, tmp_path):
    """Its figures are those of the mask fed as it is; by the same measure ours are 0.2 away from them."""
    theirs = torch.from_numpy(np.load(SEEDS / "expected" / "medslip.npz")["grounding_sample_attn_pneumonia"])
    texts = torch.from_numpy(np.random.default_rng(2).standard_normal((75, 768)).astype(np.float32))
    mask = linear(tensors, "mask_generator", resnet(tensors, seeded_images(224), stages=3))
    _, attention = asked(tensors, "pathology", texts, stream(tensors, "pathology", mask))
    assert close(attention[:, 20], theirs)
    encoder = load("medslip", saved(tmp_path / "MeDSLIP_resnet50.pth", tensors, ("model",)))
    ours = encoder.scorer.attention(encoder, encoder.encode(seeded_images(224)), features(texts))[:, 20].flatten(1)
    assert float((ours - theirs).abs().max() / theirs.abs().max()) == pytest.approx(0.2, abs=0.05)
