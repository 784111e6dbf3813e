"""Torch's format before release 1.6, damaged and hostile."""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import struct
from pathlib import Path

import pytest
import torch

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.reading import read_file, read_tensors

WEIGHT = torch.arange(6.0).reshape(2, 3)


class Reduced:
    """Unpickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def legacy(path: Path, tree, protocol: int = 2) -> Path:
    torch.save(tree, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("protocol", [1, 2, 3, 4])
def test_foreign_classes_become_stubs_and_nothing_runs(tmp_path, protocol):
    marker = tmp_path / "marker"
    tree = {"state_dict": {"w": WEIGHT, "part": WEIGHT[1:, ::2], "half": WEIGHT.half()}, "x": argparse.Namespace(a=1)}
    hostile = [Reduced(os.system, f"touch {marker}"), Reduced(eval, f"open({str(marker)!r}, 'w')")]
    read = read_tensors(legacy(tmp_path / "x.pth", {**tree, "hostile": hostile}, protocol), ["state_dict"])
    assert all(torch.equal(read[name], value) for name, value in tree["state_dict"].items())
    assert not marker.exists()


def test_a_file_cut_anywhere(tmp_path):
    data = legacy(tmp_path / "x.pth", {"w": WEIGHT, "x": argparse.Namespace()}).read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            read_file(path)


def test_bytes_changed_at_random_give_a_tree_or_one_clear_error(tmp_path):
    data = legacy(tmp_path / "x.pth", {"w": WEIGHT, "x": argparse.Namespace(a=[1, {"b": 2}])}).read_bytes()
    rng, path = random.Random(0), tmp_path / "mutated.pth"
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(2):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        with contextlib.suppress(CheckpointError):
            read_tensors(path)


@pytest.mark.parametrize("numel", [0, 5, 7, 2**62, 2**64 - 1])
def test_storages_of_the_wrong_size(tmp_path, numel):
    path = legacy(tmp_path / "x.pth", {"w": WEIGHT})
    data = path.read_bytes()
    path.write_bytes(data[: -(8 + 24)] + struct.pack("<Q", numel) + data[-24:])
    with pytest.raises(CheckpointError, match="not as long as it should be"):
        read_file(path)


def nested() -> bytes:
    pairs = b"".join(b"p%d\ng%d\n\x86" % (level, level) for level in range(200))
    return b"](" + b")" + pairs + b"e."


HEADERS = {
    "no storages": (2, b"N."),
    "a storage of no tensor": (2, pickle.dumps(["0"])),
    "nested tuples as storages": (2, nested()),
    "nested tuples as version": (0, nested()),
    "a big-endian machine": (1, pickle.dumps({"little_endian": False})),
    "another version": (0, pickle.dumps(1002)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_make_no_sense(tmp_path, name):
    path = legacy(tmp_path / "x.pth", {"w": 1})
    with path.open("rb") as file:
        magic = pickle.dumps(pickle.load(file), 2)
        parts = [pickle.dumps(pickle.load(file), 2) for _ in range(4)]
    place, replacement = HEADERS[name]
    parts[place if place < 2 else 3] = replacement
    path.write_bytes(magic + b"".join(parts))
    with pytest.raises(CheckpointError, match="does not read"):
        read_file(path)


def test_opcodes_are_counted_over_all_pickles_of_a_file(tmp_path, monkeypatch):
    path = legacy(tmp_path / "x.pth", {"w": WEIGHT})
    monkeypatch.setattr("benchx.methods.checkpoints.pickle_machine.MAX_OPCODES", 60)
    with pytest.raises(CheckpointError, match="longer than 60 opcodes"):
        read_file(path)
