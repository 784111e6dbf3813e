"""Modules saved whole: their state dicts, without running or importing their code."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from benchx.errors import CheckpointError
from benchx.methods.checkpoints.reading import read_file, read_tensors


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4))
        self.scale = nn.Parameter(torch.randn(3))
        self.register_buffer("kept", torch.randn(2).half())
        self.register_buffer("passing", torch.randn(2), persistent=False)
        self.register_buffer("empty", None)
        self.beside = torch.randn(2)
        self.tied = self.stem[0]
        self.head = None
        self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(11))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x)


def assert_same(read: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(read) == list(expected)
    assert all(read[name].dtype == value.dtype and torch.equal(read[name], value) for name, value in expected.items())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [1, 2, 4])
@pytest.mark.parametrize("wrap", [Net, lambda: nn.DataParallel(Net())], ids=["plain", "DataParallel"])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_module_becomes_its_state_dict(tmp_path, zipped, protocol, wrap):
    module, path = wrap(), tmp_path / "module.pt"
    for container, saved in (((), module), (("model",), {"model": module, "epoch": 1})):
        torch.save(saved, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        assert_same(read_tensors(path, container), module.state_dict())


def test_modules_that_contain_each_other_end(tmp_path):
    path = tmp_path / "module.pt"
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    one._modules["other"], other._modules["one"] = other, one
    torch.save({"model": one}, path)
    with pytest.raises(CheckpointError, match="contain each other"):
        read_file(path)
    module: nn.Module = nn.Linear(1, 1)
    for _ in range(40):
        module = nn.Sequential(module, module)
    torch.save(module, path)
    with pytest.raises(CheckpointError, match="far too many"):
        read_file(path)


@pytest.mark.parametrize("shared", ["_parameters", "_modules", "_non_persistent_buffers_set"])
def test_a_large_module_under_many_names(tmp_path, shared):
    path = tmp_path / "module.pt"
    leaf, root = nn.Linear(1, 1), nn.Module()
    entries = {f"p{at}": None for at in range(400)}
    leaf.__dict__[shared] = list(entries) if shared == "_non_persistent_buffers_set" else entries
    root._modules = {f"c{at}": leaf for at in range(400)}
    torch.save(root, path)
    with pytest.raises(CheckpointError, match="far too many"):
        read_file(path)


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:.*TorchScript")
@pytest.mark.parametrize("traced", [False, True])
def test_a_torchscript_archive_becomes_its_state_dict(tmp_path, traced):
    net = Net().eval()
    path = tmp_path / "net.pt"
    program = torch.jit.trace(net, torch.ones(1, 1, 5, 5)) if traced else torch.jit.script(net)
    program.half().save(path)
    assert_same(read_tensors(path), torch.jit.load(path).state_dict())


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:.*TorchScript")
def test_source_that_unpacks_without_end(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    torch.jit.script(nn.Linear(2, 2)).save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/code/bomb.py", bytes(10**6))
    monkeypatch.setattr("benchx.methods.checkpoints.torch_zip.MAX_SOURCE", 10**5)
    with pytest.raises(CheckpointError, match="bytes of source"):
        read_file(path)


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore:.*TorchScript")
def test_an_archive_without_its_source_is_named_as_such(tmp_path):
    path = tmp_path / "clip.pt"
    program = pickle.dumps({"a": 1}, 2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clip/data.pkl", program)
        archive.writestr("clip/constants.pkl", b"N.")
    with pytest.raises(CheckpointError, match="no tensors"):
        read_tensors(path)


@pytest.mark.slow
def test_a_model_of_the_torchxrayvision_library(tmp_path):
    xrv = pytest.importorskip("torchxrayvision.models")
    module = xrv.DenseNet(num_classes=18, in_channels=1, block_config=(1, 1), num_init_features=4, growth_rate=2)
    path: Path = tmp_path / "nih-densenet121.pt"
    torch.save(module, path)
    assert_same(read_tensors(path), module.state_dict())
