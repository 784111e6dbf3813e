"""PRIOR's similarity (Cheng et al. 2023): texts, one per class, vie for an image as a whole and for its parts."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures

WIDTH = 768
LOCAL_WEIGHT = 0.5


class PRIOR(Scorer):
    """A softmax over the texts by their cosines, plus half a softmax over them by their local attention.

    All texts of a call vie with each other, so a score depends on the whole set: in the official zero-shot code one
    prompt per class. There the local term is a mean over all images of a batch, and batches hold one; here every image
    has its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.ones(()))
        self.local_cross_attention = nn.ModuleDict(
            {name: nn.Linear(WIDTH, WIDTH) for name in ("query1", "key1", "query2", "key2")}
        )

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], each row in [0, 1.5] with sum 1.5; without the texts' sentences the first softmax alone."""
        scores = self.global_logits(encoder, images, text).softmax(dim=1)
        if text.words is None:
            return scores
        return scores + LOCAL_WEIGHT * self.local_attention(encoder, images, text.words[:, 0]).softmax(dim=1)

    def global_logits(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return the cosines times logit_scale as it is in the file, [B, B'].

        In training it is the exponent of the scale; the official zero-shot code does not take its exponential.
        """
        return self.logit_scale * (normalize(encoder.project(images), dim=-1) @ normalize(text.embedding, dim=-1).T)

    def local_attention(self, encoder: Encoder, images: Features, sentences: torch.Tensor) -> torch.Tensor:
        """Return how much sentences [B', 768] and the parts of images attend to each other, [B, B'] in [0, 1].

        The attention of a part and a sentence is a sigmoid, not a share; it is averaged over parts and both ways.
        """
        of = self.local_cross_attention
        parts = encoder.project_tokens(images)
        ways = ((of["query1"](parts), of["key2"](sentences)), (of["key1"](parts), of["query2"](sentences)))
        means = [(seen @ said.T / WIDTH**0.5).sigmoid().mean(dim=1) for seen, said in ways]
        return (means[0] + means[1]) / 2


def prior() -> PRIOR:
    """Build PRIOR's scorer."""
    return PRIOR()
