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
from benchx.training.learner import Learner
from benchx.training.loop import Trained, train
from benchx.training.recipe import Batch, TrainingSet, recipe_of
from benchx.training.search import choose


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

    def trained(chosen: Answer, state_file: Path, until: int | None) -> tuple[Trained, Answerer, Source]:
        source = setting.new_source(draw)
        model = Answerer(source, len(draw.vocabulary), chosen, setting.seed, setting.device)

        def batch(taken: np.ndarray, rng: np.random.Generator) -> Batch:
            numbers = draw.train[taken]
            return (*source.inputs(numbers), torch.from_numpy(draw.targets[numbers]).to(setting.device))

        def evaluate(model: Learner, micro_batch: int) -> float | None:
            assert isinstance(model, Answerer)
            if not len(draw.val):
                return None
            return float((answered(model, source, draw.val, micro_batch) == draw.targets[draw.val]).mean())

        found = train(
            model,
            TrainingSet(len(draw.train), batch),
            recipe_of(chosen),
            setting.seed,
            state_file=state_file,
            on_epoch=lambda row: advance(int(row["epoch"]), protocol.epochs),
            evaluate=evaluate,
            until=until,
        )
        return found, model, source

    choice = choose(protocol, work, lambda *attempt: trained(*attempt)[0].best_score, advance)
    found, model, source = trained(choice.protocol, choice.state_file, None)
    advance(protocol.epochs, protocol.epochs)
    answers = answered(model, source, draw.test, found.micro_batch)
    return Fitted(answers, {"features": source.kind} | found.described() | choice.details, choice.trials)
