"""What ConceptCLIP compares images with: for every class the direction of its texts, and that of its name in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from benchx.errors import NotApplicable
from benchx.methods.scorers.conceptclip import ConceptCLIP, concept
from benchx.methods.text.conceptclip import first_places, pieces
from benchx.metrics.zero_shot import class_embedding
from benchx.tasks.zero_shot.asking import Asked
from benchx.tasks.zero_shot.comparing import Compare

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures


@dataclass(frozen=True)
class Concepts:
    """Directions of C classes, or of their presence and then, where the prompts have it, of their absence.

    Attributes:
        whole: [K, P], the mean of the normalised texts.
        local: [K, P], of the name's words in these texts.
    """

    whole: torch.Tensor
    local: torch.Tensor

    def compare(self, encoder: Encoder) -> Compare:
        """Return what makes the logits of a batch, [B, 2 K]: of whole images, then of their patches."""
        scorer = _scorer(encoder)
        return lambda features: torch.cat(
            (scorer.whole(encoder, features, self.whole), scorer.local(encoder, features, self.local)), dim=1
        )

    def heat(self, encoder: Encoder, classes: Sequence[int]) -> Compare:
        """Return what makes heat maps, [B, G, h, w]: the cosines of the patches with the names of some classes."""
        towards = self.local[list(classes)]

        def cosines(features: Features) -> torch.Tensor:
            patches = normalize(encoder.project_tokens(features), dim=-1)
            side = math.isqrt(patches.shape[1])
            return (patches @ towards.T).transpose(1, 2).unflatten(2, (side, side))

        return cosines


def reads_concepts(encoder: Encoder) -> bool:
    """Whether a method compares patches with the words of a class's name."""
    return isinstance(encoder.scorer, ConceptCLIP)


def concepts_of(encoder: Encoder, asked: Asked, text: TextFeatures) -> Concepts:
    """Find the directions of what a method is asked.

    Args:
        text: of `asked.texts`, all finite.

    Raises:
        NotApplicable: no prompt of a class has a word of its name.
    """
    opposed = any(asked.negative)
    columns = [*asked.positive, *asked.negative] if opposed else list(asked.positive)
    names = [*asked.names, *asked.names] if opposed else list(asked.names)
    assert encoder.tokenizer is not None
    texts, spoken = pieces(encoder.tokenizer(asked.texts)), pieces(encoder.tokenizer(names))
    local = []
    for some, name, name_pieces in zip(columns, names, spoken, strict=True):
        direction = concept(text, some, [first_places(texts[one], name_pieces) for one in some])
        if direction is None:
            raise NotApplicable(
                f"no word of '{name}' stands in its prompts",
                "ConceptCLIP's rule compares patches with the words of a class's name",
                "write prompts with the name, or use scoring: common",
            )
        local.append(direction)
    embeddings = text.embedding.float().cpu().numpy()
    whole = torch.from_numpy(np.stack([class_embedding(embeddings[list(some)]) for some in columns]))
    return Concepts(whole.to(text.embedding.device, torch.float32), torch.stack(local).float())


def _scorer(encoder: Encoder) -> ConceptCLIP:
    assert isinstance(encoder.scorer, ConceptCLIP)
    return encoder.scorer
