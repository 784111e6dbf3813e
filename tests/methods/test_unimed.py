"""UniMed-CLIP's three files: where their tensors lie, and the traps of the network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from comparing import relative
from official_files import certificate, expected_file, hollow_tensors, saved
from plain_readings import below, bert, clip_vit, cubic, gelu, linear
from torch.nn.functional import normalize

from benchx.errors import CheckpointError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.filling import as_stored, fill, open_checkpoint
from benchx.methods.keyed_init import keyed_tensor, seeded_images
from benchx.methods.text import build_tower
from benchx.methods.text.bert import Bert

METHODS = ("unimed-b16", "unimed-l14-base-text", "unimed-l14-large-text")
IDS = torch.tensor([[101, 7, 8, 9, 102, 0, 0], [101, 5, 6, 102, 0, 0, 0]])


def on_meta(name: str) -> tuple:
    card = read_card(name)
    with torch.device("meta"):
        return card, build_encoder(card), build_tower(card)


def small_tower(name: str) -> Bert:
    """The card's text tower with one layer and 200 words."""
    card = read_card(name)
    arguments = {**card.text.arguments, "layers": 1, "vocabulary": 200}
    tower = build_tower(card.model_copy(update={"text": card.text.model_copy(update={"arguments": arguments})}))
    weights = {name: keyed_tensor(name, value.shape) for name, value in tower.state_dict().items()}
    tower.load_state_dict(weights)
    tower.finish()
    return tower.eval()


def reading(tensors: dict[str, torch.Tensor], images: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The official forward pass in plain torch: tensors by their official names without `module.`."""
    visual, text = below(tensors, "visual."), below(tensors, "text_encoder.")
    pooled = clip_vit(visual, images)
    first = bert(below(text, "transformer."), ids, ids != 0)[:, 0]
    found = {"pooled": pooled, "projection": pooled @ visual["proj"], "text_pooled": first}
    found["text_embedding"] = linear(text, "proj.2", gelu(linear(text, "proj.0", first)))
    found["similarity"] = normalize(found["projection"], dim=1) @ normalize(found["text_embedding"], dim=1).T
    return found


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("container", [(), ("state_dict",)])
@pytest.mark.parametrize("method", METHODS)
def test_a_file_has_its_container_and_its_prefix_or_not(method, container, prefix):
    card, encoder, tower = on_meta(method)
    tensors = {prefix + name.removeprefix("module."): one for name, one in hollow_tensors(method).items()}
    tree = {key: tensors for key in container} | {"epoch": 1} if container else tensors
    for part, layout in ((encoder, card.layout), (tower, card.text.layout)):
        stored = as_stored(layout, tree)
        assert stored.container == container
        covered = cover(tensors, stored, part.expected())
        assert covered.complete
        assert all(source.startswith(prefix) for source in covered.taken)


def test_every_tensor_of_the_file_is_read_but_the_scale():
    for method in METHODS:
        card, encoder, tower = on_meta(method)
        tensors = hollow_tensors(method)
        tree = {"state_dict": tensors}
        taken = set()
        for part, layout in ((encoder, card.layout), (tower, card.text.layout)):
            taken |= cover(tensors, as_stored(layout, tree), part.expected()).taken
        assert taken == set(tensors)
        assert "module.logit_scale" not in taken


def test_the_other_text_encoder_does_not_fill(tmp_path):
    """The official loader only logs what is missing; a text tower of another size is refused here before it loads."""
    card, _, tower = on_meta("unimed-l14-large-text")
    file = saved(tmp_path / "base.pt", hollow_tensors("unimed-l14-base-text"), ("state_dict",))
    with pytest.raises(CheckpointError, match="text tower of 'unimed-l14-large-text'"):
        fill(tower, card.text.layout, open_checkpoint(card, file), "text tower")


@pytest.mark.parametrize("method", METHODS)
def test_the_sizes_of_the_cards(method):
    card, encoder, _ = on_meta(method)
    large = "l14" in method
    assert (encoder.dim, encoder.patch_size, encoder.image_size) == ((1024, 14, 336) if large else (768, 16, 224))
    assert len(encoder.trunk.blocks) == (24 if large else 12)
    assert encoder.projection[0].weight.shape == ((768, 1024) if large else (512, 768))
    assert (card.input.resize, card.input.interpolation, card.text.tokenizer.max_length) == (
        "center_crop",
        "bicubic",
        256,
    )


def test_the_blocks_have_quick_gelu_and_the_larger_epsilon():
    for method in METHODS:
        _, encoder, _ = on_meta(method)
        for block in encoder.trunk.blocks:
            assert float(block.mlp.act(torch.tensor(1.0))) == pytest.approx(1 / (1 + math.exp(-1.702)), abs=1e-6)
            assert block.norm1.eps == block.norm2.eps == 1e-5
        assert encoder.trunk.norm_pre.eps == encoder.trunk.norm.eps == 1e-5


@pytest.mark.parametrize("side", [24, 10])
@torch.no_grad()
def test_positions_are_resampled_with_aligned_corners(side):
    _, encoder, _ = on_meta("unimed-b16")
    before = keyed_tensor("module.visual.positional_embedding", (197, 768))
    encoder.trunk.pos_embed = torch.nn.Parameter(before[None])
    encoder.resize(side * 16)
    ours = encoder.trunk.pos_embed[0]
    grid = before[1:].reshape(14, 14, 768)
    assert torch.equal(ours[0], before[0])
    assert relative(ours[1:], cubic(grid, side, aligned=True).flatten(0, 1)) < 1e-5
    # The corners stay where they are, which no other rule does.
    assert torch.allclose(ours[1], before[1], atol=1e-6)
    assert torch.allclose(ours[-1], before[-1], atol=1e-6)
    assert relative(ours[1:], cubic(grid, side, aligned=False).flatten(0, 1)) > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_the_text_is_its_first_token_through_two_layers_without_bias(method):
    tower = small_tower(method)
    weights = tower.state_dict()
    assert not [name for name in weights if name.startswith("head.") and name.endswith("bias")]
    with torch.inference_mode():
        ours = tower(IDS)
        first = bert(below(weights, "trunk."), IDS, IDS != 0)[:, 0]
        embedding = linear(weights, "head.2", gelu(linear(weights, "head.0", first)))
        tanh = torch.nn.functional.gelu(linear(weights, "head.0", first), approximate="tanh")
    assert relative(ours.pooled, first) < 1e-5
    assert relative(ours.embedding, embedding) < 1e-5
    assert relative(linear(weights, "head.2", tanh), embedding) > 1e-5


@torch.inference_mode()
def test_padding_is_known_by_its_id():
    tower = small_tower("unimed-b16")
    assert torch.equal(tower(IDS, torch.ones_like(IDS)).embedding, tower(IDS).embedding)
    assert relative(tower(IDS[1:, :4]).embedding[0], tower(IDS).embedding[1]) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["unimed-b16", "unimed-l14-base-text"])
def test_the_plain_reading_gives_the_kept_figures(method):
    """Those of B/16 are the official code's, so that the reading which gave L/14's is proved by it."""
    facts = certificate(method)
    tensors = {name.removeprefix("module."): keyed_tensor(name, shape) for name, shape in facts["tensors"].items()}
    with torch.inference_mode():
        found = reading(tensors, seeded_images(facts["image"]["size"]), torch.tensor(facts["text"]["ids"]))
    for name, kept in facts["expected"].items():
        difference = np.abs(found[name][0].numpy()[kept["index"]] - np.array(kept["row0"])).max()
        assert difference / kept["largest"] < 1e-5, name
    if method == "unimed-b16" and expected_file(method).is_file():
        theirs = np.load(expected_file(method))
        for ours, name in (("pooled", "pooled"), ("projection", "proj"), ("text_embedding", "text_proj")):
            assert relative(found[ours], torch.from_numpy(theirs[name])) < 1e-5, name


@pytest.mark.slow
def test_a_bare_file_gives_the_same(tmp_path):
    facts = certificate("unimed-b16")
    tensors = {name.removeprefix("module."): keyed_tensor(name, shape) for name, shape in facts["tensors"].items()}
    encoder = load("unimed-b16", saved(tmp_path / "bare.pt", tensors))
    with torch.inference_mode():
        found = encoder.similarity(
            encoder.encode(seeded_images(224)), encoder.read_tokens(torch.tensor(facts["text"]["ids"]))
        )
    kept = facts["expected"]["similarity"]
    assert np.abs(found[0].numpy() - np.array(kept["row0"])).max() / kept["largest"] < 1e-5
