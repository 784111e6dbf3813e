"""MeDSLIP's similarity (Fan et al. 2024): findings query one stream of the places, anatomical places another.

Read from Shef-AIRE/MeDSLIP (commit 7cfceb1). The two decoders share their last LayerNorm, which the file holds twice;
that of the findings is read. One layer embeds the texts of both.
"""

from __future__ import annotations

import torch
from torch import nn

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.encoders.medslip import MeDSLIPEncoder
from benchx.methods.scorers.queries import (
    TEXT_WIDTH,
    Answers,
    QueryScorer,
    check_queries,
    decoded,
    on_grid,
    query_decoder,
)
from benchx.methods.text.base import TextFeatures

WIDTH = 256


class MeDSLIP(QueryScorer):
    """Texts on findings query the stream of the findings; attention is the mean over layers and heads."""

    def __init__(self) -> None:
        super().__init__()
        self.pathology_embedding_layer = nn.Linear(TEXT_WIDTH, WIDTH)
        self.decoder_pathology = query_decoder(WIDTH)
        self.classifier_pathology = nn.Linear(WIDTH, 2)
        self.decoder_anatomy = query_decoder(WIDTH, normed=False)
        self.classifier_anatomy = nn.Linear(WIDTH, 2)

    def answers(self, encoder: Encoder, images: Features, text: TextFeatures) -> Answers:
        """Ask all findings of every image.

        Raises:
            UsageError: the texts are not embedded in 768 numbers.
        """
        places = encoder.project_tokens(images)
        return self._asked(self.decoder_pathology, self.classifier_pathology, places, text)

    def anatomy_answers(self, encoder: Encoder, images: Features, anatomy: TextFeatures) -> Answers:
        """Ask for anatomical places instead: which of them are spoken of, and where they are.

        Args:
            anatomy: the texts of `benchx.prompts.queries.ANATOMY_SENTENCES`, all at once.

        Raises:
            UsageError: the texts are not embedded in 768 numbers, or the encoder is not MeDSLIP's.
        """
        if not isinstance(encoder, MeDSLIPEncoder):
            raise UsageError("the encoder has no stream of anatomical places", "only MeDSLIP's has", "use its own")
        return self._asked(
            self.decoder_anatomy, self.classifier_anatomy, encoder.project_anatomy_tokens(images), anatomy
        )

    def located_attention(
        self, encoder: Encoder, images: Features, text: TextFeatures, anatomy: TextFeatures
    ) -> torch.Tensor:
        """Return the attention of each finding where some anatomical place is looked at too, [B, B', h, w].

        The official code's other heat map: the mean over the anatomical places of the product of both attentions,
        which does not sum to 1.

        Args:
            anatomy: as in `anatomy_answers`.

        Raises:
            UsageError: as `anatomy_answers`.
        """
        attention = self.answers(encoder, images, text).attention
        anywhere = self.anatomy_answers(encoder, images, anatomy).attention.mean(dim=1, keepdim=True)
        return on_grid(attention * anywhere)

    def _asked(
        self, decoder: nn.TransformerDecoder, classifier: nn.Linear, places: torch.Tensor, text: TextFeatures
    ) -> Answers:
        check_queries(text, "MeDSLIP", "the [CLS] embedding of Bio_ClinicalBERT")
        found, maps = decoded(decoder, self.pathology_embedding_layer(text.embedding), places)
        assert self.decoder_pathology.norm is not None
        states = self.decoder_pathology.norm(found)
        return Answers(states, classifier(states), maps.mean(dim=0))


def medslip() -> MeDSLIP:
    """Build MeDSLIP's scorer, at the size of its published file: two decoders of 4 layers, 4 heads, 256 wide."""
    return MeDSLIP()
