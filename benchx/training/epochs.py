"""A fine-tuning run epoch by epoch: training, selection, and the state that a killed run continues from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchx.errors import BenchxError
from benchx.training.batches import batches, has_batch_norm
from benchx.training.classifier import Classifier, masked_loss_sum, parameter_groups
from benchx.training.memory import free, halved
from benchx.training.recipe import Data, Recipe
from benchx.training.schedules import warmup_cosine

Score = Callable[[np.ndarray, np.ndarray], float | None]
"""Maps logits and labels [N, C] to a score (higher is better), None where there is none."""

_SAVED = ("epoch", "history", "best", "best_epoch", "best_score", "micro_batch", "stopped")
"""Fields of a run that its state file holds beside the model and the optimiser."""


class Diverged(BenchxError):
    """The loss or a prediction is no finite number."""


class Run:
    """The state of a training: what is saved after every epoch and continued from."""

    def __init__(self, model: Classifier, train: Data, recipe: Recipe, seed: int) -> None:
        self.model, self.train, self.recipe, self.seed = model, train, recipe, seed
        self.merge_single = has_batch_norm(model)
        groups = parameter_groups(model, recipe.lr, recipe.head_lr, recipe.weight_decay)
        self.optimizer = torch.optim.AdamW(groups)
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
        parts = batches(rng.permutation(self.train.size), self.recipe.batch_size, self.merge_single)
        total, labelled = 0.0, 0
        for number, rows in enumerate(parts):
            images = self.train.images(rows, rng)
            labels = torch.from_numpy(self.train.labels[rows].astype(np.float32)).to(images.device)
            loss, count = self._gradients(images, labels, number), int((~labels.isnan()).sum())
            if not np.isfinite(loss):
                raise Diverged(
                    f"loss is {'NaN' if np.isnan(loss) else 'infinite'}",
                    f"epoch {self.epoch}, step {number + 1} of {len(parts)}, precision {self.model.precision}",
                    "check the images' scale, or lower the learning rate",
                )
            self._update((self.epoch - 1) * len(parts) + number, self.recipe.epochs * len(parts))
            total, labelled = total + loss * count, labelled + count
        return {"epoch": self.epoch, "loss": total / max(labelled, 1), "score": None}

    def _gradients(self, images: Tensor, labels: Tensor, number: int) -> float:
        """Leave the gradients of a batch's mean loss in the parameters, in as many pieces as memory asks for."""
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        dropout_seed = int(np.random.SeedSequence([self.seed, self.epoch, number]).generate_state(1)[0])
        while True:
            torch.manual_seed(dropout_seed)
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self._accumulate(images, labels)
            except (RuntimeError, MemoryError) as error:
                self.micro_batch = halved(min(self.micro_batch, len(images)), error)
            # Outside the handler, whose traceback would keep the failed pass's activations alive.
            self.optimizer.zero_grad(set_to_none=True)
            free()
            with torch.no_grad():
                for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                    buffer.copy_(before)

    def _accumulate(self, images: Tensor, labels: Tensor) -> float:
        count = (~labels.isnan()).sum().clamp_min(1)
        total = torch.zeros((), device=images.device)
        whole = self.micro_batch >= self.recipe.batch_size
        pieces = 1 if whole else math.ceil(len(images) / self.micro_batch)
        # Of near equal size, so that batch normalisation meets no small rest.
        for part, truth in zip(images.tensor_split(pieces), labels.tensor_split(pieces), strict=True):
            loss = masked_loss_sum(self.model(part), truth) / count
            loss.backward()
            total += loss.detach()
        return total.item()

    def _update(self, step: int, steps: int) -> None:
        """Take one optimiser step at the schedule's rate."""
        factor = warmup_cosine(step, round(self.recipe.warmup_fraction * steps), steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step()

    def select(self, row: dict[str, Any], val: Data | None, score: Score) -> None:
        """Score the epoch on validation, and keep its weights if it is the best, or cannot be compared."""
        value = None if val is None else score(predict(self.model, val, self.micro_batch), val.labels)
        value = None if value is None or np.isnan(value) else float(value)
        row["score"] = value
        self.history.append(row)
        if value is None or self.best_score is None or value > self.best_score:
            self.best_score, self.best_epoch = value, self.epoch
            self.best = {name: tensor.to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}
        self.stopped = self.epoch - self.best_epoch >= self.recipe.patience

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        state = {name: getattr(self, name) for name in _SAVED}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
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
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in _SAVED:
            setattr(self, name, state[name])


def predict(model: Classifier, data: Data, batch: int) -> np.ndarray:
    """Return logits, float32 [N, C], under the evaluation transform; halves `batch` where memory runs out.

    Raises:
        Diverged: a logit is NaN or infinite.
        BenchxError: one image does not fit into memory.
    """
    model.eval()
    parts: list[np.ndarray] = []
    start = 0
    while start < data.size:
        rows = np.arange(start, min(start + batch, data.size))
        try:
            with torch.no_grad():
                parts.append(model(data.images(rows, None)).cpu().numpy())
            start += len(rows)
            continue
        except (RuntimeError, MemoryError) as error:
            batch = halved(len(rows), error)
        free()
    logits = np.concatenate(parts) if parts else np.zeros((0, data.labels.shape[1]), np.float32)
    if not np.isfinite(logits).all():
        raise Diverged("predictions are NaN or infinite", "the training diverged", "lower the learning rate")
    return logits
