"""The one fine-tuning loop: an encoder and a linear head, trained together on labels that may be missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchx.training.classifier import Classifier
from benchx.training.epochs import Diverged, Run, Score, predict
from benchx.training.recipe import Data, Recipe

__all__ = ["Data", "Diverged", "Finetuned", "Recipe", "finetune", "predict"]


@dataclass(frozen=True)
class Finetuned:
    """A trained model and how it came about.

    Attributes:
        model: with the weights of the best epoch, in evaluation mode.
        history: per epoch `epoch` (from 1), `loss` (mean over labels), `score` (validation, or None).
        best_epoch: the epoch of the model: the best on validation, the last where nothing could be scored.
        micro_batch: images per forward pass at the end; smaller than the batch after running out of memory.
        precision: `fp32` or `bf16`.
        stopped: whether patience ended the training.
    """

    model: Classifier
    history: list[dict[str, Any]]
    best_epoch: int
    micro_batch: int
    precision: str
    stopped: bool


def finetune(
    encoder: nn.Module,
    train: Data,
    val: Data | None,
    classes: int,
    recipe: Recipe,
    seed: int,
    device: str,
    state_file: Path | None,
    on_epoch: Callable[[dict[str, Any]], None] | None,
    score: Score,
) -> Finetuned:
    """Train all weights with AdamW under a warm-up and a cosine, selected on validation after each epoch.

    The loss is the mean binary cross-entropy over a batch's labels that are not NaN. A step that runs out of
    memory is repeated on the same images with half the micro-batch, gradients accumulated, so that
    the batch and the weight of every label stay as they are. Order, augmentation and dropout are drawn from
    (seed, epoch), so a run that was killed continues from `state_file` to the same weights, bit for bit on
    a CPU with as many threads. The caller's random state is left as it was.

    Args:
        encoder: maps images to [B, dim] and has the attribute `dim`; trained in place.
        train: training cases.
        val: validation cases; None keeps the last epoch.
        classes: C.
        recipe: how to train.
        seed: of the head, the order, the augmentation and dropout.
        device: where.
        state_file: written after every epoch and continued from where it exists.
        on_epoch: called with each new row of the history, after the state was written.
        score: selects on validation, such as `benchx.metrics.classification.macro_auroc`.

    Raises:
        Diverged: the loss or a logit is NaN or infinite; the state file is removed.
        BenchxError: one image does not fit into memory.
    """
    run = Run(Classifier(encoder, classes, seed, device, recipe.precision), train, recipe, seed)
    if state_file is not None and state_file.exists():
        run.load(state_file)
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            while run.epoch < recipe.epochs and not run.stopped:
                row = run.train_epoch()
                run.select(row, val, score)
                if state_file is not None:
                    run.save(state_file)
                if on_epoch is not None:
                    on_epoch(row)
    except Diverged:
        if state_file is not None:
            state_file.unlink(missing_ok=True)
        raise
    run.model.load_state_dict(run.best)
    precision = run.model.precision
    return Finetuned(run.model.eval(), run.history, run.best_epoch, run.micro_batch, precision, run.stopped)
