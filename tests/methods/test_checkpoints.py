"""Files that are not checkpoints, or no longer: one clear error each."""

from __future__ import annotations

import argparse
import json
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.reading import containers, load_tensor, read_file, read_tensors

STATE = {"a.weight": torch.randn(3, 4), "a.bias": torch.randn(4).half(), "n": torch.tensor(7)}


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_the_formats_that_are_published(tmp_path, kind):
    path = tmp_path / f"model.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    read = read_tensors(path)
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0, 20, 0.5, 0.99])
def test_a_truncated_file(tmp_path, kind, kept):
    whole = tmp_path / f"whole.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(STATE, whole)
    else:
        torch.save(STATE, whole, _use_new_zipfile_serialization=kind == "zip")
    data = whole.read_bytes()
    path = tmp_path / f"cut{whole.suffix}"
    path.write_bytes(data[: int(len(data) * kept) if kept < 1 else kept])
    with pytest.raises(CheckpointError, match="does not read as a checkpoint"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "a web page"),
        (b"\n  <html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (b"\x1f\x8b\x08" + bytes(60), "gzip: unpack"),
        (bytes(257) + b"ustar" + bytes(300), "tar file"),
        (bytes(range(256)) * 8, "does not read"),
        (pickle.dumps({"weights": [1.0, 2.0]}), "does not read"),
    ],
)
def test_what_is_no_checkpoint_at_all(tmp_path, data, why):
    path = tmp_path / "MRM.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=why) as caught:
        read_file(path)
    assert "MRM.pth" in caught.value.what


def test_a_tree_that_holds_itself_is_searched_once():
    tree = {"a": STATE}
    tree["itself"] = tree
    assert set(containers(tree)) == {("a",)}


def test_a_zip_of_other_files(tmp_path):
    path = tmp_path / "medclip-pretrained.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pytorch_model.bin", b"x")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin\): unpack it first"):
        read_file(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_file(tmp_path / "absent.pth")


def test_an_absent_container_lists_the_keys_that_are_there(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": STATE, "epoch": 3, "optimizer_states": []}, path)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(path, ["model"])
    assert "container 'model'" in caught.value.what
    assert caught.value.why.endswith("epoch, optimizer_states, state_dict")
    with pytest.raises(CheckpointError, match="there are tensors under: state_dict"):
        read_tensors(path)
    with pytest.raises(CheckpointError, match="container 'epoch'"):
        read_tensors(path, ["epoch"])


def test_a_foreign_object_says_what_to_save_instead(tmp_path):
    path = tmp_path / "settings.pt"
    torch.save(argparse.Namespace(w=torch.ones(2)), path)
    with pytest.raises(CheckpointError, match=r"argparse.Namespace") as caught:
        read_tensors(path)
    assert "state_dict()" in caught.value.todo


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_the_content_decides_and_not_the_suffix(tmp_path, kind):
    path = tmp_path / ("x.safetensors" if kind != "safetensors" else "x.bin")
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    assert torch.equal(read_tensors(path)["a.bias"], STATE["a.bias"])


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_tensors_know_their_shape_before_they_are_read(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    named = containers(read_file(path))[()]
    path.write_bytes(b"")
    assert (named["a.weight"].shape, named["a.bias"].dtype) == ((3, 4), torch.float16)
    with pytest.raises(CheckpointError, match="beyond the file"):
        load_tensor(named["a.weight"])


def test_tensors_of_one_storage_share_it(tmp_path):
    base = torch.arange(6.0)
    path = tmp_path / "x.pth"
    torch.save({"all": base, "some": base[2:], "same": base}, path)
    read = read_tensors(path)
    assert len({value.untyped_storage().data_ptr() for value in read.values()}) == 1


def test_float8_in_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"w": torch.ones(2).to(torch.float8_e4m3fn), "b": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="F8_E4M3"):
        read_tensors(path)


def test_containers_finds_state_dicts_at_any_depth():
    tree = {"a": {"b": STATE, "c": {}}, "w": torch.ones(1), 3: {"w": torch.ones(1)}, "list": [torch.ones(1)]}
    assert set(containers(tree)) == {(), ("a", "b")}


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ([[1] * 65], "more than 64 axes"),
        ([[0]] * 11, "it has 11 tensors"),
        ([[1] * 2**22], "8388608 are read at most"),
    ],
    ids=["axes", "tensors", "header"],
)
def test_safetensors_beyond_all_measure(tmp_path, monkeypatch, shapes, why):
    monkeypatch.setattr("benchx.methods.checkpoints.safetensors_file.MAX_TENSORS", 10)
    numel = [0 if 0 in shape else 1 for shape in shapes]
    facts = {
        str(at): {"dtype": "U8", "shape": shape, "data_offsets": [0, numel[at]]} for at, shape in enumerate(shapes)
    }
    header = json.dumps(facts).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(sum(numel)))
    with pytest.raises(CheckpointError, match=why):
        read_file(path)


def test_safetensors_of_any_number_of_axes(tmp_path):
    state = {"none": torch.tensor(2.0), "three": torch.randn(2, 3, 4), "empty": torch.empty(3, 0, 2)}
    save_file(state, tmp_path / "x.safetensors")
    read = read_file(tmp_path / "x.safetensors")
    assert all(torch.equal(read[name].load(), value) for name, value in state.items())
    assert [read[name].stride for name in ("none", "three")] == [(), (12, 4, 1)]


def test_control_characters_in_names_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a\n\x1b[31mb", b"x")
    with pytest.raises(CheckpointError, match="other files") as caught:
        read_file(path)
    assert r"(a\n\x1b[31mb)" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3
