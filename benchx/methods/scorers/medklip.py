"""MedKLIP's similarity (Wu et al. 2023): texts query the patches of an image, and each gets the answer "present"."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures

TEXT_WIDTH, WIDTH = 768, 256
PRESENT = 1


class MedKLIP(Scorer):
    """The probability that each text's finding is present in each image.

    All texts of a call are queries of one decoder and attend to each other: an answer depends on the whole
    set. The official set are the 75 observations of pretraining, in whatever order; classes are then picked from it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disease_embedding_layer = nn.Linear(TEXT_WIDTH, WIDTH)
        layer = nn.TransformerDecoderLayer(WIDTH, nhead=4, dim_feedforward=1024, norm_first=True, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, num_layers=4, norm=nn.LayerNorm(WIDTH))
        self.classifier = nn.Linear(WIDTH, 2)

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], in [0, 1].

        Raises:
            UsageError: the texts are not embedded in 768 numbers.
        """
        answers, _ = self._ask(encoder, images, text)
        return self.classifier(answers).softmax(dim=-1)[..., PRESENT]

    def attention(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return where each text looks, [B, B', h, w], sum 1 over the places: the mean over layers and heads.

        Raises:
            UsageError: the texts are not embedded in 768 numbers.
        """
        _, maps = self._ask(encoder, images, text)
        side = math.isqrt(maps.shape[-1])
        return maps.mean(dim=0).unflatten(-1, (side, side))

    def _ask(self, encoder: Encoder, images: Features, text: TextFeatures) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the decoder's output [B, B', 256] and each layer's attention [4, B, B', T].

        Layer by layer, because torch's decoder does not give its attention.
        """
        if text.embedding.shape[-1] != TEXT_WIDTH:
            raise UsageError(
                f"MedKLIP compares text embeddings of {TEXT_WIDTH} numbers",
                f"it was given {list(text.embedding.shape)}",
                "use the [CLS] embedding of Bio_ClinicalBERT",
            )
        patches = encoder.project_tokens(images)
        answers = self.disease_embedding_layer(text.embedding).expand(len(patches), -1, -1)
        maps = []
        for layer in self.decoder.layers:
            normed = layer.norm1(answers)
            answers = answers + layer.self_attn(normed, normed, normed, need_weights=False)[0]
            found, attention = layer.multihead_attn(layer.norm2(answers), patches, patches)
            answers = answers + found
            answers = answers + layer.linear2(layer.linear1(layer.norm3(answers)).relu())
            maps.append(attention)
        assert self.decoder.norm is not None
        return self.decoder.norm(answers), torch.stack(maps)


def medklip() -> MedKLIP:
    """Build MedKLIP's scorer, at the size of its published file: 4 layers, 4 heads, 256 wide."""
    return MedKLIP()
