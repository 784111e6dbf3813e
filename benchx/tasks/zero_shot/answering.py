"""One method, one dataset, one set of texts or several: the raw score of every image, and heat maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchx.encoding import resolve_execution
from benchx.errors import BenchxError, NotApplicable, UsageError
from benchx.extraction import cell_embeddings
from benchx.planning import Cell
from benchx.protocols import ZeroShot
from benchx.tasks.zero_shot.asking import Asked, ask
from benchx.tasks.zero_shot.comparing import Compare, compared
from benchx.tasks.zero_shot.concepts import Concepts, concepts_of, reads_concepts
from benchx.tasks.zero_shot.grounding import Found, heat_of, outlined
from benchx.tasks.zero_shot.grounding import ground as compare_heat
from benchx.tasks.zero_shot.rules import (
    Rule,
    rule_of,
    scores_of_concepts,
    scores_of_embeddings,
    scores_of_similarities,
)
from benchx.workspace import OpenDataset, Workspace, cell_input

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder
    from benchx.methods.text.base import TextFeatures


@dataclass(frozen=True)
class Question:
    """A cell with its method loaded and its texts read.

    Attributes:
        text: of `asked.texts`.
        concepts: where the rule reads them.
    """

    cell: Cell
    protocol: ZeroShot
    workspace: Workspace
    rule: Rule
    asked: Asked
    encoder: Encoder
    text: TextFeatures
    concepts: Concepts | None

    @property
    def classes(self) -> tuple[str, ...]:
        """The C names."""
        return tuple(self.cell.settings["classes"])

    @property
    def standardised(self) -> np.ndarray:
        """Which classes are brought to mean 0 and deviation 1, bool [C]."""
        return self.rule.standardises(self.asked.negative)

    @property
    def dataset(self) -> OpenDataset:
        """The cell's images."""
        return self.workspace.dataset(self.cell.reading)


def questions(
    cell: Cell, protocol: ZeroShot, workspace: Workspace
) -> tuple[dict[int, Question], dict[int, BenchxError]]:
    """Choose the rule, load the method with its text side, and let it read the texts of every prompt set.

    Returns:
        By the number of a prompt set, of which `prompts` is 0 and those of `search` follow: the questions, and why a
        set cannot be asked.

    Raises:
        NotApplicable, UsageError, WeightsMissing: see `benchx.tasks.zero_shot.run.run`. Of the prompt sets the first
            one's error, where none can be asked.
    """
    card = workspace.weights(cell.method).card
    if card.text is None or card.scorer is None:
        lacking = "reads no text" if card.text is None else "does not compare images with texts"
        raise NotApplicable(
            f"'{cell.method}' {lacking}", "zero-shot classification compares images with prompts", "use another method"
        )
    rule = rule_of(card, protocol.scoring)
    asked: dict[int, Asked] = {}
    refused: dict[int, BenchxError] = {}
    for number, prompt_set in enumerate((protocol.prompts, *protocol.search)):
        try:
            asked[number] = ask(rule, prompt_set, tuple(cell.settings["classes"]), workspace.weights_root, cell.method)
        except (NotApplicable, UsageError) as error:
            refused[number] = error
    if not asked:
        raise refused[0]
    size = cell_input(cell, protocol.input, workspace).size
    encoder = workspace.load_encoder(cell.method, size, text=True)
    if rule.reads == "embedding" and not encoder.projects:
        raise NotApplicable(
            f"'{cell.method}' does not embed whole images among texts",
            f"the rule '{rule.title}' compares these embeddings",
            "use scoring: official",
        )
    found: dict[int, Question] = {}
    with torch.inference_mode():
        for number, one in asked.items():
            text = encoder.encode_text(one.texts)
            try:
                concepts = _concepts(encoder, one, text, cell) if rule.reads == "concepts" else None
            except NotApplicable as error:
                refused[number] = error
                continue
            found[number] = Question(cell, protocol, workspace, rule, one, encoder, text, concepts)
    if not found:
        raise refused[min(refused)]
    return found, refused


def answers(asked: Sequence[Question], rows: np.ndarray) -> list[np.ndarray]:
    """Return the raw scores of each question, float64 [N, C] of the whole dataset, NaN but for the rows asked for.

    Every image is encoded once for all questions.

    Args:
        asked: of one method and dataset, by one rule; one or more.
    """
    first = asked[0]
    cell, workspace, rule = first.cell, first.workspace, first.rule
    scores = [np.full((len(first.dataset.samples.table), len(first.classes)), np.nan) for _ in asked]
    if rule.reads == "embedding":
        images = cell_embeddings(cell, first.protocol, workspace, lambda: first.encoder)[rows]
        for one, found in zip(asked, scores, strict=True):
            texts = _finite(one.text.embedding.float().cpu().numpy(), cell)
            found[rows] = scores_of_embeddings(rule, images, texts, one.asked.positive, one.asked.negative)
        return scores
    comparisons = [_comparison(one) for one in asked]
    ends = np.cumsum([comparison.width for comparison in comparisons])[:-1]
    for batch, together in compared(
        first.encoder,
        lambda features: torch.cat([comparison.compare(features) for comparison in comparisons], dim=1),
        first.dataset.pixels,
        rows,
        cell_input(cell, first.protocol.input, workspace),
        resolve_execution(first.protocol, workspace.device),
        workspace.progress.stage(f"{cell.label}: similarities"),
    ):
        parts = np.split(_finite(together, cell), ends, axis=1)
        for comparison, found, part in zip(comparisons, scores, parts, strict=True):
            found[batch] = comparison.score(part)
    return scores


@dataclass(frozen=True)
class _Comparison:
    """What a question makes of a batch of images.

    Attributes:
        compare: to float32 [B, width].
        score: from that to scores [B, C].
    """

    compare: Compare
    width: int
    score: Callable[[np.ndarray], np.ndarray]


def _comparison(one: Question) -> _Comparison:
    encoder, text, concepts, positive = one.encoder, one.text, one.concepts, one.asked.positive
    if concepts is None:
        return _Comparison(
            lambda features: encoder.similarity(features, text),
            len(one.asked.texts),
            lambda found: scores_of_similarities(one.rule, found, positive),
        )
    count = len(concepts.whole)
    return _Comparison(
        concepts.compare(encoder),
        2 * count,
        lambda found: scores_of_concepts(found[:, :count], found[:, count:], len(positive)),
    )


def _concepts(encoder: Encoder, asked: Asked, text: TextFeatures, cell: Cell) -> Concepts:
    _finite(text.embedding.float().cpu().numpy(), cell)
    return concepts_of(encoder, asked, text)


def _finite(values: np.ndarray, cell: Cell) -> np.ndarray:
    """Return values as they are.

    Raises:
        BenchxError: one is NaN or infinite.
    """
    if np.isfinite(values).all():
        return values
    raise BenchxError(
        f"'{cell.method}' gives NaN or infinite values where it compares images with texts",
        "its weights, or its text tower's, do not fit",
        "check the checkpoint with: benchx methods check METHOD --checkpoint FILE",
    )


def ground(asked: Question, rows: np.ndarray) -> tuple[Found | None, str | None]:
    """Return how heat maps of some images fit their outlines, or in words why that cannot be looked at."""
    known = asked.dataset.samples.mask_classes
    wanted = {name: some for name, some in zip(asked.classes, asked.asked.positive, strict=True) if name in known}
    drawn = outlined(asked.dataset, list(wanted), rows)
    if not len(drawn):
        return None, "no image of the validation and test cases has an outline of a class that was asked about"
    try:
        compare = _heat(asked, wanted)
    except NotApplicable as why:
        compare = why.what
    if isinstance(compare, str):
        return None, f"the method has no heat maps: {compare}"
    cell, workspace = asked.cell, asked.workspace
    spec, execution = (
        cell_input(cell, asked.protocol.input, workspace),
        resolve_execution(asked.protocol, workspace.device),
    )
    stage = workspace.progress.stage(f"{cell.label}: heat maps")
    return compare_heat(asked.encoder, compare, tuple(wanted), asked.dataset, drawn, spec, execution, stage), None


def _heat(asked: Question, wanted: dict[str, tuple[int, ...]]) -> Compare | str:
    """Return what makes heat maps of some classes, or in words why there are none.

    Raises:
        NotApplicable: a class's name stands in none of its texts, where its words are what is looked for.
    """
    if not reads_concepts(asked.encoder):
        return heat_of(asked.encoder, asked.text, list(wanted.values()))
    with torch.inference_mode():
        concepts = asked.concepts or concepts_of(asked.encoder, asked.asked, asked.text)
    return concepts.heat(asked.encoder, [asked.classes.index(name) for name in wanted])
