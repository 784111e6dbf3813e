"""Fine-tuning by the suite `benchx-2024` against a plain PyTorch loop that was written from the protocol."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import benchx
from benchx.protocols import Finetune, resolved
from benchx.suites import read_suite
from benchx.training import finetune as finetuning
from benchx.training.classifier import Classifier
from benchx.training.finetune import Data, finetune
from benchx.training.recipe import Batch, recipe_of


@dataclass(frozen=True)
class Configuration:
    """A configuration of BenchX's code; `lr` is its learning rate, a tenth of which the encoder has with `dlr`."""

    optimizer: str
    lr: float
    dlr: bool
    norm: bool
    binary: bool
    warmup: int = 50
    total: int = 3000
    momentum: float = 0.9
    clip: float = 1.0


class Plain:
    """One training in lockstep: takes the same batches, from the same weights at the start.

    In the same memory layout, too: another one rounds otherwise, and a deep network makes much of it in twenty steps.
    """

    def __init__(self, encoder: nn.Module, dim: int, start: dict[str, Tensor], of: Configuration) -> None:
        self.encoder, self.of = copy.deepcopy(encoder), of
        linear = nn.Linear(dim, 2 if of.binary else 14)
        self.head = nn.Sequential(nn.LayerNorm(dim, eps=1e-6), linear) if of.norm else linear
        self.head.load_state_dict(start)
        groups = [
            {"params": list(self.encoder.parameters()), "lr": of.lr * (0.1 if of.dlr else 1.0)},
            {"params": list(self.head.parameters()), "lr": of.lr},
        ]
        if of.optimizer == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(groups, eps=1e-8)
        else:
            self.optimizer = torch.optim.SGD(groups, momentum=of.momentum)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.factor)
        self.criterion = nn.CrossEntropyLoss() if of.binary else nn.BCEWithLogitsLoss()

    def factor(self, step: int) -> float:
        if step < self.of.warmup:
            return step / self.of.warmup
        progress = (step - self.of.warmup) / (self.of.total - self.of.warmup)
        return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))

    def step(self, images: Tensor, labels: Tensor) -> float:
        self.encoder.train()
        targets = torch.cat([1 - labels, labels], dim=1) if self.of.binary else labels
        loss = self.criterion(self.head(self.encoder(images.to(memory_format=torch.channels_last))), targets)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*self.encoder.parameters(), *self.head.parameters()], self.of.clip)
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()


@dataclass
class Race:
    """Our training and the plain one, step by step."""

    plain: Plain
    start: list[Tensor]
    ours: list[float]
    theirs: list[float]
    batches: list[tuple[int, ...]]
    model: Classifier

    def apart(self) -> float:
        """How far the weights are apart after the last step, relative to how far they went."""
        there = [*self.plain.encoder.parameters(), *self.plain.head.parameters()]
        pairs = list(zip(self.start, self.model.parameters(), there, strict=True))
        went = math.sqrt(sum(float((one.detach() - before).double().square().sum()) for before, one, _ in pairs))
        gap = math.sqrt(sum(float((one - two).detach().double().square().sum()) for _, one, two in pairs))
        return gap / went

    def worst(self) -> float:
        return float(np.abs(np.subtract(self.ours, self.theirs)).max())


@pytest.fixture
def races(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list: every model that is trained races a plain loop by the configuration in it, and the race is appended."""
    found: list[Any] = []

    class Racing(Classifier):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            plain = Plain(self.encoder, self.encoder.dim, copy.deepcopy(self.head.state_dict()), found[0])
            self.__dict__["race"] = Race(plain, [one.detach().clone() for one in self.parameters()], [], [], [], self)
            found.append(self.__dict__["race"])

        def loss_sum(self, batch: Batch) -> Tensor:
            loss, race = super().loss_sum(batch), self.__dict__["race"]
            race.theirs.append(race.plain.step(*batch))
            race.ours.append(float(loss.detach()) / batch[1].numel())
            race.batches.append(tuple(batch[0].shape))
            return loss

    monkeypatch.setattr(finetuning, "Classifier", Racing)
    return found


# Lines of the 50 configurations of BenchX's code: dataset and method, then what its file says.
CONFIGURATIONS = {
    ("nih", "mgca-vit"): Configuration("sgd", 1e-2, dlr=True, norm=True, binary=False),
    ("nih", "convirt-benchx"): Configuration("adam", 1e-4, dlr=True, norm=True, binary=False),
    ("nih", "refers"): Configuration("sgd", 3e-2, dlr=False, norm=True, binary=False),
    ("nih", "medclip-resnet50"): Configuration("adam", 1e-5, dlr=False, norm=False, binary=False),
    ("vindr", "convirt-benchx"): Configuration("adam", 5e-5, dlr=True, norm=True, binary=False, warmup=10, total=200),
    ("siim", "convirt-benchx"): Configuration("adam", 1e-4, dlr=True, norm=True, binary=True, warmup=60, total=1200),
    ("siim", "medclip-vit"): Configuration("adam", 1e-5, dlr=False, norm=False, binary=True),
    ("rsna", "mrm"): Configuration("sgd", 1e-2, dlr=True, norm=True, binary=True),
}


CLOSE = {"sgd": 1e-4, "adam": 1e-2}
"""Adam divides by gradients' sizes, and so blows up the rounding of those that are nearly zero."""


class Small(nn.Module):
    """Two convolutions with batch normalisation; features of some size, so that gradients are cut at norm 1."""

    dim = 48

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 48, 3), nn.ReLU()
            )

    def forward(self, images: Tensor) -> Tensor:
        return 5 * self.layers(images).amax((2, 3))


def cases(n: int, classes: int) -> Data:
    rng = np.random.default_rng(0)
    labels = (rng.random((n, classes)) < 0.2).astype(np.float32)
    pixels = rng.normal(size=(n, 3, 16, 16)).astype(np.float32) + labels[:, :1, None, None]

    def images(rows: np.ndarray, rng: np.random.Generator | None) -> Tensor:
        return torch.from_numpy(pixels[rows] if rng is None or rng.random() < 0.5 else pixels[rows][..., ::-1].copy())

    return Data(n, labels, images)


def settings(dataset: str, method: str) -> Finetune:
    found = resolved(read_suite("benchx-2024").protocols["finetune"], dataset, method)
    assert isinstance(found, Finetune)
    return found


def race(races: list[Any], protocol: Finetune, of: Configuration, steps: int, **changed: Any) -> Race:
    races[:] = [of]
    per_epoch = 5
    recipe = replace(recipe_of(protocol), epochs=math.ceil(steps / per_epoch), **changed)
    data = cases(recipe.batch_size * (per_epoch - 1) + 7, 1 if of.binary else 14)
    found = finetune(
        Small(), data, None, data.labels.shape[1], recipe, 0, "cpu", None, None, lambda *_: None, protocol.head
    )
    assert found.precision == "fp32"
    assert len(races) == 2
    return races[1]


@pytest.mark.parametrize("place", CONFIGURATIONS, ids="-".join)
def test_the_suite_trains_as_the_protocol_says(races: list[Any], place: tuple[str, str]) -> None:
    found = race(races, settings(*place), CONFIGURATIONS[place], 20)
    assert len(found.ours) == 20
    assert found.worst() < 1e-5
    assert found.apart() < CLOSE[CONFIGURATIONS[place].optimizer]
    assert [shape[0] for shape in found.batches[:5]] == [settings(*place).batch_size] * 4 + [7]


@pytest.mark.parametrize("place", [("nih", "mgca-vit"), ("nih", "convirt-benchx"), ("rsna", "mrm")], ids="-".join)
def test_through_the_end_of_the_schedule_and_up_again(races: list[Any], place: tuple[str, str]) -> None:
    of = replace(CONFIGURATIONS[place], warmup=4, total=15)
    found = race(races, settings(*place), of, 30, warmup_steps=4, total_steps=15)
    assert found.worst() < 1e-5
    assert found.apart() < CLOSE[CONFIGURATIONS[place].optimizer]
    assert abs(found.ours[-1] - found.ours[0]) > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 1.1e-2},
        {"dlr": False},
        {"momentum": 0.0},
        {"clip": 1e9},
        {"warmup": 5},
        {"total": 25},
        {"optimizer": "adam"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_loop_that_differs_in_one_rule_would_be_seen(races: list[Any], wrong: dict[str, Any]) -> None:
    place = ("rsna", "mrm")
    right = replace(CONFIGURATIONS[place], warmup=4, total=15)
    found = race(races, settings(*place), replace(right, **wrong), 30, warmup_steps=4, total_steps=15)
    assert found.apart() > 50 * CLOSE["sgd"]


def test_the_first_step_changes_no_weight(races: list[Any]) -> None:
    of = CONFIGURATIONS["nih", "mgca-vit"]
    protocol = settings("nih", "mgca-vit")
    races[:] = [of]
    data = cases(64, 14)
    recipe = replace(recipe_of(protocol), epochs=1)
    finetune(Small(), data, None, 14, recipe, 0, "cpu", None, None, lambda *_: None, protocol.head)
    (found,) = races[1:]
    assert len(found.ours) == 1
    assert all(torch.equal(one, two) for one, two in zip(found.start, found.model.parameters(), strict=True))


SUITE = """
extends: benchx-2024
name: real
fractions: [1.0]
seeds: [0]
only: [nih]
methods: [imagenet-efficientnet-lite0]
datasets: {{nih: {{split: official, tasks: {{classification: {{methods: [imagenet-efficientnet-lite0]}}}}}}}}
protocols:
  finetune:
    epochs: {epochs}
    overrides:
      nih: {{imagenet-efficientnet-lite0: {{optimizer: {optimizer}, lr: {lr}, head_lr: {head_lr}, batch_size: 32}}}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mgca-vit", "convirt-benchx"])
def test_real_radiographs_follow_the_plain_loop(races: list[Any], shared: Path, tmp_path: Path, method: str) -> None:
    folder = shared / "data" / "nih-256"
    if not folder.is_dir():
        pytest.skip("no NIH radiographs")
    of = CONFIGURATIONS["nih", method]
    races.append(of)
    path = tmp_path / "real.yaml"
    path.write_text(SUITE.format(epochs=2, optimizer=of.optimizer, lr=of.lr * 0.1, head_lr=of.lr))
    summary = benchx.run(
        str(path), ["imagenet-efficientnet-lite0"], roots={"nih": folder}, store=tmp_path / "store", device="cpu"
    )
    assert summary.complete
    (record,) = benchx.Store(tmp_path / "store").records()
    assert record.provenance.data == "real"
    assert record.provenance.precision == record.details["folds"][0]["precision"] == "fp32"
    (found,) = races[1:]
    assert len(found.ours) >= 20
    assert {shape[1:] for shape in found.batches} == {(3, 224, 224)}
    assert np.abs(np.subtract(found.ours, found.theirs))[:20].max() < 1e-4
    assert found.apart() < 0.1, "after the last step"
