"""Hostile files: whatever a checkpoint asks for, nothing of it happens, and its tensors still load."""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from benchx.errors import CheckpointError
from benchx.methods.checkpoints import pickle_machine
from benchx.methods.checkpoints.pickle_machine import Stub
from benchx.methods.checkpoints.reading import load_tensor, read_file, read_tensors
from benchx.methods.checkpoints.torch_zip import read_zip


class Reduced:
    """Unpickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture
def marker(tmp_path) -> Path:
    """The file that appears if anything of a hostile pickle runs."""
    return tmp_path / "marker"


def planted(path: Path, opcodes: bytes, weight: torch.Tensor) -> Path:
    """A torch file {'weight': weight, 'planted': what the opcodes leave on the stack}."""
    torch.save({"weight": weight}, path)
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    root = next(iter(records)).split("/")[0]
    body = records[f"{root}/data.pkl"].removesuffix(b".")
    records[f"{root}/data.pkl"] = body + pickle.dumps("planted", protocol=0)[:-1] + opcodes + b"s."
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(name, data)
    return path


WEIGHT = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_calls_in_the_file_are_not_made(tmp_path, marker, protocol):
    hostile = {
        "system": Reduced(os.system, f"touch {marker}"),
        "eval": Reduced(eval, f"open({str(marker)!r}, 'w')"),
        "popen": Reduced(subprocess.Popen, ["touch", str(marker)]),
        "attribute": Reduced(getattr, Reduced(__import__, "os"), "system"),
        "nested": Reduced(map, Reduced(exec, f"open({str(marker)!r}, 'w')"), [Reduced(os.system, f"touch {marker}")]),
    }
    path = tmp_path / "hostile.ckpt"
    torch.save({"state_dict": {"w": WEIGHT}, **hostile}, path, pickle_protocol=protocol)
    tensors = read_tensors(path, ["state_dict"])
    assert torch.equal(tensors["w"], WEIGHT)
    assert isinstance(read_zip(path)["system"], Stub)
    assert not marker.exists()


def test_the_hostile_file_would_have_run(tmp_path, marker):
    path = tmp_path / "hostile.ckpt"
    torch.save({"x": Reduced(os.system, f"touch {marker}")}, path)
    torch.load(path, weights_only=False)
    assert marker.exists()


OPCODES = {
    "GLOBAL REDUCE": b"cos\nsystem\n(S'touch MARKER'\ntR",
    "INST": b"(S'touch MARKER'\nios\nsystem\n",
    "OBJ": b"(cos\nsystem\nS'touch MARKER'\no",
    "STACK_GLOBAL": b"\x8c\x02os\x8c\x06system\x93(S'touch MARKER'\ntR",
    "dotted name": b"\x8c\x08builtins\x8c\x0f__import__.eval\x93(S'1'\ntR",
    "NEWOBJ": b"csubprocess\nPopen\n((lS'touch'\naS'MARKER'\nat\x81",
    "NEWOBJ_EX": b"csubprocess\nPopen\n((lS'touch'\naS'MARKER'\nat}\x92",
    "call of a result": b"cbuiltins\ngetattr\n(cos\n_\nS'system'\ntR(S'touch MARKER'\ntR",
    "BUILD on a stub": b"cos\nsystem\n)\x81}S'__setstate__'\ncos\nsystem\nsb(S'touch MARKER'\ntb",
    "nested BUILD": b"ca\nB\n)\x81(ca\nC\n)\x81(}S'k'\ncos\nsystem\nstbtb",
    "BUILD on a class": b"cos\nsystem\n}S'__call__'\ncos\nabort\nsb",
    "BUILD on a rebuilder": b"ctorch._utils\n_rebuild_tensor_v2\n(N}S'__code__'\ncos\nsystem\nstb",
    "attributes that shadow methods": b"ccollections\nOrderedDict\n)R}S'items'\ncos\nsystem\nsb",
    "list and set of a foreign class": b"ca\nL\n)\x81(I1\nI2\ne(I3\n\x90",
    "dict of a foreign class": b"ca\nD\n)\x81(S'k'\nI1\nu",
}


@pytest.mark.parametrize("name", OPCODES)
def test_every_opcode_that_could_call_meets_a_stub(tmp_path, marker, name):
    opcodes = OPCODES[name].replace(b"MARKER", str(marker).encode())
    path = planted(tmp_path / "planted.pth", opcodes, WEIGHT)
    tree = read_zip(path)
    assert torch.equal(load_tensor(tree["weight"]), WEIGHT)
    assert torch.equal(read_tensors(path)["weight"], WEIGHT)
    assert not marker.exists()


def test_a_file_leaves_nothing_behind_for_the_next(tmp_path):
    spoil = b"ctorch._utils\n_rebuild_tensor_v2\n(}S'make'\ncos\nsystem\ns}S'make'\ncos\nsystem\nstb"
    read_zip(planted(tmp_path / "a.pth", spoil, WEIGHT))
    again = read_zip(planted(tmp_path / "b.pth", b"N", WEIGHT))
    assert torch.equal(load_tensor(again["weight"]), WEIGHT)


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x82\x01",
        b"S'x'\nQ",
        b"I1\n(I2\ntR",
        b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI0\n(t(ttR",
        b"ctorch._utils\n_rebuild_tensor_v2\n(tR",
        b"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI6\ntQL%dL\n(t(ttR"
        % 10**30,
        b"g99\n",
    ],
    ids=[
        "extension",
        "persistent id",
        "call of a number",
        "no storage",
        "no arguments",
        "an offset beyond all files",
        "no memo",
    ],
)
def test_nonsense_is_one_clear_error(tmp_path, opcodes):
    path = planted(tmp_path / "planted.pth", opcodes, WEIGHT)
    with pytest.raises(CheckpointError, match="pickle does not read"):
        read_file(path)


def test_mutated_pickles_give_a_tree_or_one_clear_error(tmp_path, marker):
    rng = random.Random(0)
    opcodes = bytearray(b"".join(OPCODES.values()).replace(b"MARKER", str(marker).encode()))
    for _ in range(150):
        for _ in range(3):
            opcodes[rng.randrange(len(opcodes))] = rng.randrange(256)
        with contextlib.suppress(CheckpointError):
            read_zip(planted(tmp_path / "mutated.pth", bytes(opcodes), WEIGHT))
    assert not marker.exists()


def test_lightning_files_with_pickled_settings(tmp_path):
    settings = argparse.Namespace(lr=1e-4, nested=argparse.Namespace(tensor=torch.ones(2)))
    path = tmp_path / "last.ckpt"
    state = OrderedDict(w=WEIGHT, half=WEIGHT.half(), n=torch.tensor(3), p=torch.nn.Parameter(WEIGHT))
    torch.save({"state_dict": state, "hyper_parameters": settings, "epoch": 3}, path)
    tensors = read_tensors(path, ["state_dict"])
    assert {name: value.dtype for name, value in tensors.items()} == {
        "w": torch.float32,
        "half": torch.float16,
        "n": torch.int64,
        "p": torch.float32,
    }
    assert all(torch.equal(tensors[name], state[name].detach()) for name in state)


def test_views_and_shared_storages_come_back_as_they_were(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "whole": base,
        "turned": base.t(),
        "part": base[1:3, ::2],
        "spread": base[0, :1].expand(5),
        "nothing": base[:0],
        "number": base[2, 3],
        "small": torch.arange(3, dtype=torch.bfloat16),
    }
    path = tmp_path / "views.pth"
    torch.save({**state, "foreign": argparse.Namespace()}, path)
    loaded = {name: load_tensor(value) for name, value in read_zip(path).items() if name != "foreign"}
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def described(storage: bytes = b"I6\n", offset: bytes = b"I0\n", shape: bytes = b"(I6\nt", stride: bytes = b"(I1\nt"):
    """The opcodes of a float tensor over storage 0."""
    key = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\n" + storage + b"tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + key + offset + shape + stride + b"I00\n}tR"


HOSTILE_TENSORS = {
    "a negative shape": {"shape": b"(I-1\nt"},
    "a huge shape": {"shape": b"(L%dL\nt" % 2**47},
    "too many elements to count": {
        "shape": b"(" + b"L%dL\n" % 2**47 * 9 + b"t",
        "stride": b"(" + b"I0\n" * 9 + b"t",
    },
    "a negative stride": {"stride": b"(I-1\nt"},
    "a huge stride": {"stride": b"(L%dL\nt" % 2**60},
    "a stride beyond the storage": {"stride": b"(I2\nt"},
    "a negative offset": {"offset": b"I-1\n"},
    "an offset beyond the storage": {"offset": b"I1\n"},
    "a shape of text": {"shape": b"S'6'\n"},
    "more strides than axes": {"stride": b"(I1\nI1\nt"},
    "a truth value as size": {"shape": b"(I01\nt"},
    "a storage of negative size": {"storage": b"I-6\n"},
    "ten thousand axes": {"shape": b"(" + b"I1\n" * 10000 + b"t", "stride": b"(" + b"I1\n" * 10000 + b"t"},
}


@pytest.mark.parametrize("name", HOSTILE_TENSORS)
def test_tensors_that_contradict_their_storage(tmp_path, name):
    path = planted(tmp_path / "planted.pth", described(**HOSTILE_TENSORS[name]), WEIGHT)
    with pytest.raises(CheckpointError):
        read_tensors(path)


def test_a_tensor_described_well_loads(tmp_path):
    path = planted(tmp_path / "planted.pth", described(), WEIGHT)
    assert torch.equal(read_tensors(path)["planted"], WEIGHT.flatten())


def memoized(kind: bytes, levels: int, last: bytes) -> bytes:
    """Nested pairs of themselves: 2^levels elements in 6 bytes each."""
    pairs = [b"p%d\ng%d\n" % (1000 + level, 1000 + level) + kind for level in range(levels)]
    return last + b"".join(pairs)


def text(length: int) -> bytes:
    return b"X" + length.to_bytes(4, "little") + b"a" * length


def integer(length: int) -> bytes:
    return b"\x8b" + length.to_bytes(4, "little") + b"\x7f" * length


BOMBS = {
    "nested tuples as a key": b"}" + memoized(b"\x86", 200, b")") + b"Ns",
    "nested tuples in a set": b"\x8f(" + memoized(b"\x86", 200, b")") + b"\x90",
    "nested tuples in a call of set": b"c__builtin__\nset\n(]" + memoized(b"\x86", 200, b")") + b"atR",
    "a deep list": b"]" * 100_000 + b"a" * 99_999,
    "a list in itself": b"]p99\ng99\na",
    "colliding integers as keys": b"}("
    + b"".join(b"\x8a\x0a" + (k * (2**61 - 1)).to_bytes(10, "little") + b"N" for k in range(1, 20_000))
    + b"u",
    "a huge memo index": b"Nr\xff\xff\xff\xff",
    "a long text as a key, many times": b"}" + text(2_000_000) + b"p9\n0" + b"g9\nNs" * 20_000,
    "a long integer as a key, many times": b"}" + integer(2_000_000) + b"p9\n0" + b"g9\nNs" * 20_000,
    "a call with a million arguments, many times": b"("
    + b"N" * 100_000
    + b"tp9\n0ccollections\nOrderedDict\np8\n0]"
    + b"g8\ng9\nRa" * 5_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_short_programs_for_endless_work_end_at_once(tmp_path, name):
    path = planted(tmp_path / "planted.pth", BOMBS[name], WEIGHT)
    assert torch.equal(read_tensors(path)["weight"], WEIGHT)


CLAIMS = {
    "a text of 2^62 bytes": b"\x8d" + (2**62).to_bytes(8, "little"),
    "a byte array of 2^62 bytes": b"\x96" + (2**62).to_bytes(8, "little"),
    "bytes of 2^40": b"\x8e" + (2**40).to_bytes(8, "little"),
    "an integer of 2^31 bytes": b"\x8b\xff\xff\xff\x7f",
    "an integer of ten thousand digits": b"L" + b"9" * 10_000 + b"L\n",
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claimed_lengths_are_not_believed(tmp_path, name):
    with pytest.raises(CheckpointError, match="pickle does not read"):
        read_file(planted(tmp_path / "planted.pth", CLAIMS[name], WEIGHT))


SPARSE = b"ctorch._utils\n_rebuild_sparse_tensor\n"
REFUSED = {
    "a name made of a long text": (text(600) + b"p9\ng9\n\x93", "more than 500 characters"),
    "a name as long as a file": (b"c" + b"a" * 600 + b"\nb\n", "more than 500 characters"),
    "an instance of a long name": (b"(i" + b"a" * 600 + b"\nb\n", "more than 500 characters"),
    "a list made into dictionaries again and again": (
        b"](" + b"I1\nI1\n\x86" * 5_000 + b"e\x85p9\n0" + b"ccollections\nOrderedDict\ng9\nR0" * 201 + b"N",
        "more than 1000000 pairs",
    ),
    "a sparse tensor of many parts": (SPARSE + b"(N(" + b"N" * 100 + b"ttR", "a sparse tensor is described wrongly"),
    "a storage of many parts": (b"(" + b"N" * 100 + b"tQ", "unknown persistent id"),
    "a tensor type of a tensor type": (
        b"ctorch._tensor\n_rebuild_from_type_v2\np9\n(g9\nN)tR",
        "a tensor is described wrongly",
    ),
    "sizes of a million digits": (
        described(shape=b"(" + integer(400_000) + b"p9\n" + b"g9\n" * 60 + b"t", stride=b"(" + b"I1\n" * 61 + b"t"),
        "a tensor is described wrongly",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_take_endless_work_is_refused(tmp_path, name):
    opcodes, why = REFUSED[name]
    with pytest.raises(CheckpointError, match=why):
        read_file(planted(tmp_path / "planted.pth", opcodes, WEIGHT))


def test_a_program_of_too_many_opcodes(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 1000)
    with pytest.raises(CheckpointError, match="longer than 1000 opcodes"):
        read_file(planted(tmp_path / "planted.pth", b"]" * 1000, WEIGHT))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantized"),
        (lambda: torch.ones(3, dtype=torch.complex64), "complex64"),
        (lambda: torch.ones(3).to(torch.float8_e4m3fn), "float8_e4m3fn"),
    ],
    ids=["sparse", "quantized", "complex", "float8"],
)
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor", "ignore:.*quantize")
def test_other_kinds_of_tensors_are_refused_when_they_are_wanted(tmp_path, make, kind, zipped):
    path = tmp_path / "kinds.pth"
    torch.save({"a": {"w": make()}, "b": {"w": WEIGHT}}, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_tensors(path, ["b"])["w"], WEIGHT)
    with pytest.raises(CheckpointError, match=kind):
        read_tensors(path, ["a"])


def rewritten(path: Path, change) -> Path:
    with zipfile.ZipFile(path) as archive:
        records = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in records:
            change(archive, name, data)
    return path


def test_a_storage_smaller_than_its_tensor(tmp_path):
    path = tmp_path / "short.pth"
    torch.save({"w": WEIGHT, "foreign": argparse.Namespace()}, path)
    rewritten(path, lambda archive, name, data: archive.writestr(name, data[:8] if "/data/" in name else data))
    with pytest.raises(CheckpointError, match="beyond its storage"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "archive/../../escaped", "..\\escaped"])
def test_records_outside_their_folder(tmp_path, name):
    path = tmp_path / "slip.pth"
    torch.save({"w": WEIGHT}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(CheckpointError, match="outside its folder"):
        read_file(path)


def test_two_records_of_one_name(tmp_path):
    path = tmp_path / "twice.pth"
    torch.save({"w": WEIGHT}, path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"x")
    with pytest.raises(CheckpointError, match="two records of one name"):
        read_file(path)


def test_records_that_overlap(tmp_path):
    path = tmp_path / "overlap.pth"
    torch.save({"w": WEIGHT}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("again", b"x")
        archive.getinfo("again").header_offset = archive.infolist()[2].header_offset
    with pytest.raises(CheckpointError, match="overlap"):
        read_file(path)


def test_compressed_and_absent_records(tmp_path):
    for keep_storages, kind in ((True, zipfile.ZIP_DEFLATED), (False, zipfile.ZIP_STORED)):
        path = tmp_path / "records.pth"
        torch.save({"w": WEIGHT, "foreign": argparse.Namespace()}, path)

        def change(archive, name, data, keep=keep_storages, kind=kind):
            if keep or "/data/" not in name:
                archive.writestr(name, data, compress_type=kind)

        with pytest.raises(CheckpointError, match="absent or compressed"):
            read_tensors(rewritten(path, change))
