"""One fold of a question answering cell: training selected on validation, then the answers to its test questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchx.progress import Advance
from benchx.protocols import Answer
from benchx.tasks.vqa.answerer import Answerer, answered
from benchx.tasks.vqa.problem import Draw
from benchx.tasks.vqa.sources import Source
from benchx.training.chosen import Prepared, train_chosen
from benchx.training.recipe import Batch, TrainingSet


@dataclass(frozen=True)
class Setting:
    """What all folds of a cell share.

    Attributes:
        new_source: gives the features for one training on a draw; a method that is trained is loaded anew.
    """

    protocol: Answer
    new_source: Callable[[Draw], Source]
    seed: int
    device: str


@dataclass(frozen=True)
class Fitted:
    """What training made of a fold.

    Attributes:
        answers: int64 [n_test], numbers in the draw's vocabulary.
        chosen: JSON-able choices for the record.
        trials: of the search.
    """

    answers: np.ndarray
    chosen: dict[str, Any]
    trials: tuple[dict[str, Any], ...]


def fit(setting: Setting, draw: Draw, work: Path, advance: Advance) -> Fitted:
    """Train on a draw and answer its test questions.

    Args:
        work: folder of the states that a killed cell continues from.
        advance: told the epochs done and the epochs in all.
    """
    protocol = setting.protocol

    def prepare(chosen: Answer) -> Prepared[Answerer, Source]:
        source = setting.new_source(draw)
        model = Answerer(source, len(draw.vocabulary), chosen, setting.seed, setting.device)

        def batch(taken: np.ndarray, rng: np.random.Generator) -> Batch:
            numbers = draw.train[taken]
            return (*source.inputs(numbers), torch.from_numpy(draw.targets[numbers]).to(setting.device))

        def evaluate(micro_batch: int) -> float | None:
            if not len(draw.val):
                return None
            return float((answered(model, source, draw.val, micro_batch) == draw.targets[draw.val]).mean())

        return Prepared(model, source, TrainingSet(len(draw.train), batch), evaluate)

    found = train_chosen(protocol, prepare, setting.seed, work, advance)
    answers = answered(found.model, found.source, draw.test, found.trained.micro_batch)
    chosen = {"features": found.source.kind} | found.trained.described()
    return Fitted(answers, chosen | found.choice.details, found.choice.trials)
