"""MedKLIP's similarity (Wu et al. 2023): texts query the patches of an image, and each gets the answer "present"."""

from __future__ import annotations

from torch import nn

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.queries import TEXT_WIDTH, Answers, QueryScorer, check_queries, decoded, query_decoder
from benchx.methods.text.base import TextFeatures

WIDTH = 256


class MedKLIP(QueryScorer):
    """Attention is the mean over layers and heads.

    The official set of texts are the 75 observations of pretraining, in whatever order; classes are picked from it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disease_embedding_layer = nn.Linear(TEXT_WIDTH, WIDTH)
        self.decoder = query_decoder(WIDTH)
        self.classifier = nn.Linear(WIDTH, 2)

    def answers(self, encoder: Encoder, images: Features, text: TextFeatures) -> Answers:
        """Ask all texts of every image.

        Raises:
            UsageError: the texts are not embedded in 768 numbers.
        """
        check_queries(text, "MedKLIP", "the [CLS] embedding of Bio_ClinicalBERT")
        queries = self.disease_embedding_layer(text.embedding)
        found, maps = decoded(self.decoder, queries, encoder.project_tokens(images))
        assert self.decoder.norm is not None
        states = self.decoder.norm(found)
        return Answers(states, self.classifier(states), maps.mean(dim=0))


def medklip() -> MedKLIP:
    """Build MedKLIP's scorer, at the size of its published file: 4 layers, 4 heads, 256 wide."""
    return MedKLIP()
