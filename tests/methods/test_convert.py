"""Converted checkpoints: the same numbers, in a file that needs no unpickling."""

from __future__ import annotations

import argparse

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from benchx.digests import digest_file
from benchx.errors import CheckpointError, UsageError
from benchx.methods.checkpoints.convert import convert

BASE = torch.randn(4, 6)
STATE = {"w": BASE, "same": BASE, "turned": BASE.t(), "row": BASE[1], "half": BASE.half(), "n": torch.tensor(3)}


@pytest.mark.parametrize("zipped", [True, False])
def test_every_tensor_is_the_same_and_independent(tmp_path, zipped):
    source, out = tmp_path / "x.ckpt", tmp_path / "x.safetensors"
    tree = {"state_dict": {**STATE, "note": "text"}, "hyper": argparse.Namespace(lr=1.0)}
    torch.save(tree, source, _use_new_zipfile_serialization=zipped)
    made = convert(source, out)
    read = load_file(out)
    assert read.keys() == STATE.keys()
    assert all(read[name].dtype == value.dtype and torch.equal(read[name], value) for name, value in STATE.items())
    assert (made.file, made.tensors, made.bytes) == (out, len(STATE), out.stat().st_size)
    assert (made.sha256, made.dropped) == (digest_file(out), ("note",))
    with safe_open(out, "pt") as file:
        assert file.metadata()["source"] == "x.ckpt"
        assert file.metadata()["source_sha256"] == digest_file(source)
        assert file.metadata()["container"] == "state_dict"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.ckpt", "x.safetensors"]


def test_several_state_dicts_must_be_told_apart(tmp_path):
    source = tmp_path / "x.pth"
    torch.save({"model": STATE, "ema": {"a": {"w": BASE}}}, source)
    with pytest.raises(CheckpointError, match=r"model \(6 tensors\), ema.a \(1 tensors\)"):
        convert(source, tmp_path / "x.safetensors")
    assert convert(source, tmp_path / "x.safetensors", ["ema", "a"]).tensors == 1


def test_a_file_that_exists_is_kept(tmp_path):
    source, out = tmp_path / "x.pth", tmp_path / "out"
    torch.save(STATE, source)
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        convert(source, out)
    assert out.read_bytes() == b"mine"
    with pytest.raises(UsageError, match="no folder"):
        convert(source, tmp_path / "absent" / "out")


def test_files_that_hold_nothing_to_convert(tmp_path):
    source, out = tmp_path / "x.pth", tmp_path / "out"
    torch.save({"w": torch.ones(1).expand(10**12)}, source)
    with pytest.raises(CheckpointError, match="repeat a few numbers"):
        convert(source, out)
    torch.save({"w": torch.ones(1, dtype=torch.float64).expand(1000)}, source)
    with pytest.raises(CheckpointError, match="tensors of 8000 bytes"):
        convert(source, out)
    torch.save({"w": torch.ones(2, dtype=torch.complex64)}, source)
    with pytest.raises(CheckpointError, match="complex64"):
        convert(source, out)
    torch.save({"epoch": 3}, source)
    with pytest.raises(CheckpointError, match="no tensors"):
        convert(source, out)
    assert not out.exists()
