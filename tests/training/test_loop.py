"""The loop's own rules: rates step by step, epochs, evaluations, patience, and going on after a kill."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from benchx.metrics.classification import macro_auroc
from benchx.protocols import Head, Precision
from benchx.training.batches import epoch_batches
from benchx.training.finetune import Data, Finetuned, finetune
from benchx.training.learner import Learner
from benchx.training.loop import Trained, train
from benchx.training.optimizers import parameter_groups
from benchx.training.recipe import Batch, Recipe, TrainingSet
from benchx.training.schedules import STEPWISE

RECIPE = Recipe(
    epochs=6,
    batch_size=4,
    lr=0.5,
    head_lr=0.25,
    weight_decay=0.0,
    warmup_fraction=0.0,
    clip_norm=None,
    patience=99,
    precision="fp32",
    micro_batch=None,
    optimizer="sgd",
    momentum=0.0,
)


class Slope(Learner):
    """A loss of gradient 1 in each of two weights, so that plain SGD moves them by the rates, which it writes down."""

    def __init__(self, precision: Precision = "fp32") -> None:
        super().__init__("cpu", precision)
        self.body, self.head = (nn.Linear(1, 1, bias=False) for _ in range(2))
        for part in (self.body, self.head):
            nn.init.zeros_(part.weight)
        self.double()
        self.path: list[tuple[float, float]] = []

    def place(self) -> tuple[float, float]:
        return self.body.weight.item(), self.head.weight.item()

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        return parameter_groups([(self.body, recipe.lr), (self.head, recipe.head_lr)], recipe)

    def loss_sum(self, batch: Batch) -> Tensor:
        if self.training:
            self.path.append(self.place())
        return self.head(batch[0]).sum() + self.body(batch[0]).sum()

    def count(self, batch: Batch) -> Tensor:
        return torch.tensor(len(batch[0]))

    def rates(self) -> np.ndarray:
        """The rates of body and head at every step [steps, 2]."""
        return -np.diff(np.array([*self.path, self.place()]), axis=0)


ONES = TrainingSet(8, lambda rows, rng: (torch.ones(len(rows), 1, dtype=torch.float64),))


def run(
    recipe: Recipe,
    scores: Callable[[int], float | None] | None = None,
    *,
    model: Slope | None = None,
    state: Path | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    until: int | None = None,
) -> tuple[Slope, Trained]:
    """Train a slope; `scores` gives the validation score after so many steps."""
    model = model or Slope()

    def evaluate(learner: Learner, micro_batch: int) -> float | None:
        assert isinstance(learner, Slope)
        return None if scores is None else scores(len(learner.path))

    trained = train(model, ONES, recipe, 0, state_file=state, on_epoch=on_epoch, evaluate=evaluate, until=until)
    return model, trained


def per_epoch(values: list[float | None]) -> Callable[[int], float | None]:
    """Scores after every epoch of two steps."""
    return lambda steps: values[steps // 2 - 1]


@pytest.mark.parametrize("schedule", ["cosine", "cosine-unclamped", "polynomial", "plateau"])
@pytest.mark.parametrize(("warmup", "total"), [(3, 8), (0, None), (2, 20)])
def test_every_step_is_taken_at_the_rate_of_the_schedule(schedule: str, warmup: int, total: int | None) -> None:
    recipe = replace(RECIPE, schedule=schedule, warmup_steps=warmup, total_steps=total)
    model, _ = run(recipe, lambda steps: float(steps))
    factors = [STEPWISE[schedule](step, warmup, total or 12) for step in range(12)]
    np.testing.assert_allclose(model.rates(), np.outer(factors, [0.5, 0.25]), atol=1e-12)


def test_a_warm_up_is_a_share_of_all_steps_unless_told_in_steps() -> None:
    share, _ = run(replace(RECIPE, warmup_fraction=0.25))
    steps, _ = run(replace(RECIPE, warmup_fraction=0.9, warmup_steps=3))
    assert share.path == steps.path
    np.testing.assert_allclose(share.rates()[:3, 0], [0.5 / 3, 1.0 / 3, 0.5], atol=1e-12)


SCORES: list[float | None] = [0.3, 0.3, 0.3, 0.31, None, 0.31, 0.31, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4]


def test_plateau_follows_torch_from_evaluation_to_evaluation() -> None:
    model, _ = run(replace(RECIPE, schedule="plateau", epochs=14), per_epoch(SCORES), until=14)
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    made = torch.optim.SGD([{"params": [one], "lr": lr} for one, lr in zip(weights, (0.5, 0.25), strict=True)])
    theirs = ReduceLROnPlateau(made, mode="max", factor=0.8, patience=1, min_lr=1e-6, threshold_mode="abs")
    expected = []
    for score in SCORES:
        expected += [[group["lr"] for group in made.param_groups]] * 2
        theirs.step(math.nan if score is None else score)
    rates = -np.diff(np.array(model.path), axis=0)
    np.testing.assert_allclose(rates, expected[:-1], atol=1e-12)
    assert len(np.unique(rates[:, 0].round(9))) == 5


def test_plateau_does_not_go_below_its_lowest_rate() -> None:
    model, _ = run(replace(RECIPE, schedule="plateau", epochs=20, lr=2e-6, head_lr=5e-7), lambda steps: 0.5)
    rates = -np.diff(np.array(model.path), axis=0)
    assert rates[-1] == pytest.approx([1e-6, 5e-7], rel=1e-6)


def test_so_many_steps_make_an_epoch() -> None:
    sizes: list[int] = []
    cases = TrainingSet(5, lambda rows, rng: sizes.append(len(rows)) or ONES.batch(rows, rng))
    model = Slope()
    recipe = replace(RECIPE, steps_per_epoch=3, epochs=4)
    trained = train(model, cases, recipe, 0, state_file=None, on_epoch=None, evaluate=lambda learner, size: None)
    assert sizes == [4] * 12
    assert [row["epoch"] for row in trained.history] == [1, 2, 3, 4]
    # The schedule ends with the training.
    np.testing.assert_allclose(model.rates()[:, 0], [0.5 * STEPWISE["cosine"](step, 0, 12) for step in range(12)])


@pytest.mark.parametrize(("size", "steps"), [(5, 3), (100, 2), (1, 3), (4, 1)])
def test_passes_over_the_cases_follow_each_other(size: int, steps: int) -> None:
    recipe = replace(RECIPE, steps_per_epoch=steps)
    order = np.concatenate(epoch_batches(size, recipe, np.random.default_rng(0), True))
    assert len(order) == steps * 4
    for first in range(0, len(order), size):
        assert max(Counter(order[first : first + size].tolist()).values()) == 1
    other = np.concatenate(epoch_batches(size, recipe, np.random.default_rng(1), True))
    assert size < 3 or not np.array_equal(order, other)


BENCHX = replace(RECIPE, epochs=201, first_evaluation=10, evaluate_every=5, patience=10)


def test_evaluated_where_benchx_does() -> None:
    _, trained = run(BENCHX, lambda steps: float(steps))
    assert [row["epoch"] for row in trained.history if row["evaluated"]] == list(range(10, 201, 5))
    assert [row["epoch"] for row in trained.history if row["score"] is not None] == list(range(10, 201, 5))
    assert (len(trained.history), trained.best_epoch, trained.stopped) == (201, 200, False)


def test_patience_counts_evaluations() -> None:
    _, trained = run(BENCHX, lambda steps: 1.0 if steps == 2 * 20 else 0.5)
    assert (trained.best_epoch, trained.best_score, trained.stopped) == (20, 1.0, True)
    assert trained.history[-1]["epoch"] == 20 + 10 * 5


def test_an_equal_score_is_no_improvement() -> None:
    _, trained = run(replace(BENCHX, patience=3), lambda steps: 0.5)
    assert (trained.best_epoch, trained.history[-1]["epoch"]) == (10, 25)


def test_before_the_first_evaluation_the_last_epoch_is_kept() -> None:
    model, trained = run(replace(BENCHX, epochs=7, patience=1), lambda steps: pytest.fail("evaluated"))
    assert (trained.best_epoch, trained.best_score, trained.stopped) == (7, None, False)
    assert len(model.rates()) == 14


def test_the_best_weights_are_those_of_the_best_evaluation() -> None:
    model, trained = run(replace(RECIPE, first_evaluation=2, evaluate_every=2), per_epoch([9, 0.1, 9, 0.3, 9, 0.2]))
    assert (trained.best_epoch, trained.best_score) == (4, 0.3)
    assert model.place() == model.path[8]


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_score_never_replaces_one_that_is_known(missing: float | None) -> None:
    scores = [missing, 0.4, missing, 0.4, 0.39, 0.9]
    model, trained = run(replace(RECIPE, patience=3), per_epoch(scores))
    assert (trained.best_epoch, trained.best_score, trained.stopped) == (2, 0.4, True)
    assert [row["score"] for row in trained.history] == [None, 0.4, None, 0.4, 0.39]
    assert model.place() == model.path[4]


def test_a_negative_score_is_a_score() -> None:
    _, trained = run(RECIPE, per_epoch([-3.0, -2.0, None, -2.5, -1.0, -1.5]))
    assert (trained.best_epoch, trained.best_score) == (5, -1.0)


def test_stopping_at_an_epoch_and_going_on_is_the_same_as_never_stopping(tmp_path: Path) -> None:
    recipe = replace(RECIPE, schedule="plateau", momentum=0.9, epochs=14)
    whole, expected = run(recipe, per_epoch(SCORES))
    state = tmp_path / "state.pt"
    for until in (1, 2, 2, 7, 8, 14, None):
        model = Slope()
        model.path = [(0.0, 0.0)] * (2 * (torch.load(state)["epoch"] if state.exists() else 0))
        model, trained = run(recipe, per_epoch(SCORES), model=model, state=state, until=until)
        assert len(trained.history) == (until or 14)
        assert trained.best_score == max(score for score in SCORES[: until or 14] if score is not None)
    assert trained == expected
    assert model.place() == whole.place()


def test_a_training_that_patience_ended_does_not_go_on(tmp_path: Path) -> None:
    recipe = replace(RECIPE, patience=2)
    state = tmp_path / "state.pt"
    first, expected = run(recipe, lambda steps: 0.5, state=state)
    again, found = run(recipe, lambda steps: pytest.fail("evaluated"), state=state)
    assert (found, again.place(), again.path) == (expected, first.place(), [])


class Small(nn.Module):
    """Batch normalisation, dropout and two convolutions."""

    dim = 8

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.Dropout(0.2)
            )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).mean((2, 3))


def cases(n: int, seed: int) -> Data:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 2)) < 0.5).astype(np.float32)
    pixels = rng.normal(size=(n, 1, 8, 8)).astype(np.float32) + labels[:, :1, None, None]

    def images(rows: np.ndarray, rng: np.random.Generator | None) -> Tensor:
        noise = 0 if rng is None else 0.1 * rng.normal(size=(len(rows), 1, 8, 8)).astype(np.float32)
        return torch.from_numpy((pixels[rows] + noise).astype(np.float32))

    return Data(n, labels, images)


def tuned(
    recipe: Recipe, state: Path | None = None, on_epoch: Callable[[dict[str, Any]], None] | None = None
) -> Finetuned:
    head = Head(layer_norm=True, weight_std=2e-5)
    return finetune(Small(), cases(23, 0), cases(20, 1), 2, recipe, 3, "cpu", state, on_epoch, coarse_auroc, head)


def coarse_auroc(logits: np.ndarray, labels: np.ndarray) -> float:
    """AUROC in steps so wide that it stands still now and then."""
    return round(macro_auroc(logits, labels) or 0.0, 1)


TRAINING = replace(RECIPE, epochs=6, batch_size=8, lr=0.02, head_lr=0.1, clip_norm=1.0, warmup_steps=2)
KINDS = {
    "sgd": replace(TRAINING, optimizer="sgd", momentum=0.9, schedule="cosine-unclamped", total_steps=7),
    "adam": replace(TRAINING, optimizer="adam", weight_decay=1e-2, schedule="polynomial"),
    "amsgrad-plateau": replace(TRAINING, optimizer="adam", amsgrad=True, schedule="plateau", decay_vectors=True),
    "adamw-steps": replace(TRAINING, optimizer="adamw", steps_per_epoch=4, first_evaluation=2, evaluate_every=2),
}


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Finetuned]:
    return {name: tuned(recipe) for name, recipe in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("epoch", [1, 3, 6])
def test_a_killed_run_goes_on_bit_for_bit(
    undisturbed: dict[str, Finetuned], tmp_path: Path, name: str, epoch: int
) -> None:
    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    state = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        tuned(KINDS[name], state, kill)
    torch.manual_seed(epoch)
    resumed, whole = tuned(KINDS[name], state), undisturbed[name]
    assert (resumed.history, resumed.best_epoch) == (whole.history, whole.best_epoch)
    for (key, left), right in zip(resumed.model.state_dict().items(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(left, right), key


def test_the_recipes_give_different_trainings(undisturbed: dict[str, Finetuned]) -> None:
    assert len({found.history[-1]["loss"] for found in undisturbed.values()}) == len(KINDS)


def test_half_precision_asked_of_a_processor_is_single(undisturbed: dict[str, Finetuned]) -> None:
    half = tuned(replace(KINDS["sgd"], precision="fp16"))
    assert (half.precision, half.model.precision) == ("fp32", "fp32")
    assert half.history == undisturbed["sgd"].history
    assert all(one.dtype == torch.float32 for one in half.model.parameters())
