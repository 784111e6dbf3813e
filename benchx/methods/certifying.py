"""Parity certificates: with the same keyed weights, our encoder gives the figures of the official code.

`tests/certificates/NAME.json` keeps the facts: names and shapes of the official checkpoint's tensors, the inputs, and
at most 64 figures that the official code computed. `certify` fills a file of that shape by the keyed-init rule, loads
it as any checkpoint and compares. `baselines/certificates/NAME.json` keeps the outcome.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchx.digests import digest_json
from benchx.errors import CheckpointError, UsageError
from benchx.methods.cards.reading import read_card
from benchx.methods.certificates import Certificate, card_digest
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.keyed_init import keyed_tensor, seeded_images
from benchx.methods.loading import load
from benchx.methods.scorers.conceptclip import ConceptCLIP, concept
from benchx.methods.scorers.queries import QueryScorer
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.entities import placed
from benchx.resources import resource_dir

TOLERANCE = 1e-5
"""Largest relative difference, max|a - b| / max|b| per figure: right implementations agree to about 1e-6, and the
smallest mistake tried (another LayerNorm epsilon) shows at 6e-5."""


def certifiable() -> list[str]:
    """Return the methods with facts to certify them by, sorted."""
    return sorted(path.stem for path in resource_dir("certificates").glob("*.json"))


def read_facts(name: str) -> dict[str, Any]:
    """Return what is kept of a method's official checkpoint and of the official code's figures.

    Raises:
        UsageError: there is nothing for this method.
    """
    path = resource_dir("certificates") / f"{name}.json"
    if not path.is_file():
        raise UsageError(
            f"'{name}' cannot be certified",
            "no figures of its official code are kept",
            f"those of {', '.join(certifiable())} are",
        )
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


def certify(name: str) -> Certificate:
    """Check a method's parity with its official code.

    Raises:
        UsageError: no figures are kept for the method.
        CheckpointError: a figure differs by the tolerance or more, or the file does not load.
    """
    facts, card = read_facts(name), read_card(name)
    with tempfile.TemporaryDirectory() as folder:
        encoder = load(card, _keyed_file(facts, Path(folder)), text=bool(facts["text"] or facts["queries"]))
    inputs = _Inputs(encoder, facts)
    with torch.inference_mode():
        differences = {
            figure: _difference(_FIGURES[figure](inputs), kept) for figure, kept in facts["expected"].items()
        }
    worst = max(differences, key=lambda figure: differences[figure])
    if not all(value < TOLERANCE for value in differences.values()):
        raise CheckpointError(
            f"'{name}' differs from its official code: {worst} by {differences[worst]:.1e}",
            f"the tolerance is {TOLERANCE:.0e} of the largest value",
            "mend the card or the encoder; a figure that agrees narrows the place down: "
            + (", ".join(figure for figure, value in differences.items() if value < TOLERANCE) or "none agrees"),
        )
    return Certificate(
        method=name,
        official=facts["official"],
        commit=facts["commit"],
        origin=facts["origin"],
        inputs=digest_json(facts),
        card=card_digest(card),
        figures=sum(len(kept["row0"]) for kept in facts["expected"].values()),
        largest_difference=differences[worst],
    )


def _keyed_file(facts: dict[str, Any], folder: Path) -> Path:
    tree = _keyed(facts["tensors"])
    tree.update({name: torch.tensor(rows) for name, rows in facts.get("integers", {}).items()})
    for key in reversed(facts["container"]):
        tree = {key: tree}
    path = folder / "official.pth"
    torch.save(tree, path)
    return path


def _keyed(shapes: dict[str, Any]) -> dict[str, Any]:
    """Return the tensors of a state dict, or of several by their containers, as KAD's file has them."""
    return {
        name: _keyed(shape) if isinstance(shape, dict) else keyed_tensor(name, shape) for name, shape in shapes.items()
    }


@dataclass
class _Inputs:
    """A method on the inputs of its facts; features are computed when a figure first asks for them."""

    encoder: Encoder
    facts: dict[str, Any]

    @cached_property
    def features(self) -> Features:
        return self.encoder.encode(seeded_images(self.facts["image"]["size"], channels=self.facts["image"]["channels"]))

    @cached_property
    def resized(self) -> Features:
        """The features of images of another size, by a copy of the encoder."""
        size, encoder = self.facts["image"]["resized"], deepcopy(self.encoder)
        encoder.resize(size)
        return encoder.encode(seeded_images(size, channels=self.facts["image"]["channels"]))

    @cached_property
    def text(self) -> TextFeatures:
        given = (self.facts["text"][name] for name in ("ids", "mask", "continued"))
        ids, mask, continued = (None if rows is None else torch.tensor(rows) for rows in given)
        assert ids is not None
        found = self.encoder.read_tokens(ids, mask, None if continued is None else continued.bool())
        spans = self.facts["text"].get("entities")
        return found if spans is None or mask is None else replace(found, entities=placed(spans, mask))

    @property
    def queries(self) -> torch.Tensor:
        draws = np.random.default_rng(self.facts["queries"]["seed"]).standard_normal(self.facts["queries"]["shape"])
        return torch.from_numpy(draws.astype(np.float32))

    @property
    def tokens(self) -> torch.Tensor:
        assert self.features.tokens is not None
        return self.features.tokens[0]

    @property
    def words(self) -> torch.Tensor:
        assert self.text.words is not None
        return self.text.words[0]

    @cached_property
    def fused(self) -> torch.Tensor:
        return self.encoder.fuse(self.features, self.text)

    @property
    def answers(self) -> torch.Tensor:
        assert self.encoder.fusion is not None
        return self.encoder.fusion.answer(self.fused)

    @property
    def matching(self) -> torch.Tensor:
        assert self.encoder.fusion is not None
        return self.encoder.fusion.match(self.fused)

    @property
    def local_similarity(self) -> torch.Tensor:
        scorer = self.encoder.scorer
        assert isinstance(scorer, ConceptCLIP)
        concepts = [concept(self.text, [row], [places]) for row, places in enumerate(self.facts["text"]["places"])]
        return scorer.local(self.encoder, self.features, torch.stack([one for one in concepts if one is not None]))

    @property
    def attention(self) -> torch.Tensor:
        assert isinstance(self.encoder.scorer, QueryScorer)
        text = TextFeatures(self.queries, self.queries) if self.facts["queries"] else self.text
        return self.encoder.scorer.attention(self.encoder, self.features, text)

    def map_mean(self, stride: int) -> torch.Tensor:
        return self.features.maps[self.features.strides.index(stride)][0].mean((1, 2))


_FIGURES: dict[str, Callable[[_Inputs], torch.Tensor]] = {
    "pooled": lambda of: of.features.pooled[0],
    "token_mean": lambda of: of.tokens.mean(0),
    "patch_mean": lambda of: of.tokens[1:].mean(0),
    "map4_mean": lambda of: of.map_mean(4),
    "map8_mean": lambda of: of.map_mean(8),
    "map16_mean": lambda of: of.map_mean(16),
    "map32_mean": lambda of: of.map_mean(32),
    "projection": lambda of: of.encoder.project(of.features)[0],
    "token_projection_mean": lambda of: of.encoder.project_tokens(of.features)[0].mean(0),
    "text_pooled": lambda of: of.text.pooled[0],
    "text_embedding": lambda of: of.text.embedding[0],
    "text_words_mean": lambda of: of.words.mean(0),
    "similarity": lambda of: of.encoder.similarity(of.features, of.text)[0],
    "local_similarity": lambda of: of.local_similarity[0],
    "fused": lambda of: of.fused[0],
    "matching": lambda of: of.matching,
    "answers": lambda of: of.answers[0],
    "attention": lambda of: of.attention[0, 0].flatten(),
    "query_similarity": lambda of: of.encoder.similarity(of.features, of.queries)[0],
    "resized_pooled": lambda of: of.resized.pooled[0],
}
"""What can be compared, of the first image and the first text (`matching`: of every image with its text); the facts
choose."""


def _difference(found: torch.Tensor, kept: dict[str, Any]) -> float:
    values = found.numpy()[kept["index"]] - np.asarray(kept["row0"], dtype=np.float32)
    largest = float(np.abs(values).max() / kept["largest"])
    return largest if math.isfinite(largest) else math.inf
