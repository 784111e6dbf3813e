"""The one training loop, epoch by epoch: training, selection, and the state that a killed run continues from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchx.errors import BenchxError
from benchx.training.batches import epoch_batches, has_batch_norm
from benchx.training.learner import Learner
from benchx.training.memory import free, halved
from benchx.training.optimizers import make_optimizer
from benchx.training.recipe import Batch, Recipe, TrainingSet
from benchx.training.schedules import PLATEAU_FACTOR, PLATEAU_LOWEST, STEPWISE, reductions

Evaluate = Callable[[Learner, int], float | None]
"""Returns the validation score of a model (higher is better), None where there is none; given the micro-batch."""

_SAVED = ("epoch", "history", "best", "best_epoch", "best_score", "micro_batch", "stopped")
"""Fields of a run that its state file holds beside the model and the optimiser."""


class Diverged(BenchxError):
    """The loss or a prediction is no finite number."""


@dataclass(frozen=True)
class Trained:
    """How a training came about; the model has the weights of the best epoch, in evaluation mode.

    Attributes:
        history: per epoch `epoch` (from 1), `loss` (mean), `score` (validation, or None), `evaluated`.
        best_epoch: the epoch of the model: the best on validation, the last where nothing could be scored.
        best_score: on validation, None where nothing could be scored.
        micro_batch: cases per forward pass at the end; smaller than the batch after running out of memory.
        precision: of the forward pass.
        stopped: whether patience ended the training.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    best_score: float | None
    micro_batch: int
    precision: str
    stopped: bool

    def described(self) -> dict[str, Any]:
        """Return what a record says of a training."""
        scored = any(row["score"] is not None for row in self.history)
        return {
            "selection": "validation" if scored else "none: the last epoch",
            "best_epoch": self.best_epoch,
            "history": self.history,
            "micro_batch": self.micro_batch,
            "precision": self.precision,
            "stopped": self.stopped,
        }


def train(
    model: Learner,
    cases: TrainingSet,
    recipe: Recipe,
    seed: int,
    *,
    state_file: Path | None,
    on_epoch: Callable[[dict[str, Any]], None] | None,
    evaluate: Evaluate,
    until: int | None = None,
) -> Trained:
    """Train a model, selected on validation.

    A step that runs out of memory is repeated on the same cases with half the micro-batch, gradients accumulated, so
    that the batch and the weight of every label stay as they are. Order, augmentation and dropout are drawn from
    (seed, epoch), so a run that was killed continues from `state_file` to the same weights, bit for bit on
    a CPU with as many threads. The caller's random state is left as it was.

    Args:
        model: trained in place.
        cases: to train on.
        recipe: how to train.
        seed: of the order, the augmentation and dropout.
        state_file: written after every epoch and continued from where it exists.
        on_epoch: called with each new row of the history, after the state was written.
        evaluate: scores the model on validation, at the epochs that the recipe names.
        until: stop after this epoch, as if killed; None = go to the end.

    Raises:
        Diverged: the loss or a logit is NaN or infinite; the state file is removed.
        BenchxError: one case does not fit into memory.
    """
    run = Run(model, cases, recipe, seed)
    if state_file is not None and state_file.exists():
        run.load(state_file)
    cuda = [torch.device(model.device)] if torch.device(model.device).type == "cuda" else []
    last = recipe.epochs if until is None else min(until, recipe.epochs)
    try:
        with torch.random.fork_rng(devices=cuda):
            while run.epoch < last and not run.stopped:
                row = run.train_epoch()
                run.select(row, evaluate)
                if state_file is not None:
                    run.save(state_file)
                if on_epoch is not None:
                    on_epoch(row)
    except Diverged:
        if state_file is not None:
            state_file.unlink(missing_ok=True)
        raise
    model.load_state_dict(run.best)
    model.eval()
    return Trained(run.history, run.best_epoch, run.best_score, run.micro_batch, model.precision, run.stopped)


class Run:
    """The state of a training: what is saved after every epoch and continued from."""

    def __init__(self, model: Learner, cases: TrainingSet, recipe: Recipe, seed: int) -> None:
        self.model, self.cases, self.recipe, self.seed = model, cases, recipe, seed
        self.merge_single = has_batch_norm(model)
        self.optimizer = make_optimizer(model.groups(recipe), recipe)
        self.scaler = torch.amp.GradScaler(enabled=model.precision == "fp16")
        self.epoch, self.best_epoch = 0, 0
        self.best_score: float | None = None
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, Any]] = []
        self.micro_batch = recipe.micro_batch or recipe.batch_size
        self.stopped = False

    def train_epoch(self) -> dict[str, Any]:
        """Train one epoch and return its row of the history, still without a score."""
        self.epoch += 1
        self.model.train()
        rng = np.random.default_rng([self.seed, self.epoch])
        parts = epoch_batches(self.cases.size, self.recipe, rng, self.merge_single)
        taken = (self.epoch - 1) * len(parts)
        total, counted = 0.0, 0
        for number, rows in enumerate(parts):
            batch = self.cases.batch(rows, rng)
            loss, count = self._gradients(batch, number), int(self.model.count(batch))
            if not np.isfinite(loss):
                raise Diverged(
                    f"loss is {'NaN' if np.isnan(loss) else 'infinite'}",
                    f"epoch {self.epoch}, step {number + 1} of {len(parts)}, precision {self.model.precision}",
                    "check the images' scale, or lower the learning rate",
                )
            self._update(taken + number, self.recipe.epochs * len(parts))
            total, counted = total + loss * count, counted + count
        return {"epoch": self.epoch, "loss": total / max(counted, 1), "score": None}

    def _gradients(self, batch: Batch, number: int) -> float:
        """Leave the gradients of a batch's mean loss in the parameters, in as many pieces as memory asks for."""
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        dropout_seed = int(np.random.SeedSequence([self.seed, self.epoch, number]).generate_state(1)[0])
        while True:
            torch.manual_seed(dropout_seed)
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self._accumulate(batch)
            except (RuntimeError, MemoryError) as error:
                self.micro_batch = halved(min(self.micro_batch, len(batch[0])), error)
            # Outside the handler, whose traceback would keep the failed pass's activations alive.
            self.optimizer.zero_grad(set_to_none=True)
            free()
            with torch.no_grad():
                for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                    buffer.copy_(before)

    def _accumulate(self, batch: Batch) -> float:
        count = self.model.count(batch).clamp_min(1)
        total = torch.zeros((), device=self.model.device)
        whole = self.micro_batch >= self.recipe.batch_size
        pieces = 1 if whole else math.ceil(len(batch[0]) / self.micro_batch)
        # Of near equal size, so that batch normalisation meets no small rest.
        for piece in zip(*(tensor.tensor_split(pieces) for tensor in batch), strict=True):
            loss = self.model.loss_sum(piece) / count
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return total.item()

    def _update(self, step: int, steps: int) -> None:
        """Take one optimiser step at the schedule's rate."""
        recipe = self.recipe
        total = recipe.total_steps or steps
        warmup = round(recipe.warmup_fraction * steps) if recipe.warmup_steps is None else recipe.warmup_steps
        factor = STEPWISE[recipe.schedule](step, warmup, total)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
            if recipe.schedule == "plateau":
                reduced = PLATEAU_FACTOR ** reductions([row["score"] for row in self.history if row["evaluated"]])
                group["lr"] = max(group["lr"] * reduced, min(PLATEAU_LOWEST, group["lr"]))
        self.scaler.unscale_(self.optimizer)
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def select(self, row: dict[str, Any], evaluate: Evaluate) -> None:
        """Score the epoch on validation where the recipe says so; keep its weights if it is the best so far.

        An epoch that cannot be scored is kept only as long as none could be.
        """
        since = self.epoch - self.recipe.first_evaluation
        row["evaluated"] = since >= 0 and since % self.recipe.evaluate_every == 0
        self.history.append(row)
        if not row["evaluated"]:
            if self.best_score is None:
                self.best_epoch, self.best = self.epoch, self.model.weights()
            return
        value = evaluate(self.model, self.micro_batch)
        value = None if value is None or np.isnan(value) else float(value)
        row["score"] = value
        if self.best_score is None or (value is not None and value > self.best_score):
            self.best_score, self.best_epoch, self.best = value, self.epoch, self.model.weights()
        unimproved = sum(one["evaluated"] and one["epoch"] > self.best_epoch for one in self.history)
        self.stopped = unimproved >= self.recipe.patience

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        state = {name: getattr(self, name) for name in _SAVED}
        state |= {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scaler")}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    def load(self, path: Path) -> None:
        """Continue from a state."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("model", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        for name in _SAVED:
            setattr(self, name, state[name])
