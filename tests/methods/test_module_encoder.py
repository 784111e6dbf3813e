"""Any torch module as an encoder: from a file beside the card, or from an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from benchx.digests import digest_json
from benchx.errors import CheckpointError, UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, kind, width):
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(3, width, 8, stride=8)
        self.register_buffer("mask", torch.linspace(0, 1, width), persistent=False)

    def forward(self, images):
        found = self.conv(images) * self.mask[:, None, None]
        if self.kind == "map":
            return found
        if self.kind == "tokens":
            return found.flatten(2).transpose(1, 2)
        return found.mean((2, 3)) if self.kind == "vector" else (found,)

def build(kind="map", width=6):
    return Net(kind, width)

def fails():
    raise TypeError("no such weights")

def number():
    return 3
"""


def card_file(folder: Path, pooling: str = "mean", factory: str = "./net.py:build", **arguments: object) -> str:
    (folder / "net.py").write_text(CODE)
    choice = {"name": "module", "arguments": {"factory": factory, "arguments": arguments}}
    card = {
        "name": "net",
        "title": "Net",
        "paper": "none",
        "code": "none",
        "licence": "none",
        "weights": {"files": ["net.pth"], "page": "none"},
        "encoder": choice,
        "layout": {"prefix": "net."},
        "input": {"size": 32, "resize": "stretch", "mean": [0.5], "std": [0.5]},
        "pooling": pooling,
        "exposure": [],
    }
    path = folder / "net.yaml"
    path.write_text(yaml.safe_dump(card))
    return str(path)


def weights_file(folder: Path, width: int = 6) -> Path:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(width, 3, 8, 8, generator=generator)
    path = folder / "net.pth"
    torch.save({"net.conv.weight": weight, "net.conv.bias": torch.zeros(width)}, path)
    return path


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [("map", "mean"), ("vector", "model"), ("tokens", "mean"), ("tokens", "cls"), ("tokens", "patch_mean")],
)
def test_every_kind_of_output(tmp_path, kind, pooling):
    encoder = load(card_file(tmp_path, pooling, kind=kind), weights_file(tmp_path))
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        features = encoder.encode(images)
        places = encoder.trunk.conv(images) * torch.linspace(0, 1, 6)[:, None, None]
    tokens = places.flatten(2).transpose(1, 2)
    expected = {"cls": tokens[:, 0], "patch_mean": tokens[:, 1:].mean(1)}.get(pooling, tokens.mean(1))
    assert torch.allclose(features.pooled, expected, atol=1e-6)
    assert torch.equal(encoder(images), features.pooled)
    assert encoder.dim == 6
    assert features.strides == ((8,) if kind == "map" else ())
    assert [tuple(one.shape) for one in features.maps] == ([(2, 6, 4, 4)] if kind == "map" else [])
    assert (features.tokens is None) == (kind == "vector")


def test_the_weights_are_filled_strictly(tmp_path):
    half = tmp_path / "half.pth"
    torch.save({"net.conv.weight": torch.ones(6, 3, 8, 8)}, half)
    with pytest.raises(CheckpointError, match="fills 1 of 2"):
        load(card_file(tmp_path), half)


def test_the_code_is_a_part_of_the_methods_identity(tmp_path):
    path = card_file(tmp_path)
    before = read_card(path)
    numbers = digest_json(before.numerics())
    assert str(tmp_path) not in str(before.numerics())
    (tmp_path / "net.py").write_text(CODE + "\n# changed\n")
    assert digest_json(read_card(path).numerics()) != numbers
    with pytest.raises(UsageError, match="has changed"):
        load(before, weights_file(tmp_path))


@pytest.mark.parametrize(
    ("factory", "word"),
    [
        ("./absent.py:build", "no file"),
        ("./net.py:absent", "no function 'absent'"),
        ("./net.py", "names no function"),
        ("no_such_package.models:build", "does not import"),
        ("math:pi", "no function 'pi'"),
        ("./net.py:fails", "no such weights"),
        ("./net.py:number", r"returns int"),
    ],
)
def test_a_factory_that_is_none(tmp_path, factory, word):
    with pytest.raises(UsageError, match=word):
        load(card_file(tmp_path, factory=factory), weights_file(tmp_path))


@pytest.mark.parametrize(
    ("pooling", "kind", "word"),
    [("cls", "map", "set pooling to mean"), ("mean", "vector", "set pooling to model"), ("mean", "other", "tuple")],
)
def test_an_output_that_does_not_fit(tmp_path, pooling, kind, word):
    with pytest.raises(UsageError, match=word):
        load(card_file(tmp_path, pooling, kind=kind), weights_file(tmp_path))


def test_a_file_that_does_not_run(tmp_path):
    path = card_file(tmp_path)
    (tmp_path / "net.py").write_text("import nothing_of_the_kind")
    with pytest.raises(UsageError, match="does not run"):
        load(path, weights_file(tmp_path))


def test_a_factory_of_an_installed_package(tmp_path):
    path = card_file(tmp_path, factory="torch.nn:Conv2d", in_channels=3, out_channels=6, kernel_size=8, stride=8)
    raw = yaml.safe_load(Path(path).read_text())
    raw["layout"] = {"prefix": "net.conv."}
    Path(path).write_text(yaml.safe_dump(raw))
    assert load(path, weights_file(tmp_path)).dim == 6
