"""Fine-tuning for classification: an encoder and a head, trained together on labels that may be missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchx.protocols import Head
from benchx.training.classifier import PLAIN, Classifier
from benchx.training.learner import Learner
from benchx.training.loop import Diverged, Trained, train
from benchx.training.memory import free, halved
from benchx.training.recipe import Batch, Data, Recipe, TrainingSet

__all__ = ["Data", "Diverged", "Finetuned", "Recipe", "finetune", "predict"]

Score = Callable[[np.ndarray, np.ndarray], float | None]
"""Maps logits and labels [N, C] to a score (higher is better), None where there is none."""


@dataclass(frozen=True)
class Finetuned(Trained):
    """A trained classifier and how it came about.

    Attributes:
        model: with the weights of the best epoch, in evaluation mode.
    """

    model: Classifier


def finetune(
    encoder: nn.Module,
    train_data: Data,
    val: Data | None,
    classes: int,
    recipe: Recipe,
    seed: int,
    device: str,
    state_file: Path | None,
    on_epoch: Callable[[dict[str, Any]], None] | None,
    score: Score,
    head: Head = PLAIN,
    until: int | None = None,
) -> Finetuned:
    """Train all weights; see `benchx.training.loop.train`.

    The loss is the mean cross-entropy over a batch's labels that are not NaN.

    Args:
        encoder: maps images to [B, dim] and has the attribute `dim`; trained in place.
        train_data: training cases.
        val: validation cases; None keeps the last epoch.
        classes: C.
        seed: of the head, the order, the augmentation and dropout.
        score: selects on validation, such as `benchx.metrics.classification.macro_auroc`.
        head: its form.
    """

    def batch(rows: np.ndarray, rng: np.random.Generator) -> Batch:
        images = train_data.images(rows, rng)
        return images, torch.from_numpy(train_data.labels[rows].astype(np.float32)).to(images.device)

    def evaluate(model: Learner, micro_batch: int) -> float | None:
        assert isinstance(model, Classifier)
        return None if val is None else score(predict(model, val, micro_batch), val.labels)

    model = Classifier(encoder, classes, seed, device, recipe.precision, head)
    trained = train(
        model,
        TrainingSet(train_data.size, batch),
        recipe,
        seed,
        state_file=state_file,
        on_epoch=on_epoch,
        evaluate=evaluate,
        until=until,
    )
    return Finetuned(**vars(trained), model=model)


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
