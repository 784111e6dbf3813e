"""One fold of a segmentation cell: training selected on validation, then its test cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchx.datasets.samples import Samples
from benchx.decoders.segmentation.losses import UNKNOWN
from benchx.errors import NotApplicable
from benchx.images.spec import InputSpec
from benchx.progress import Advance
from benchx.protocols import Segment
from benchx.tasks.segmentation.area import Area, area
from benchx.tasks.segmentation.maps import Source
from benchx.tasks.segmentation.problem import Draw
from benchx.tasks.segmentation.scores import MEASURES
from benchx.tasks.segmentation.segmenter import Segmenter, log_odds
from benchx.tasks.segmentation.tables import Case, case_table, validation_score
from benchx.tasks.segmentation.truth import Truth
from benchx.training.chosen import Prepared, train_chosen
from benchx.training.recipe import Batch, TrainingSet


@dataclass(frozen=True)
class Setting:
    """What all folds of a cell share.

    Attributes:
        shapes: int [N, 2], height and width of the original images.
        new_source: gives the method's maps for one training; an encoder that is trained is loaded anew.
    """

    samples: Samples
    shapes: np.ndarray
    truth: Truth
    spec: InputSpec
    protocol: Segment
    new_source: Callable[[], Source]
    seed: int
    device: str


@dataclass(frozen=True)
class Fitted:
    """What training made of a fold.

    Attributes:
        table: of its test cases.
        chosen: JSON-able choices for the record.
        trials: of the search.
    """

    table: pd.DataFrame
    chosen: dict[str, Any]
    trials: tuple[dict[str, Any], ...]


def fit(setting: Setting, draw: Draw, work: Path, advance: Advance) -> Fitted:
    """Train on a draw and predict its test cases.

    Args:
        work: folder of the states that a killed cell continues from.
        advance: told the epochs done and the epochs in all.

    Raises:
        NotApplicable: UPerNet would be trained on single images.
    """
    protocol, truth = setting.protocol, setting.truth
    if protocol.decoder.name == "upernet" and min(protocol.batch_size, len(draw.train)) < 2:
        raise NotApplicable(
            "UPerNet cannot be trained on one image at a time",
            "it normalises one pooled value per image over the batch",
            "use batches of 2 or more and more training images, or the decoder unet",
        )

    def prepare(chosen: Segment) -> Prepared[Segmenter, Source]:
        source = setting.new_source()
        model = Segmenter(source, truth.size, len(truth.classes), chosen, setting.seed, setting.device)

        def evaluate(micro_batch: int) -> float | None:
            if not len(draw.val):
                return None
            cases = _cases(setting, source, model, draw.val, micro_batch)
            return validation_score(cases, truth.classes, MEASURES[protocol.selection])

        training = TrainingSet(len(draw.train), lambda taken, rng: make_batch(setting, source, draw.train[taken], rng))
        return Prepared(model, source, training, evaluate)

    found = train_chosen(protocol, prepare, setting.seed, work, advance)
    cases = _cases(setting, found.source, found.model, draw.test, found.trained.micro_batch)
    table = case_table(setting.samples, draw.test, draw.number, cases, truth.classes, protocol.tolerance)
    chosen = {"maps": found.source.kind} | found.trained.described()
    return Fitted(table, chosen | found.choice.details, found.choice.trials)


def _cases(setting: Setting, source: Source, model: Segmenter, rows: np.ndarray, batch: int) -> Iterator[Case]:
    for row, odds in log_odds(model, source.inputs, rows, batch):
        yield setting.truth.masks(np.array([row]))[0], odds, _area(setting, row)


def _area(setting: Setting, row: int) -> Area:
    height, width = setting.shapes[row]
    return area(int(height), int(width), setting.spec)


def make_batch(setting: Setting, source: Source, rows: np.ndarray, rng: np.random.Generator) -> Batch:
    """Return a training batch: inputs, then masks, mirrored by chance; what lies outside of the image is unknown."""
    masks = setting.truth.masks(rows)
    padding = np.ones((len(rows), 1, setting.truth.size, setting.truth.size), bool)
    for one, row in zip(padding, rows, strict=True):
        _area(setting, row).of(one)[:] = False
    masks = np.where(padding, np.uint8(UNKNOWN), masks)
    inputs = source.inputs(rows)
    mirrored = torch.from_numpy(rng.random(len(rows)) < setting.protocol.horizontal_flip)
    targets = torch.from_numpy(masks).to(setting.device)
    return (*inputs, targets) if not mirrored.any() else tuple(_flip(one, mirrored) for one in (*inputs, targets))


def _flip(values: Tensor, mirrored: Tensor) -> Tensor:
    chosen = mirrored.to(values.device)[:, None, None, None]
    return torch.where(chosen, values.flip(-1), values)
