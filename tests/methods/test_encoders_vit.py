"""ViT-B of CLIP's and REFERS's kind against open_clip and transformers with the same weights."""

from __future__ import annotations

import open_clip
import pytest
import torch
from comparing import keyed, relative
from official_files import saved
from transformers import ViTConfig, ViTModel

from benchx.errors import UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import seeded_images

# transformers -> the names of REFERS.
REFERS = (
    ("embeddings.patch_embeddings.projection", "transformer.embeddings.patch_embeddings"),
    ("embeddings.cls_token", "transformer.embeddings.cls_token"),
    ("embeddings.position_embeddings", "transformer.embeddings.position_embeddings"),
    ("layernorm_before", "attention_norm"),
    ("layernorm_after", "ffn_norm"),
    ("attention.q_proj", "attn.query"),
    ("attention.k_proj", "attn.key"),
    ("attention.v_proj", "attn.value"),
    ("attention.o_proj", "attn.out"),
    ("mlp.fc", "ffn.fc"),
)


def on_meta(name: str, size: int | None = None) -> Encoder:
    with torch.device("meta"):
        encoder = build_encoder(read_card(name))
    encoder.resize(size or encoder.image_size)
    return encoder.eval()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["clip-vit-b16", "clip-vit-b32", "chexzero"])
def test_clip_equals_open_clip(tmp_path, method):
    patch = 16 if method == "clip-vit-b16" else 32
    theirs = open_clip.create_model(f"ViT-B-{patch}-quickgelu", pretrained=None).eval()
    weights = keyed(theirs)
    theirs.load_state_dict(weights)
    encoder = load(method, saved(tmp_path / "x.pt", weights), text=False)
    images = seeded_images(224, count=1)
    with torch.inference_mode():
        ours = encoder.encode(images)
        assert torch.equal(encoder(images), ours.pooled)
        assert relative(encoder.project(ours), theirs.encode_image(images)) < 1e-5
        assert relative(encoder.trunk.norm(ours.tokens[:, 0]), ours.pooled) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("method", ["refers", "refers-pretrain"])
def test_refers_equals_transformers(tmp_path, method):
    theirs = ViTModel(ViTConfig(layer_norm_eps=1e-6), add_pooling_layer=False).eval()
    weights = keyed(theirs)
    theirs.load_state_dict(weights)
    renamed = {}
    for name, value in weights.items():
        if name.startswith("layernorm."):
            name = f"encoder.encoder_norm.{name.removeprefix('layernorm.')}"
        for old, new in REFERS:
            name = name.replace(old, new)
        if "layers." in name:
            name = "encoder.layer." + name.split("layers.", 1)[1]
        renamed[name if name.startswith("transformer.") else f"transformer.{name}"] = value
    if method == "refers-pretrain":
        renamed = {"model": {f"visual.vit.{name}": value for name, value in renamed.items()}}
    encoder = load(method, saved(tmp_path / "x.pth", renamed), text=False)
    images = seeded_images(224, count=1)
    with torch.inference_mode():
        ours, tokens = encoder.encode(images), theirs(images).last_hidden_state
    assert relative(ours.tokens, tokens) < 1e-5
    assert torch.equal(ours.pooled, ours.tokens[:, 0])
    if method == "refers-pretrain":
        assert torch.equal(encoder.project(ours), torch.cat([ours.pooled] * 3, dim=1))
    else:
        with pytest.raises(UsageError, match="does not project"):
            encoder.project(ours)


@pytest.mark.parametrize("size", [224, 512])
@pytest.mark.parametrize("method", ["mgca-vit", "refers", "clip-vit-b16", "clip-vit-b32", "chexzero", "biomedclip"])
def test_every_map_has_its_stride(method, size):
    encoder = on_meta(method, size)
    features = encoder.encode(torch.empty(2, 3, size, size, device="meta"))
    assert features.pooled.shape == (2, 768)
    assert features.tokens.shape == (2, 1 + (size // encoder.patch_size) ** 2, 768)
    assert features.strides == (4, 8, 16, 32)
    assert [tuple(one.shape) for one in features.maps] == [
        (2, 768, size // side, size // side) for side in (4, 8, 16, 32)
    ]


@pytest.mark.parametrize(("method", "width"), [("mgca-vit", 128), ("clip-vit-b32", 512), ("refers-pretrain", 2304)])
def test_projections_have_their_width(method, width):
    encoder = on_meta(method)
    features = encoder.encode(torch.empty(2, 3, 224, 224, device="meta"))
    assert encoder.project(features).shape == (2, width)
    if method == "mgca-vit":
        assert encoder.project_tokens(features).shape == (2, 197, width)


def test_patch_mean_keeps_the_pretrained_norm():
    card = read_card("imagenet-vit-b16")
    with torch.device("meta"):
        encoder = build_encoder(card.model_copy(update={"pooling": "patch_mean"}))
    assert "norm.weight" in encoder.expected()
    assert not encoder.fresh
