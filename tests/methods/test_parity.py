"""Parity with the official code, on everything it computed: needs ../shared/parity."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from keyed_init_rule import keyed_tensor, seeded_images
from official_files import SHARED, certificate, saved

from benchx.methods import load
from benchx.methods.encoders.base import Encoder, Features

PARITY = SHARED / "parity"
TOLERANCE = 1e-5

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="../shared/parity is not there")

Check = Callable[[Encoder, Features], torch.Tensor]
CHECKS: dict[str, dict[str, Check]] = {
    "medklip": {
        "pooled_layer3": lambda encoder, found: found.pooled,
        "map_slice": lambda encoder, found: found.maps[2][:, :4],
        "patch_emb_mean": lambda encoder, found: encoder.project_tokens(found).mean(1),
        "patch_emb_first": lambda encoder, found: encoder.project_tokens(found)[:, 0],
        "patch_emb_last": lambda encoder, found: encoder.project_tokens(found)[:, -1],
    },
    "gloria": {
        "pooled": lambda encoder, found: found.pooled,
        "proj_global": lambda encoder, found: encoder.project(found),
        "local_map_mean": lambda encoder, found: found.tokens.mean(1),
        "local_emb_mean": lambda encoder, found: encoder.project_tokens(found).mean(1),
        "local_emb_slice": lambda encoder, found: (
            encoder.project_tokens(found).transpose(1, 2).unflatten(2, (19, 19))[:, :4]
        ),
        "pooled_no_upsample": lambda encoder, found: found.maps[3].mean((2, 3)),
    },
    "mrm": {
        "pooled": lambda encoder, found: found.pooled,
        "pooled_readme": lambda encoder, found: found.pooled,
        "tokens_prenorm_mean": lambda encoder, found: found.tokens[:, 1:].mean(1),
        "tokens_slice": lambda encoder, found: found.tokens[:, :, :4],
        "block3_patch_mean": lambda encoder, found: found.maps[0].mean((2, 3)),
        "block5_patch_mean": lambda encoder, found: found.maps[1].mean((2, 3)),
        "block7_patch_mean": lambda encoder, found: found.maps[2].mean((2, 3)),
        "block11_patch_mean": lambda encoder, found: found.maps[3].mean((2, 3)),
    },
    "imagenet-resnet50": {
        "pooled": lambda encoder, found: found.pooled,
        "layer1_mean": lambda encoder, found: found.maps[0].mean((2, 3)),
        "layer2_mean": lambda encoder, found: found.maps[1].mean((2, 3)),
        "layer3_mean": lambda encoder, found: found.maps[2].mean((2, 3)),
        "layer4_mean": lambda encoder, found: found.maps[3].mean((2, 3)),
        "map_slice": lambda encoder, found: found.maps[3][:, :4],
    },
    "imagenet-vit-b16": {
        "pooled": lambda encoder, found: found.pooled,
        "patch_mean": lambda encoder, found: found.tokens[:, 1:].mean(1),
        "tokens_slice": lambda encoder, found: found.tokens[:, :, :4],
    },
}


@pytest.fixture(scope="module")
def keyed_init() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shared_keyed_init", PARITY / "keyed_init.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manifest(method: str) -> dict[str, Any]:
    return json.loads((PARITY / "manifests" / f"{method.replace('-', '_')}.json").read_text())


@pytest.mark.parametrize("method", CHECKS)
def test_our_keyed_init_rule_is_theirs(keyed_init, method):
    facts = manifest(method)
    for name in list(certificate(method)["tensors"])[::9]:
        shape = facts["tensors"][name]
        theirs = keyed_init.keyed_array(name, shape, facts["dtypes"].get(name, "float32"))
        assert np.array_equal(keyed_tensor(name, shape).numpy(), theirs)
    assert np.array_equal(seeded_images(32).numpy(), keyed_init.seeded_input(32))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # keyed_init leaves its manifest open
@pytest.mark.parametrize("method", CHECKS)
def test_the_whole_official_checkpoint(tmp_path, keyed_init, method):
    """The file as published: every tensor, the known extra buffers, and an optimizer beside the weights."""
    facts = manifest(method)
    tensors = keyed_init.checkpoint_from_manifest(PARITY / "manifests" / f"{method.replace('-', '_')}.json")
    for key in facts["container"]:
        tensors = tensors[key]
    for name, shape in facts.get("known_extra_in_official", {}).items():
        tensors[name] = torch.arange(shape[-1]).expand(shape)
    beside = {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "epoch": 1}
    path = saved(tmp_path / "official.pth", tensors, tuple(facts["container"]), **beside)
    del tensors
    encoder = load(method, path)
    expected = np.load(PARITY / "expected" / f"{method.replace('-', '_')}.npz")
    with torch.inference_mode():
        found = encoder.encode(seeded_images(224))
        for name, value in CHECKS[method].items():
            ours, theirs = value(encoder, found).numpy(), expected[name]
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() / np.abs(theirs).max() < TOLERANCE, name
