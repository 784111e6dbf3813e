"""Strict loading: every tensor comes from the file, or an error says what would have fitted."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from official_files import certificate, hollow_tensors, saved

from benchx.errors import CheckpointError, UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.keyed_init import keyed_tensor
from benchx.methods.loading import filled

MODEL = ("model",)


@pytest.fixture(scope="module")
def medklip() -> dict[str, torch.Tensor]:
    return {name: keyed_tensor(name, shape) for name, shape in certificate("medklip")["tensors"].items()}


def error_for(method: str, path: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        load(method, path)
    return caught.value


def test_a_loaded_encoder_holds_the_files_weights_and_not_the_file(tmp_path, medklip):
    path = saved(tmp_path / "MedKLIP.pth", medklip, MODEL, optimizer={"state": {}}, epoch=3)
    encoder = load("medklip", str(path))
    path.write_bytes(b"gone")
    assert not encoder.training
    assert torch.equal(encoder.trunk.layer3[5].conv3.weight, medklip["module.res_features.6.5.conv3.weight"])
    assert torch.equal(encoder.token_projection[2].bias, medklip["module.res_l2.bias"])
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_foreign_classes_beside_the_weights_do_not_matter(tmp_path, medklip):
    path = saved(tmp_path / "x.pth", medklip, MODEL, config=argparse.Namespace(lr=1.0))
    assert torch.equal(load("medklip", path).trunk.conv1.weight, medklip["module.res_features.0.weight"])


def test_what_is_left_over_is_counted_by_group(tmp_path, medklip):
    beside = {
        "module.extra.layers.0.weight": torch.ones(2),
        "module.extra.norm.bias": torch.ones(2),
        "module.text.embeddings.position_ids": torch.arange(3),
        "logit_scale": torch.tensor(1.0),
    }
    found = filled(read_card("medklip"), saved(tmp_path / "x.pth", {**medklip, **beside}, MODEL))
    assert found.unused == {"module.extra": 2, "logit_scale": 1}
    assert found.filled == {"image encoder": 262, "scorer": 78}
    assert found.dtypes == {"float32": 297, "int64": 43}


def test_half_precision_weights_become_float32_and_are_counted(tmp_path, medklip):
    half = {name: value.half() if value.is_floating_point() else value for name, value in medklip.items()}
    found = filled(read_card("medklip"), saved(tmp_path / "x.pth", half, MODEL))
    assert found.dtypes == {"float16": 297, "int64": 43}
    assert {value.dtype for value in found.encoder.parameters()} == {torch.float32}


def test_batch_counters_may_be_absent(tmp_path, medklip):
    old = {name: value for name, value in medklip.items() if "num_batches" not in name}
    encoder = load("medklip", saved(tmp_path / "x.pth", old, MODEL))
    assert encoder.trunk.bn1.num_batches_tracked == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers(tmp_path, medklip, value):
    name = "module.res_features.5.0.conv1.weight"
    bad = medklip[name].clone()
    bad[3, 1] = value
    error = error_for("medklip", saved(tmp_path / "x.pth", {**medklip, name: bad}, MODEL))
    assert name in error.what
    assert "NaN or infinite" in error.what


def test_integers_in_place_of_weights(tmp_path, medklip):
    name = "module.res_l1.bias"
    whole = {**medklip, name: torch.ones(1024, dtype=torch.int8)}
    error = error_for("medklip", saved(tmp_path / "x.pth", whole, MODEL))
    assert name in error.what


@pytest.mark.parametrize("prefix", ["", "net.module.", "model.visual."])
def test_a_wrong_prefix_is_answered_with_the_right_one(tmp_path, prefix):
    renamed = {prefix + name.removeprefix("module."): value for name, value in hollow_tensors("medklip").items()}
    error = error_for("medklip", saved(tmp_path / "x.pth", {**renamed, "other.w": torch.ones(1)}, MODEL))
    assert "fills 0 of" in error.what
    assert "missing: conv1.weight" in error.why
    assert f"prefix '{prefix}' in container ['model']" in error.todo


def test_a_wrong_container_is_answered_with_the_right_one(tmp_path):
    path = saved(tmp_path / "x.pth", hollow_tensors("medklip"), ("state", "net"))
    error = error_for("medklip", path)
    assert "no container 'model'" in error.what
    assert error.why.endswith("state")
    assert "prefix 'module.' in container ['state', 'net']" in error.todo


@pytest.mark.parametrize(
    ("method", "other", "container"),
    [
        ("medklip", "gloria", ("state_dict",)),
        ("imagenet-vit-b16", "mrm", MODEL),
        ("gloria", "medklip", MODEL),
        ("cxr-bert", "biovil", ()),
        ("chexzero", "clip-vit-b16", ()),
    ],
)
def test_another_methods_file_is_answered_with_its_name(tmp_path, method, other, container):
    error = error_for(method, saved(tmp_path / "x.pth", hollow_tensors(other), container))
    assert f"fits the method '{other}'" in error.todo


def test_a_file_of_no_known_method(tmp_path):
    error = error_for("medklip", saved(tmp_path / "x.pth", {"encoder.weight": torch.ones(2, 2)}, MODEL))
    assert "left over: encoder.* (1)" in error.why
    assert "another method's" in error.todo
    assert "drive.google.com" in error.todo


def test_a_missing_stage(tmp_path):
    cut = {n: v for n, v in hollow_tensors("imagenet-resnet50").items() if not n.startswith("layer4.")}
    error = error_for("imagenet-resnet50", saved(tmp_path / "x.pth", cut))
    assert "layer4.0.conv1.weight" in error.why
    assert "and " in error.why
    assert "incomplete" in error.todo


@pytest.mark.parametrize(
    ("method", "name", "places"),
    [
        ("imagenet-vit-b16", "pos_embed", (1, 577, 768)),
        ("clip-vit-b32", "visual.positional_embedding", (145, 768)),
    ],
)
def test_a_checkpoint_for_another_image_size_is_answered_with_that_size(tmp_path, method, name, places):
    tensors = hollow_tensors(method) | {name: torch.ones(places)}
    error = error_for(method, saved(tmp_path / "x.pth", tensors))
    assert f"is {places}" in error.why
    assert "the file is for images of 384 px" in error.todo
    assert "input.size" in error.todo
    card = read_card(method)
    advised = card.model_copy(update={"input": card.input.model_copy(update={"size": 384})})
    with torch.device("meta"):
        assert cover(tensors, card.layout, build_encoder(advised).expected()).complete


def test_a_tensor_of_another_shape(tmp_path):
    tensors = hollow_tensors("imagenet-vit-b16") | {"norm.weight": torch.ones(3)}
    error = error_for("imagenet-vit-b16", saved(tmp_path / "x.pth", tensors))
    assert "wrong shape: norm.weight (768,) is (3,)" in error.why
    assert "input.size" not in error.todo


def test_two_tensors_for_one_place(tmp_path):
    names = {**hollow_tensors("medklip"), "module.conv1.weight": torch.ones(1)}
    error = error_for("medklip", saved(tmp_path / "x.pth", names, MODEL))
    assert "'conv1.weight'" in error.what


def test_random_weights_are_the_same_each_time_and_leave_the_callers_draws_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = load("random-efficientnet-lite0")
    assert torch.equal(torch.rand(3), expected)
    second = load("random-efficientnet-lite0").state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.state_dict().items())
    card = read_card("random-efficientnet-lite0")
    other = load(card.model_copy(update={"weights": card.weights.model_copy(update={"seed": 1})}))
    assert not torch.equal(other.trunk.conv_stem.weight, first.trunk.conv_stem.weight)


def test_a_random_method_takes_no_checkpoint(tmp_path):
    with pytest.raises(UsageError, match="takes no checkpoint"):
        load("random-resnet50", tmp_path / "x.pth")
