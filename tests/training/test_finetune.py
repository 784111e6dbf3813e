"""The fine-tuning loop against a plain PyTorch loop, and what happens when it is killed or runs out of memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchx.errors import BenchxError
from benchx.metrics.classification import macro_auroc
from benchx.training import precision
from benchx.training.batches import batches
from benchx.training.finetune import Data, Finetuned, Recipe, finetune, predict
from benchx.training.loop import Diverged

NAN = float("nan")
RECIPE = Recipe(
    epochs=3,
    batch_size=8,
    lr=1e-2,
    head_lr=3e-2,
    weight_decay=0.1,
    warmup_fraction=0.2,
    clip_norm=0.5,
    patience=3,
    precision="fp32",
    micro_batch=None,
)


class Tiny(nn.Module):
    """Two convolutions; with batch normalisation and dropout where asked for."""

    dim = 6

    def __init__(self, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 4, 3),
                nn.BatchNorm2d(4) if norm else nn.Identity(),
                nn.ReLU(),
                nn.Conv2d(4, 6, 3),
                nn.Dropout(dropout),
            )
        self.largest: int | None = None
        self.calls: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(len(images))
        if self.largest is not None and len(images) > self.largest:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return self.layers(images).mean((2, 3))


def cases(n: int, seed: int, noise: float = 0.0) -> Data:
    """Images whose brightness and left half carry two labels, a few of them missing."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 2)) < 0.5).astype(np.float32)
    pixels = rng.normal(size=(n, 1, 8, 8)).astype(np.float32) * 0.5 + labels[:, :1, None, None]
    pixels[..., :4] += labels[:, 1:, None, None]
    labels[rng.random((n, 2)) < 0.15] = NAN

    def images(rows: np.ndarray, rng: np.random.Generator | None) -> Tensor:
        chosen = pixels[rows]
        if rng is not None:
            chosen = chosen + noise * rng.normal(size=chosen.shape).astype(np.float32)
        return torch.from_numpy(chosen)

    return Data(n, labels, images)


def tune(
    encoder: nn.Module,
    recipe: Recipe = RECIPE,
    train: Data | None = None,
    val: Data | None = None,
    state: Path | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    score: Callable[[np.ndarray, np.ndarray], float | None] = macro_auroc,
) -> Finetuned:
    return finetune(encoder, train or cases(37, 0, 0.1), val, 2, recipe, 3, "cpu", state, on_epoch, score)


def weights(found: Finetuned) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in found.model.state_dict().items()}


def assert_same(one: Finetuned, two: Finetuned, tolerance: float = 0.0) -> None:
    for (name, left), right in zip(weights(one).items(), weights(two).values(), strict=True):
        assert torch.allclose(left, right, rtol=0, atol=tolerance), name


def plain_loop(encoder: Tiny, train: Data, recipe: Recipe, seed: int) -> tuple[list[float], list[nn.Module]]:
    """The recipe written out once more, without anything that only matters for size or failure."""
    head = nn.Linear(6, 2)
    generator = torch.Generator().manual_seed(seed)
    nn.init.trunc_normal_(head.weight, std=0.02, generator=generator)
    nn.init.uniform_(head.bias, -(6**-0.5), 6**-0.5, generator=generator)
    groups = [
        {"params": [conv.weight for conv in encoder.layers if isinstance(conv, nn.Conv2d)], "lr": recipe.lr},
        {"params": [conv.bias for conv in encoder.layers if isinstance(conv, nn.Conv2d)], "lr": recipe.lr},
        {"params": [head.weight], "lr": recipe.head_lr},
        {"params": [head.bias], "lr": recipe.head_lr},
    ]
    for group, decay in zip(groups, (recipe.weight_decay, 0, recipe.weight_decay, 0), strict=True):
        group["weight_decay"] = decay
    optimizer = torch.optim.AdamW(groups)
    peaks = [group["lr"] for group in optimizer.param_groups]
    steps = math.ceil(train.size / recipe.batch_size)
    total, warm = recipe.epochs * steps, round(0.2 * recipe.epochs * steps)
    losses, taken = [], 0
    for epoch in range(1, recipe.epochs + 1):
        rng = np.random.default_rng([seed, epoch])
        order, summed, count = rng.permutation(train.size), 0.0, 0
        for first in range(0, train.size, recipe.batch_size):
            rows = order[first : first + recipe.batch_size]
            logits = head(encoder(train.images(rows, rng)))
            labels = torch.from_numpy(train.labels[rows])
            known = ~labels.isnan()
            loss = nn.functional.binary_cross_entropy_with_logits(logits[known], labels[known])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*encoder.parameters(), *head.parameters()], recipe.clip_norm)
            share = (
                (taken + 1) / warm if taken < warm else 0.5 + 0.5 * math.cos(math.pi * (taken - warm) / (total - warm))
            )
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            optimizer.step()
            taken += 1
            summed, count = summed + loss.item() * int(known.sum()), count + int(known.sum())
        losses.append(summed / count)
    return losses, [encoder, head]


def test_equals_a_plain_pytorch_loop() -> None:
    losses, (encoder, head) = plain_loop(Tiny(), cases(37, 0, 0.1), RECIPE, 3)
    found = tune(Tiny())
    np.testing.assert_allclose([row["loss"] for row in found.history], losses, atol=1e-6)
    expected = [*encoder.parameters(), *head.parameters()]
    for ours, theirs in zip(found.model.parameters(), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_learns_and_predicts_in_order() -> None:
    val = cases(50, 1)
    found = tune(Tiny(), replace(RECIPE, epochs=8), train=cases(120, 2), val=val)
    assert found.history[0]["loss"] > found.history[-1]["loss"]
    assert found.history[found.best_epoch - 1]["score"] == macro_auroc(predict(found.model, val, 7), val.labels)
    assert macro_auroc(predict(found.model, val, 7), val.labels) > 0.85
    whole, single = predict(found.model, val, 50), predict(found.model, val, 1)
    np.testing.assert_allclose(whole, single, atol=1e-5)


def test_keeps_the_best_epoch_and_stops_when_patience_is_out() -> None:
    scores = iter([0.6, 0.7, 0.7, 0.65, 0.7, 0.9])
    kept: list[dict[str, Tensor]] = []
    encoder = Tiny()
    found = tune(
        encoder,
        replace(RECIPE, epochs=6, patience=3),
        val=cases(10, 1),
        on_epoch=lambda row: kept.append({name: t.clone() for name, t in encoder.state_dict().items()}),
        score=lambda logits, labels: next(scores),
    )
    assert [row["score"] for row in found.history] == [0.6, 0.7, 0.7, 0.65, 0.7]
    assert (found.best_epoch, found.stopped) == (2, True)
    for name, tensor in found.model.encoder.state_dict().items():
        assert torch.equal(tensor, kept[1][name])


@pytest.mark.parametrize("value", [None, NAN])
def test_without_a_score_the_last_epoch_is_kept(value: float | None) -> None:
    found = tune(Tiny(), replace(RECIPE, patience=1), val=cases(10, 1), score=lambda logits, labels: value)
    assert (found.best_epoch, found.stopped) == (3, False)
    assert [row["score"] for row in found.history] == [None] * 3
    assert_same(found, tune(Tiny()))


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_a_killed_run_continues_bit_for_bit(tmp_path: Path, epoch: int) -> None:
    recipe = replace(RECIPE, epochs=5, patience=5)

    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    state = tmp_path / "new folder" / "state.pt"
    whole = tune(Tiny(norm=True, dropout=0.3), recipe, val=cases(20, 1))
    with pytest.raises(KeyboardInterrupt):
        tune(Tiny(norm=True, dropout=0.3), recipe, val=cases(20, 1), state=state, on_epoch=kill)
    torch.manual_seed(99)  # another process would not share the random state either
    resumed = tune(Tiny(norm=True, dropout=0.3), recipe, val=cases(20, 1), state=state)
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch
    assert_same(resumed, whole)
    assert [path.name for path in state.parent.iterdir()] == ["state.pt"]


def test_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tune(Tiny(dropout=0.3))
    assert torch.equal(torch.rand(3), expected)


def test_out_of_memory_halves_the_micro_batch_and_changes_no_number() -> None:
    short = Tiny()
    short.largest = 3
    found = tune(short)
    assert found.micro_batch == 2
    assert short.calls[:7] == [8, 4, 2, 2, 2, 2, 2]
    by_hand = tune(Tiny(), replace(RECIPE, micro_batch=2))
    assert [row["loss"] for row in found.history] == [row["loss"] for row in by_hand.history]
    assert_same(found, by_hand)
    assert_same(found, tune(Tiny()), tolerance=1e-5)


def test_a_failed_pass_leaves_no_trace_in_the_running_statistics() -> None:
    class Late(Tiny):
        def forward(self, images: Tensor) -> Tensor:
            pooled = self.layers(images).mean((2, 3))
            if self.training and len(images) > 4:
                raise MemoryError
            return pooled

    found = tune(Late(norm=True, dropout=0.3))
    assert found.micro_batch == 4
    assert_same(found, tune(Tiny(norm=True, dropout=0.3), replace(RECIPE, micro_batch=4)))


def test_prediction_halves_its_batch_too() -> None:
    found = tune(Tiny())
    expected = predict(found.model, cases(20, 1), 16)
    found.model.encoder.largest = 5
    np.testing.assert_allclose(predict(found.model, cases(20, 1), 16), expected, atol=1e-6)


def test_a_single_image_that_does_not_fit_ends_the_run() -> None:
    full = Tiny()
    full.largest = 0
    with pytest.raises(BenchxError, match="out of memory with a single image"):
        tune(full)


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        tune(Tiny(), train=replace(cases(8, 0), images=lambda rows, rng: torch.zeros(len(rows), 3, 8, 8)))


def test_nan_loss_is_an_error_and_forgets_the_state(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    good, seen = cases(16, 0), []

    def spoiled(rows: np.ndarray, rng: np.random.Generator | None) -> Tensor:
        return good.images(rows, rng) * (NAN if seen else 1)

    with pytest.raises(Diverged, match="loss is NaN") as caught:
        tune(Tiny(), train=replace(good, images=spoiled), state=state, on_epoch=seen.append)
    assert "epoch 2, step 1 of 2" in caught.value.why
    assert seen
    assert not state.exists()


def test_nan_predictions_are_an_error() -> None:
    bad = replace(cases(8, 1), images=lambda rows, rng: torch.full((len(rows), 1, 8, 8), NAN))
    with pytest.raises(Diverged, match="predictions are NaN"):
        tune(Tiny(), val=bad)


def test_a_batch_without_labels_is_harmless() -> None:
    train = replace(cases(8, 0), labels=np.full((8, 2), NAN, np.float32))
    assert [row["loss"] for row in tune(Tiny(), train=train).history] == [0.0] * 3


def test_a_frozen_encoder_is_trained_all_the_same() -> None:
    encoder = Tiny().requires_grad_(False).eval()
    before = encoder.layers[0].weight.clone()
    tune(encoder)
    assert not torch.equal(encoder.layers[0].weight, before)


@pytest.mark.parametrize(
    ("n", "size", "merge", "sizes"),
    [
        (10, 4, True, [4, 4, 2]),
        (9, 4, True, [4, 5]),
        (9, 4, False, [4, 4, 1]),
        (1, 4, True, [1]),
        (3, 1, True, [1, 1, 1]),
        (8, 4, True, [4, 4]),
    ],
)
def test_a_last_image_alone_joins_the_batch_before(n: int, size: int, merge: bool, sizes: list[int]) -> None:
    parts = batches(np.arange(n), size, merge)
    assert [len(part) for part in parts] == sizes
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))


def test_batch_norm_survives_a_last_image_alone() -> None:
    found = tune(Tiny(norm=True), train=cases(17, 0))
    assert all(np.isfinite(row["loss"]) for row in found.history)
    assert found.model.encoder.calls[:2] == [8, 9]


def test_bf16_is_recorded_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    found = tune(Tiny(), replace(RECIPE, precision="bf16"))
    assert found.precision == "bf16"
    assert found.history[-1]["loss"] == pytest.approx(tune(Tiny()).history[-1]["loss"], abs=0.05)


@pytest.mark.gpu
def test_runs_on_a_gpu() -> None:
    train = cases(37, 0)
    on_gpu = replace(train, images=lambda rows, rng: train.images(rows, rng).cuda())
    found = finetune(Tiny(), on_gpu, on_gpu, 2, replace(RECIPE, precision="auto"), 3, "cuda", None, None, macro_auroc)
    assert found.history[-1]["loss"] == pytest.approx(tune(Tiny(), train=train).history[-1]["loss"], abs=0.05)
