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
from benchx.metrics.classification import f1_at_zero, macro_auroc
from benchx.progress import Advance
from benchx.protocols import Finetune
from benchx.tasks.classification.problem import Draw, Fit, Fitted, Held, Problem
from benchx.training.finetune import Data, Finetuned, Score, finetune, predict
from benchx.training.recipe import recipe_of
from benchx.training.search import choose

SELECTION: dict[str, Score] = {"macro_auroc": macro_auroc, "f1": f1_at_zero}
"""What chooses the epoch, by name."""


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

        def trained(chosen: Finetune, state_file: Path, until: int | None) -> Finetuned:
            return finetune(
                new_encoder(),
                data(draw.train),
                data(draw.val) if len(draw.val) else None,
                classes=len(problem.classes),
                recipe=recipe_of(chosen),
                seed=problem.cell.seed or 0,
                device=device,
                state_file=state_file,
                on_epoch=lambda row: report(int(row["epoch"]), protocol.epochs),
                score=SELECTION[protocol.selection],
                head=chosen.head,
                until=until,
            )

        choice = choose(
            protocol,
            work / f"fold{draw.number}",
            lambda chosen, state_file, until: trained(chosen, state_file, until).best_score,
            advance(draw.number),
        )
        found = trained(choice.protocol, choice.state_file, None)
        report(protocol.epochs, protocol.epochs)
        test, val = (predict(found.model, data(rows), protocol.batch_size) for rows in (draw.test, draw.val))
        chosen = found.described() | choice.details
        return Fitted(test, Held(draw.val, val) if len(draw.val) else None, chosen, choice.trials)

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
