"""RAD-DINO: three layouts of one set of weights, and the traps of DINOv2 in transformers."""

from __future__ import annotations

import re

import pytest
import torch
from comparing import keyed, relative
from official_files import hollow_tensors, saved
from plain_readings import cubic
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from transformers import Dinov2Config, Dinov2Model

from benchx.errors import CheckpointError, UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import keyed_tensor, seeded_images

OLD = {"attention.attention": "attention", "query": "q_proj", "key": "k_proj", "value": "v_proj"}
POSITIONS = keyed_tensor("embeddings.position_embeddings", (1, 1370, 768))


def on_meta(size: int = 518) -> Encoder:
    with torch.device("meta"):
        encoder = build_encoder(read_card("rad-dino"))
    encoder.resize(size)
    return encoder.eval()


def renamed_by_transformers_5(name: str) -> str:
    """The name that transformers 5 gives to a tensor of transformers 4."""
    name = name.replace("attention.output.dense", "attention.o_proj")
    return re.sub(r"attention\.attention\.(query|key|value)", lambda found: f"attention.{OLD[found[1]]}", name)


def as_dinov2(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of transformers 4 in the layout of the original code: other names, joint query, key and value."""
    plain = {
        "embeddings.cls_token": "cls_token",
        "embeddings.mask_token": "mask_token",
        "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
        "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
        "layernorm.weight": "norm.weight",
        "layernorm.bias": "norm.bias",
    }
    found = {new: tensors[old] for old, new in plain.items() if old in tensors}
    for number in range(12):
        old, new = f"encoder.layer.{number}.", f"blocks.{number}."
        for kind in ("weight", "bias"):
            parts = [tensors[f"{old}attention.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            found[f"{new}attn.qkv.{kind}"] = torch.cat(parts)
            found[f"{new}attn.proj.{kind}"] = tensors[f"{old}attention.output.dense.{kind}"]
            for part in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                found[f"{new}{part}.{kind}"] = tensors[f"{old}{part}.{kind}"]
        for scale in (1, 2):
            found[f"{new}ls{scale}.gamma"] = tensors[f"{old}layer_scale{scale}.lambda1"]
    return found


LAYOUTS = {
    "transformers 4": lambda tensors: tensors,
    "transformers 5": lambda tensors: {renamed_by_transformers_5(name): one for name, one in tensors.items()},
    "dinov2": as_dinov2,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_three_layouts_fill_the_encoder(layout):
    tensors = LAYOUTS[layout](hollow_tensors("rad-dino"))
    covered = cover(tensors, read_card("rad-dino").layout, on_meta().expected())
    assert covered.complete
    assert covered.taken == set(tensors)
    if layout != "dinov2":
        third = covered.filled["blocks.3.attn.qkv.weight"]
        assert [re.search(r"\.([qkv])[a-z_]*\.weight$", name)[1] for name in third] == ["q", "k", "v"]


def test_the_names_of_transformers_5_are_its_own():
    with torch.device("meta"):
        theirs = Dinov2Model(Dinov2Config(image_size=518, patch_size=14)).state_dict()
    ours = {renamed_by_transformers_5(name) for name in hollow_tensors("rad-dino")}
    assert set(theirs) == ours | {"embeddings.mask_token"}


def test_a_file_without_the_attention_is_refused(tmp_path):
    """The 96 tensors that transformers 5 would leave as they were drawn, without an error."""
    tensors = hollow_tensors("rad-dino")
    left = {name: one for name, one in tensors.items() if ".attention." not in name}
    assert len(tensors) - len(left) == 96
    with pytest.raises(CheckpointError, match="rad-dino") as caught:
        load("rad-dino", saved(tmp_path / "model.pth", left))
    assert "missing: blocks.0.attn.qkv.weight" in str(caught.value)


def test_every_block_scales_what_it_adds():
    encoder = on_meta()
    for block in encoder.trunk.blocks:
        assert block.ls1.gamma.shape == block.ls2.gamma.shape == (768,)
        assert block.norm1.eps == block.norm2.eps == 1e-6
    assert encoder.trunk.norm.eps == 1e-6
    assert {"blocks.11.ls1.gamma", "blocks.11.ls2.gamma"} <= set(encoder.expected())


@pytest.mark.parametrize("size", [224, 700])
@torch.no_grad()
def test_positions_are_resampled_as_transformers_does_it(size):
    side = size // 14
    encoder = on_meta()
    encoder.trunk.pos_embed = torch.nn.Parameter(POSITIONS.clone())
    encoder.resize(size)
    ours = encoder.trunk.pos_embed
    with torch.device("meta"):
        embeddings = Dinov2Model(Dinov2Config(image_size=518, patch_size=14, num_hidden_layers=1)).embeddings
    embeddings.position_embeddings = torch.nn.Parameter(POSITIONS)
    theirs = embeddings.interpolate_pos_encoding(torch.empty(1, 1 + side**2, 768), size, size)
    assert relative(ours, theirs) < 1e-6
    by_hand = cubic(POSITIONS[0, 1:].reshape(37, 37, 768), side, aligned=False).flatten(0, 1)
    assert relative(ours[0, 1:], by_hand) < 1e-5
    if size < 518:
        antialiased = resample_abs_pos_embed(POSITIONS, [side, side], num_prefix_tokens=1)
        assert relative(antialiased, theirs) > 1e-2


def test_sides_are_multiples_of_the_patch():
    with pytest.raises(UsageError, match="no multiple of the patch"):
        on_meta(512)


@pytest.mark.parametrize("size", [518, 224])
def test_maps_are_of_the_3rd_6th_9th_and_last_block(size):
    encoder = on_meta(size)
    assert [number + 1 for number in encoder.pyramid.indices] == [3, 6, 9, 12]
    features = encoder.encode(torch.empty(2, 3, size, size, device="meta"))
    assert features.pooled.shape == (2, 768)
    assert features.tokens.shape == (2, 1 + (size // 14) ** 2, 768)
    assert features.strides == (4, 8, 16, 32)
    assert [one.shape[2:] for one in features.maps] == [(size // stride,) * 2 for stride in (4, 8, 16, 32)]


def test_there_is_no_text_side():
    card, encoder = read_card("rad-dino"), on_meta()
    assert card.text is card.scorer is card.fusion is None
    features = encoder.encode(torch.empty(1, 3, 518, 518, device="meta"))
    with pytest.raises(UsageError, match="does not project"):
        encoder.project(features)
    with pytest.raises(UsageError, match="does not compare images with texts"):
        encoder.similarity(features, torch.empty(1, 768))


def test_the_input_is_the_processors():
    spec = read_card("rad-dino").input
    assert (spec.size, spec.resize, spec.resize_to, spec.interpolation) == (518, "center_crop", None, "bicubic")
    assert (spec.mean, spec.std) == ((0.5307,), (0.2583,))


@pytest.mark.slow
def test_every_layout_gives_what_transformers_gives(tmp_path):
    theirs = Dinov2Model(Dinov2Config(image_size=518, patch_size=14)).eval()
    weights = keyed(theirs)
    theirs.load_state_dict(weights)
    back = {renamed_by_transformers_5(name): name for name in hollow_tensors("rad-dino")}
    old = {back[name]: value for name, value in weights.items() if name in back}
    images = {size: seeded_images(size, count=1) for size in (224, 518)}
    with torch.inference_mode():
        expected = {size: theirs(one).last_hidden_state for size, one in images.items()}
        for layout, change in LAYOUTS.items():
            file = tmp_path / f"{layout}.safetensors"
            save_file({name: value.contiguous() for name, value in change(old).items()}, file)
            for size in images if layout == "transformers 4" else (224,):
                ours = load("rad-dino", file, image_size=size).encode(images[size])
                assert relative(ours.tokens, expected[size]) < 1e-5, (layout, size)
                assert torch.equal(ours.pooled, ours.tokens[:, 0])
