"""KAD against a plain reading of its official code, and the places where a port of it goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kad_reading
import numpy as np
import pytest
import torch
from comparing import from_kept
from official_files import KAD, SEEDS, certificate, manifest, saved
from query_reading import bert, decoder, linear, norm, resnet
from torch.nn.functional import normalize

from benchx.errors import CheckpointError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import keyed_tensor, seeded_images
from benchx.methods.scorers import build_scorer
from benchx.methods.text import build_tower
from benchx.methods.text.base import TextFeatures

Dicts = dict[str, dict[str, torch.Tensor]]

IDS = torch.tensor([[101, 7, 9, 150, 102], [101, 12, 102, 0, 0], [101, 40, 41, 102, 0]])


def small_card() -> Card:
    """KAD with one layer of text and a vocabulary of 200."""
    card = read_card("kad")
    assert card.text is not None
    arguments = {**card.text.arguments, "layers": 1, "vocabulary": 200}
    return card.model_copy(update={"text": card.text.model_copy(update={"arguments": arguments})})


@pytest.fixture(scope="module")
def dicts() -> Dicts:
    """The three state dicts: what ours reads, less of the text, and the norm that the file holds twice."""
    shapes: dict[str, dict[str, list[int]]] = certificate("kad")["tensors"]
    kept = {
        part: {
            name: keyed_tensor(name, [200, 768] if "word_embeddings" in name else shape)
            for name, shape in shapes[part].items()
            if "encoder.layer." not in name or ".layer.0." in name
        }
        for part in KAD
    }
    for kind in ("weight", "bias"):
        kept["model"][f"decoder_norm.{kind}"] = kept["model"][f"decoder.norm.{kind}"]
    return kept


def loaded(folder: Path, dicts: dict[str, Any]) -> Encoder:
    return load(small_card(), saved(folder / "best_valid.pt", dicts), image_size=96)


@pytest.fixture(scope="module")
def encoder(dicts, tmp_path_factory) -> Encoder:
    return loaded(tmp_path_factory.mktemp("kad"), dicts)


@pytest.fixture(scope="module")
def found(encoder):
    with torch.inference_mode():
        return encoder.encode(seeded_images(96))


def close(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool((ours - theirs).abs().max() < 1e-5 * theirs.abs().max())


@torch.inference_mode()
def test_images_texts_and_answers_are_the_plain_reading(encoder, found, dicts):
    grid, seen = kad_reading.places(dicts["image_encoder"], seeded_images(96))
    asked = kad_reading.texts(dicts["text_encoder"], IDS, layers=1)
    probability, attention = kad_reading.answers(dicts["model"], seen, asked)
    text = encoder.read_tokens(IDS)
    assert close(found.pooled, grid.mean(1))
    assert close(encoder.project_tokens(found), seen)
    assert close(encoder.project(found), seen.mean(1))
    assert close(text.embedding, asked)
    assert close(encoder.similarity(found, text), probability)
    assert close(encoder.scorer.attention(encoder, found, text).flatten(2), attention)


@torch.inference_mode()
def test_texts_are_those_of_the_pooler_and_not_normalised(encoder, dicts):
    text = encoder.read_tokens(IDS)
    assert close(text.pooled, bert(dicts["text_encoder"], "bert_model", IDS, layers=1))
    lengths = text.embedding.norm(dim=-1)
    assert ((lengths - 1).abs() > 0.1).all()
    assert not close(text.embedding, normalize(text.embedding, dim=-1))


@torch.inference_mode()
def test_texts_and_places_are_both_normed_before_the_first_layer(encoder, found, dicts):
    model, text, seen = dicts["model"], encoder.read_tokens(IDS), encoder.project_tokens(found)
    ours = encoder.similarity(found, text)
    for on_texts, on_places in ((False, True), (True, False), (False, False)):
        queries, places = (
            norm(model, "decoder.norm", one) if normed else one
            for one, normed in ((text.embedding, on_texts), (seen, on_places))
        )
        states, _ = decoder(model, "decoder", queries.expand(2, -1, -1), places)
        wrong = linear(model, "mlp_head.0", norm(model, "decoder.norm", states)).softmax(-1)[..., 1]
        assert (ours - wrong).abs().max() > 1e-3


@torch.inference_mode()
def test_heat_maps_are_of_the_last_layer_alone(encoder, found, dicts):
    model, text, seen = dicts["model"], encoder.read_tokens(IDS), encoder.project_tokens(found)
    queries = norm(model, "decoder.norm", text.embedding).expand(2, -1, -1)
    _, maps = decoder(model, "decoder", queries, norm(model, "decoder.norm", seen))
    ours = encoder.scorer.attention(encoder, found, text).flatten(2)
    assert close(ours, maps[3])
    assert not close(ours, torch.stack(maps).mean(0))


@torch.inference_mode()
def test_what_the_file_holds_twice_is_read_once(encoder, found, dicts, tmp_path):
    text = encoder.read_tokens(IDS)
    ours = encoder.similarity(found, text)
    other = {**dicts["model"], "decoder_norm.weight": torch.zeros(768), "logit_scale": torch.tensor(9.0)}
    twice = {**dicts["image_encoder"], "resnet.conv1.weight": torch.zeros(64, 3, 7, 7)}
    again = loaded(tmp_path, {**dicts, "model": other, "image_encoder": twice})
    assert close(again.similarity(again.encode(seeded_images(96)), again.read_tokens(IDS)), ours)


@pytest.mark.parametrize("part", KAD)
def test_a_file_without_one_of_its_three_dicts_is_refused(dicts, part, tmp_path):
    lacking = {name: tensors for name, tensors in dicts.items() if name != part}
    with pytest.raises(CheckpointError, match=f"no container '{part}'"):
        loaded(tmp_path, lacking)


@torch.inference_mode()
def test_the_grid_at_its_own_size_has_16_places_a_side(encoder):
    assert read_card("kad").images.size == 512
    text = TextFeatures(torch.ones(2, 768), torch.randn(2, 768, generator=torch.Generator().manual_seed(0)))
    maps = encoder.scorer.attention(encoder, encoder.encode(seeded_images(512)[:1]), text)
    assert maps.shape == (1, 2, 16, 16)
    assert maps.sum((2, 3)).numpy() == pytest.approx(np.ones((1, 2)), abs=1e-5)


@torch.inference_mode()
def test_the_fourth_stage_is_read(encoder, found, dicts):
    assert found.pooled.shape == (2, 2048)
    assert found.tokens.shape == (2, 9, 2048)
    assert resnet(dicts["image_encoder"], seeded_images(96), stages=3).shape == (2, 36, 1024)


@pytest.mark.slow
@torch.inference_mode()
def test_the_plain_reading_gives_the_kept_figures():
    facts = certificate("kad")
    tensors = {
        part: {name: keyed_tensor(name, shape) for name, shape in shapes.items()}
        for part, shapes in facts["tensors"].items()
    }
    grid, seen = kad_reading.places(tensors["image_encoder"], seeded_images(facts["image"]["size"]))
    asked = kad_reading.texts(tensors["text_encoder"], torch.tensor(facts["text"]["ids"]))
    probability, attention = kad_reading.answers(tensors["model"], seen, asked)
    found = {
        "pooled": grid[0].mean(0),
        "token_projection_mean": seen[0].mean(0),
        "text_embedding": asked[0],
        "attention": attention[0, 0],
        "similarity": probability[0],
    }
    assert set(facts["expected"]) == set(found)
    for name, kept in facts["expected"].items():
        assert from_kept(found[name], kept) < 1e-5, name


@pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared/parity-seeds is not there")
def test_the_official_names_and_shapes_fill_every_part():
    card, unread = read_card("kad"), {}
    assert card.text is not None
    assert card.scorer is not None
    parts = (
        ("image_encoder", build_encoder, card.layout),
        ("text_encoder", build_tower, card.text.layout),
        ("model", build_scorer, card.scorer.layout),
    )
    for part, builder, layout in parts:
        with torch.device("meta"):
            named = {name: torch.empty(shape) for name, shape in manifest(f"kad__{part}")["tensors"].items()}
            coverage = cover(named, layout, builder(card).expected())
        assert layout.container == (part,)
        assert coverage.complete
        unread[part] = {name.split(".")[0] for name in named if name not in coverage.taken}
    assert unread == {
        "image_encoder": {"resnet"},
        "text_encoder": {"logit_scale"},
        "model": {"logit_scale", "decoder_norm"},
    }
