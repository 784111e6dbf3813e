"""One method, one set of texts, one dataset: the raw score of every image, and heat maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchx.encoding import resolve_execution
from benchx.errors import BenchxError, NotApplicable
from benchx.extraction import cell_embeddings
from benchx.planning import Cell
from benchx.protocols import ZeroShot
from benchx.tasks.zero_shot.asking import Asked, ask
from benchx.tasks.zero_shot.comparing import compared
from benchx.tasks.zero_shot.grounding import Found, heat_of, outlined
from benchx.tasks.zero_shot.grounding import ground as compare_heat
from benchx.tasks.zero_shot.rules import Rule, rule_of, scores_of_embeddings, scores_of_similarities
from benchx.workspace import OpenDataset, Workspace, cell_input

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder
    from benchx.methods.text.base import TextFeatures


@dataclass(frozen=True)
class Question:
    """A cell with its method loaded and its texts read.

    Attributes:
        text: of `asked.texts`.
    """

    cell: Cell
    protocol: ZeroShot
    workspace: Workspace
    rule: Rule
    asked: Asked
    encoder: Encoder
    text: TextFeatures

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


def question(cell: Cell, protocol: ZeroShot, workspace: Workspace) -> Question:
    """Choose the rule, load the method with its text side, and let it read the texts.

    Raises:
        NotApplicable, UsageError, WeightsMissing: see `benchx.tasks.zero_shot.run.run`.
    """
    card = workspace.weights(cell.method).card
    if card.text is None or card.encoder is None or card.scorer is None:
        lacking = "reads no text" if card.text is None else "does not compare images with texts"
        raise NotApplicable(
            f"'{cell.method}' {lacking}", "zero-shot classification compares images with prompts", "use another method"
        )
    rule = rule_of(card, protocol.scoring)
    asked = ask(rule, protocol.prompts, tuple(cell.settings["classes"]), workspace.weights_root, cell.method)
    size = cell_input(cell, protocol.input, workspace).size
    encoder = workspace.load_encoder(cell.method, size, text=True)
    if rule.reads == "embedding" and not encoder.projects:
        raise NotApplicable(
            f"'{cell.method}' does not embed whole images among texts",
            f"the rule '{rule.title}' compares these embeddings",
            "use scoring: official",
        )
    with torch.inference_mode():
        return Question(cell, protocol, workspace, rule, asked, encoder, encoder.encode_text(asked.texts))


def answers(asked: Question, rows: np.ndarray) -> np.ndarray:
    """Return raw scores, float64 [N, C] of the whole dataset, NaN but for the rows asked for."""
    scores = np.full((len(asked.dataset.samples.table), len(asked.classes)), np.nan)
    cell, workspace, texts = asked.cell, asked.workspace, asked.asked
    spec, execution = (
        cell_input(cell, asked.protocol.input, workspace),
        resolve_execution(asked.protocol, workspace.device),
    )
    if asked.rule.reads == "embedding":
        images = cell_embeddings(cell, asked.protocol, workspace, lambda: asked.encoder)[rows]
        embeddings = asked.text.embedding.float().cpu().numpy()
        scores[rows] = scores_of_embeddings(
            asked.rule, images, _finite(embeddings, cell), texts.positive, texts.negative
        )
        return scores
    stage = workspace.progress.stage(f"{cell.label}: similarities")
    for batch, similarities in compared(
        asked.encoder,
        lambda features: asked.encoder.similarity(features, asked.text),
        asked.dataset.pixels,
        rows,
        spec,
        execution,
        stage,
    ):
        scores[batch] = scores_of_similarities(asked.rule, _finite(similarities, cell), texts.positive)
    return scores


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
    compare = heat_of(asked.encoder, asked.text, list(wanted.values()))
    if isinstance(compare, str):
        return None, f"the method has no heat maps: {compare}"
    cell, workspace = asked.cell, asked.workspace
    spec, execution = (
        cell_input(cell, asked.protocol.input, workspace),
        resolve_execution(asked.protocol, workspace.device),
    )
    stage = workspace.progress.stage(f"{cell.label}: heat maps")
    return compare_heat(asked.encoder, compare, tuple(wanted), asked.dataset, drawn, spec, execution, stage), None
