"""The fine-tuning protocol for classification: the one training loop, selected on validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchx.images.augment import augment
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import PixelStore
from benchx.methods.encoders.base import Encoder
from benchx.metrics.classification import macro_auroc
from benchx.progress import Advance
from benchx.protocols import Finetune
from benchx.tasks.classification import Draw, Fit, Fitted, Held, Problem
from benchx.training.finetune import Data, Recipe, finetune, predict


def finetuned_fit(
    new_encoder: Callable[[], Encoder],
    pixels: PixelStore,
    spec: InputSpec,
    protocol: Finetune,
    *,
    device: str,
    work: Path,
    advance: Callable[[int], Advance],
) -> Fit:
    """Return the protocol's fit: every fold starts from the pretrained encoder anew; validation is held out.

    Args:
        new_encoder: loads the pretrained encoder.
        work: folder for the states of a running cell, one per fold, so that a killed cell continues after its
            last finished epoch.
        advance: gives the progress function of a fold.
    """

    def fit_draw(problem: Problem, draw: Draw) -> Fitted:
        def data(rows: np.ndarray) -> Data:
            return Data(len(rows), problem.labels[rows], _images(pixels, rows, spec, protocol, device))

        report = advance(draw.number)
        trained = finetune(
            new_encoder(),
            data(draw.train),
            data(draw.val) if len(draw.val) else None,
            classes=len(problem.classes),
            recipe=_recipe(protocol),
            seed=problem.cell.seed or 0,
            device=device,
            state_file=work / f"fold{draw.number}.pt",
            on_epoch=lambda row: report(int(row["epoch"]), protocol.epochs),
            score=macro_auroc,
        )
        report(protocol.epochs, protocol.epochs)
        test, val = (predict(trained.model, data(rows), protocol.batch_size) for rows in (draw.test, draw.val))
        chosen = {
            "selection": "validation"
            if any(row["score"] is not None for row in trained.history)
            else "none: the last epoch",
            "best_epoch": trained.best_epoch,
            "history": trained.history,
            "micro_batch": trained.micro_batch,
            "precision": trained.precision,
            "stopped": trained.stopped,
        }
        return Fitted(test, Held(draw.val, val) if len(draw.val) else None, chosen)

    return fit_draw


def _images(
    pixels: PixelStore, rows: np.ndarray, spec: InputSpec, protocol: Finetune, device: str
) -> Callable[[np.ndarray, np.random.Generator | None], torch.Tensor]:
    def images(indices: np.ndarray, rng: np.random.Generator | None) -> torch.Tensor:
        views = pixels.images(rows[indices])
        if rng is None:
            return prepare(views, spec, device)
        return augment(views, spec, protocol.augmentation, rng, device)

    return images


def _recipe(protocol: Finetune) -> Recipe:
    fields = protocol.model_dump(exclude={"kind", "input", "augmentation"})
    return Recipe(**fields, micro_batch=None)
