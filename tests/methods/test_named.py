"""Models that timm and open_clip know by name: their cards, and their features against the libraries' own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import open_clip
import pytest
import timm
import torch
from comparing import relative, with_keyed
from safetensors.torch import save_file
from transformers import BertConfig

from benchx.errors import UsageError, WeightsMissing
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders.pyramid import choose_blocks
from benchx.methods.keyed_init import seeded_images
from benchx.methods.weights import find_checkpoint

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 50, "width": 32, "heads": 2, "layers": 2},
}
TIMM_TOWER = {"timm_model_name": "test_vit", "timm_model_pretrained": True, "timm_pool": "", "timm_proj": "linear"}
IDS = torch.tensor([[48, 5, 6, 49, 0, 0, 0, 0, 0, 0, 0, 0], [48, 7, 49, 0, 0, 0, 0, 0, 0, 0, 0, 0]])


def timm_file(folder: Path, name: str) -> tuple[Path, torch.nn.Module]:
    """A file as timm publishes it, classifier included, and the model that reads it."""
    whole = with_keyed(timm.create_model(name, pretrained=False))
    path = folder / "model.safetensors"
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, path)
    whole.reset_classifier(0)
    return path, whole


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_vit", "test_vit3", "test_efficientnet", "test_convnext", "test_mambaout", "test_maxvit"],
)
def test_a_timm_model_equals_timm(tmp_path, name):
    path, theirs = timm_file(tmp_path, name)
    encoder = load(f"timm:{name}", path)
    images = seeded_images(encoder.image_size)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert relative(features.pooled, theirs(images)) < 1e-5
        assert relative(encoder(images), features.pooled) < 1e-5
    assert features.pooled.shape == (2, encoder.dim)
    assert features.tokens.ndim == 3
    assert features.strides == (4, 8, 16, 32)
    assert [one.shape[-1] for one in features.maps] == [encoder.image_size // stride for stride in features.strides]


def test_buffers_that_are_in_no_file_are_made(tmp_path):
    path, theirs = timm_file(tmp_path, "test_vit_relpos")
    before = torch.random.get_rng_state()
    encoder = load("timm:test_vit_relpos", path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(buffer.is_meta for buffer in encoder.buffers())
    with torch.inference_mode():
        images = seeded_images(160)
        assert relative(encoder(images), theirs(images)) < 1e-5


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_a_timm_model_takes_images_of_another_side(tmp_path, name):
    path, theirs = timm_file(tmp_path, name)
    encoder = load(f"timm:{name}", path, image_size=128)
    if hasattr(theirs, "set_input_size"):
        theirs.set_input_size(img_size=(128, 128))
    images = seeded_images(128)
    with torch.inference_mode():
        assert relative(encoder(images), theirs(images)) < 1e-5
        assert [one.shape[-1] for one in encoder.encode(images).maps] == [32, 16, 8, 4]


def test_positions_are_resized_only_where_the_card_says_so(tmp_path):
    card = read_card("timm:test_vit")
    choice = card.encoder.model_copy(update={"arguments": {"model": "test_vit"}})
    path, _ = timm_file(tmp_path, "test_vit")
    with pytest.raises(UsageError, match="does not allow"):
        load(card.model_copy(update={"encoder": choice}), path, image_size=128)
    with pytest.raises(UsageError, match="image_size"):
        load(card, path)(torch.zeros(1, 3, 128, 128))


def test_the_card_says_what_timm_knows():
    card = read_card("timm:vit_small_patch16_224.augreg_in21k")
    assert card.name == "timm:vit_small_patch16_224.augreg_in21k"
    assert card.licence == "apache-2.0"
    assert card.weights.hub.repo == "timm/vit_small_patch16_224.augreg_in21k"
    assert (card.input.size, card.input.resize, card.input.resize_to) == (224, "center_crop", 248)
    assert (card.input.mean, card.input.interpolation) == ((0.5, 0.5, 0.5), "bicubic")
    assert {seen.dataset for seen in card.exposure} == {"imagenet-21k"}
    assert read_card("timm:resnet18").encoder.arguments == {"model": "resnet18.a1_in1k"}
    assert read_card("timm:resnet18").paper == "arXiv:2110.00476"
    assert Card.model_validate(card.model_dump()) == card


def test_weights_are_found_by_the_cards_name(tmp_path):
    for name, file in (
        ("timm:resnet18", "resnet18.a1_in1k.safetensors"),
        ("open_clip:ViT-B-32/openai", "open_clip_model.safetensors"),
    ):
        path = tmp_path / name / file
        path.parent.mkdir(parents=True)
        path.touch()
        assert find_checkpoint(read_card(name), None, tmp_path) == path


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("timm:resnet19", "did you mean 'resnet18'"),
        ("timm:resnet18.a1_in2k", "did you mean 'resnet18.a1_in1k'"),
        ("timm:hf-hub:owner/name", "no model 'hf-hub:owner/name'"),
        ("timm:", "no model ''"),
        ("timm:volo_d5_512", "resize_to"),
        ("open_clip:ViT-B-33", "did you mean 'ViT-B-32'"),
        ("open_clip:ViT-B-32/laion3b_s34b_b79k", "did you mean 'laion2b_s34b_b79k'"),
        ("open_clip:coca_base", "CoCa"),
    ],
)
def test_a_name_that_a_library_does_not_know(name, word):
    with pytest.raises(UsageError, match=word):
        read_card(name)


def test_a_hub_model_without_its_configuration_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"open_clip_config\.json"):
        read_card("open_clip:hf-hub:owner/absent")


def test_open_clip_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match=r"benchx\[open-clip\]"):
        read_card("open_clip:ViT-S-32")


def tiny(root: Path, monkeypatch: pytest.MonkeyPatch, owner: str, config: dict) -> str:
    """Put a small model's configuration into the weights root, as a person would."""
    monkeypatch.setenv("BENCHX_WEIGHTS", str(root))
    name = f"open_clip:hf-hub:{owner}/tiny"
    (root / name).mkdir(parents=True)
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "resize_mode": "squash"}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    (root / name / "open_clip_config.json").write_text(text)
    return name


@pytest.mark.parametrize("custom", [False, True])
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_an_open_clip_model_equals_open_clip(tmp_path, monkeypatch, custom, quick_gelu):
    name = tiny(tmp_path, monkeypatch, f"plain{custom}{quick_gelu}", {**TINY, "quick_gelu": quick_gelu})
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    theirs = with_keyed(kind(TINY["embed_dim"], TINY["vision_cfg"], TINY["text_cfg"], quick_gelu=quick_gelu))
    save_file(theirs.state_dict(), tmp_path / name / "open_clip_model.safetensors")
    encoder = load(name)
    images = seeded_images(64)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert relative(encoder.project(features), theirs.encode_image(images)) < 1e-5
        assert torch.equal(encoder(images), features.pooled)
        assert relative(encoder.encode_tokens(IDS), theirs.encode_text(IDS)) < 1e-5
        expected = theirs.get_logits(images, IDS)[0]
        assert relative(encoder.similarity(features, encoder.read_tokens(IDS)), expected) < 1e-5
    assert encoder.dim == 64
    assert features.tokens.shape == (2, 16, 64)
    assert [tuple(one.shape) for one in features.maps] == [(2, 64, side, side) for side in (16, 8, 4, 2)]
    encoder.resize(96)
    assert encoder.encode(seeded_images(96)).maps[0].shape == (2, 64, 24, 24)
    with pytest.raises(UsageError, match="multiple"):
        encoder.resize(100)


def test_an_open_clip_model_with_a_timm_tower(tmp_path, monkeypatch):
    vision = {"image_size": 160, **TIMM_TOWER}
    name = tiny(tmp_path, monkeypatch, "timm", {**TINY, "vision_cfg": vision})
    theirs = with_keyed(open_clip.CustomTextCLIP(24, {**vision, "timm_model_pretrained": False}, TINY["text_cfg"]))
    save_file(theirs.state_dict(), tmp_path / name / "open_clip_model.safetensors")
    encoder = load(name)
    assert read_card(name).input.resize == "stretch"
    images = seeded_images(160)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert relative(encoder.project(features), theirs.encode_image(images)) < 1e-5
        assert features.strides == (4, 8, 16, 32)
        encoder.resize(128)
        assert encoder(seeded_images(128)).shape == (2, 64)


def test_an_open_clip_resnet(tmp_path, monkeypatch):
    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None, "head_width": 32}
    name = tiny(tmp_path, monkeypatch, "resnet", {**TINY, "vision_cfg": vision})
    theirs = with_keyed(open_clip.CLIP(24, vision, TINY["text_cfg"]))
    save_file(theirs.state_dict(), tmp_path / name / "open_clip_model.safetensors")
    encoder = load(name)
    images = seeded_images(64)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert relative(features.pooled, theirs.encode_image(images)) < 1e-5
    assert features.strides == (4, 8, 16, 32)
    assert [one.shape[-1] for one in features.maps] == [16, 8, 4, 2]
    with pytest.raises(UsageError, match="cannot resize"):
        encoder.resize(96)


def test_which_blocks_become_maps():
    assert choose_blocks([16] * 12).indices == (2, 5, 8, 11)
    assert choose_blocks([2, 4, 8, 16, 32]).indices == (1, 2, 3, 4)
    assert choose_blocks([8, 16, 16, 16]).strides == (8, 16)
    assert choose_blocks([]).strides == ()


def test_an_open_clip_model_with_a_hugging_face_text_tower(tmp_path, monkeypatch):
    text = {"hf_model_name": "owner/tiny-bert", "hf_tokenizer_name": "owner/tiny-bert", "hf_proj_type": "mlp"}
    text |= {"hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 12}
    name = tiny(tmp_path, monkeypatch, "bert", {**TINY, "text_cfg": text})
    assert read_card(name).text.tokenizer.repo == "owner/tiny-bert"
    folder = tmp_path / "tokenizers" / "owner--tiny-bert"
    folder.mkdir(parents=True)
    BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    ).save_pretrained(folder)
    local = {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}
    theirs = with_keyed(open_clip.CustomTextCLIP(24, TINY["vision_cfg"], local))
    save_file(theirs.state_dict(), tmp_path / name / "open_clip_model.safetensors")
    encoder = load(name)
    with torch.inference_mode():
        assert relative(encoder.encode_tokens(IDS), theirs.encode_text(IDS)) < 1e-5
    (folder / "config.json").unlink()
    without = load(name)
    assert without.image_size == encoder.image_size
    with pytest.raises(WeightsMissing, match=r"config\.json of owner/tiny-bert"):
        without.encode_tokens(IDS)
