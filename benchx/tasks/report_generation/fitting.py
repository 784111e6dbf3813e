"""One fold of a report generation cell: training selected on validation, then the reports of its test cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchx.decoders.reports.cleaning import clean
from benchx.decoders.reports.vocabulary import Vocabulary
from benchx.progress import Advance
from benchx.protocols import Generate
from benchx.tasks.report_generation.cases import Cases
from benchx.tasks.report_generation.comparing import bleu_4
from benchx.tasks.report_generation.patches import Source
from benchx.tasks.report_generation.problem import Draw
from benchx.tasks.report_generation.writer import Writer, mean_loss, written
from benchx.training.chosen import Prepared, train_chosen
from benchx.training.recipe import Batch, TrainingSet


@dataclass(frozen=True)
class Setting:
    """What all folds of a cell share.

    Attributes:
        new_source: gives the method's patches for one training; an encoder that is trained is loaded anew.
    """

    cases: Cases
    protocol: Generate
    new_source: Callable[[], Source]
    seed: int
    device: str


@dataclass(frozen=True)
class Fitted:
    """What training made of a fold.

    Attributes:
        generated: texts of the test cases.
        cleaned: their reports as the decoder could at best write them.
        chosen: JSON-able choices for the record.
        trials: of the search.
    """

    generated: list[str]
    cleaned: list[str]
    chosen: dict[str, Any]
    trials: tuple[dict[str, Any], ...]


def fit(setting: Setting, draw: Draw, work: Path, advance: Advance) -> Fitted:
    """Train on a draw, whose training reports are the vocabulary, and write the reports of its test cases.

    Args:
        work: folder of the states that a killed cell continues from.
        advance: told the epochs done and the epochs in all.
    """
    protocol, cases = setting.protocol, setting.cases
    texts = [clean(report, protocol.cleaning) for report in cases.reports]
    vocabulary = Vocabulary.build([texts[case] for case in draw.train], protocol.vocabulary_threshold)
    cleaned = [vocabulary.readable(text, protocol.max_length) for text in texts]

    def prepare(chosen: Generate) -> Prepared[Writer, Source]:
        source = setting.new_source()
        model = Writer(source, len(vocabulary), chosen, setting.seed, setting.device)

        def batch(numbers: np.ndarray, rng: np.random.Generator | None) -> Batch:
            tokens = vocabulary.encode_batch([texts[case] for case in numbers], protocol.max_length)
            return (*source.inputs(cases.rows[numbers], rng), tokens.to(setting.device))

        def evaluate(micro_batch: int) -> float | None:
            if not len(draw.val):
                return None
            if protocol.selection == "loss":
                return -mean_loss(model, lambda numbers: batch(numbers, None), draw.val, micro_batch)
            references = cleaned if protocol.references == "cleaned" else cases.reports
            said = _texts(setting, model, source, vocabulary, draw.val, micro_batch)
            return bleu_4(said, [references[case] for case in draw.val], tokenized=protocol.references == "cleaned")

        training = TrainingSet(len(draw.train), lambda taken, rng: batch(draw.train[taken], rng))
        return Prepared(model, source, training, evaluate)

    found = train_chosen(protocol, prepare, setting.seed, work, advance)
    generated = _texts(setting, found.model, found.source, vocabulary, draw.test, found.trained.micro_batch)
    chosen = {"patches": found.source.kind, "vocabulary": len(vocabulary)} | found.trained.described()
    readable = [cleaned[case] for case in draw.test]
    return Fitted(generated, readable, chosen | found.choice.details, found.choice.trials)


def _texts(
    setting: Setting, model: Writer, source: Source, vocabulary: Vocabulary, numbers: np.ndarray, batch: int
) -> list[str]:
    said = written(model, lambda some: source.inputs(setting.cases.rows[some], None), numbers, batch)
    return [vocabulary.decode(tokens) for tokens in said]
