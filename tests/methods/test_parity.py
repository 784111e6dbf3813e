"""Parity with the official code, on everything it computed: needs ../shared/parity and parity-seeds."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from types import ModuleType

import numpy as np
import parity_checks
import pytest
import torch
from official_files import PARITY, expected_file, manifest, official_file
from parity_checks.run import Check, Run

from benchx.methods import load
from benchx.methods.keyed_init import keyed_tensor, seeded_images

TOLERANCE = 1e-5

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="../shared/parity is not there")


def all_checks() -> dict[str, dict[str, Check]]:
    found: dict[str, dict[str, Check]] = {}
    for module in pkgutil.iter_modules(parity_checks.__path__):
        for method, checks in getattr(importlib.import_module(f"parity_checks.{module.name}"), "CHECKS", {}).items():
            found.setdefault(method, {}).update(checks)
    return found


CHECKS = all_checks()


@pytest.fixture(scope="module")
def keyed_init() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shared_keyed_init", PARITY / "keyed_init.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("method", CHECKS)
def test_our_keyed_init_rule_is_theirs(keyed_init, method):
    facts = manifest("kad__model" if method == "kad" else method)
    kinds: dict[str, str] = {}
    for name in facts["tensors"]:
        kinds.setdefault(name.rsplit(".", 1)[-1], name)
    for name in kinds.values():
        shape = facts["tensors"][name]
        theirs = keyed_init.keyed_array(name, shape, facts.get("dtypes", {}).get(name, "float32"))
        assert np.array_equal(keyed_tensor(name, shape).numpy(), theirs), name
    assert np.array_equal(seeded_images(32).numpy(), keyed_init.seeded_input(32))


@pytest.mark.slow
@pytest.mark.parametrize("method", CHECKS)
def test_the_whole_official_checkpoint(tmp_path, method):
    """The file as published: every tensor, the known extra buffers, and an optimizer beside the weights."""
    if not expected_file(method).is_file():
        pytest.skip("the figures of this method are not there")
    expected = np.load(expected_file(method))
    run = Run(load(method, official_file(tmp_path, method)), expected)
    with torch.inference_mode():
        for name, check in CHECKS[method].items():
            ours, theirs = check(run).numpy(), expected[name]
            assert ours.shape == theirs.shape, name
            assert np.abs(ours - theirs).max() / np.abs(theirs).max() < TOLERANCE, name
