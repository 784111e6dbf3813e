"""Train with the settings that a protocol's search chooses; what is trained, and on what, the caller says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from benchx.progress import Advance
from benchx.training.learner import Learner
from benchx.training.loop import Trained, train
from benchx.training.recipe import TrainingSet, recipe_of
from benchx.training.search import Choice, P, choose

Model = TypeVar("Model", bound=Learner)
Source = TypeVar("Source")


@dataclass(frozen=True)
class Prepared(Generic[Model, Source]):
    """One training before its first step.

    Attributes:
        source: what the model's inputs come from.
        training: the cases that it learns from.
        evaluate: the validation score at a micro-batch, None where there is nothing to validate on.
    """

    model: Model
    source: Source
    training: TrainingSet
    evaluate: Callable[[int], float | None]


@dataclass(frozen=True)
class Chosen(Generic[P, Model, Source]):
    """The training that was chosen, at its end; its model has the best epoch's weights."""

    model: Model
    source: Source
    trained: Trained
    choice: Choice[P]


def train_chosen(
    protocol: P, prepare: Callable[[P], Prepared[Model, Source]], seed: int, work: Path, advance: Advance
) -> Chosen[P, Model, Source]:
    """Search as the protocol declares, then train to the end with what was chosen.

    Args:
        prepare: makes a training anew for some settings.
        work: folder of the states that a killed cell continues from.
        advance: told the epochs done and the epochs in all.
    """

    def run(settings: P, state_file: Path, until: int | None) -> tuple[Trained, Prepared[Model, Source]]:
        one = prepare(settings)
        found = train(
            one.model,
            one.training,
            recipe_of(settings),
            seed,
            state_file=state_file,
            on_epoch=lambda row: advance(int(row["epoch"]), protocol.epochs),
            evaluate=lambda _, micro_batch: one.evaluate(micro_batch),
            until=until,
        )
        return found, one

    choice = choose(protocol, work, lambda *asked: run(*asked)[0].best_score, advance)
    trained, one = run(choice.protocol, choice.state_file, None)
    advance(protocol.epochs, protocol.epochs)
    return Chosen(one.model, one.source, trained, choice)
