"""KAD's similarity (Zhang et al. 2023): names of classes query the places of an image, and each is answered.

Read from xiaoman-zhang/KAD (commit 591d999): texts and places go through the decoder's last LayerNorm before the first
layer too. The file holds that norm twice; the decoder's own is read.
"""

from __future__ import annotations

from torch import nn

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.queries import TEXT_WIDTH, Answers, QueryScorer, check_queries, decoded, query_decoder
from benchx.methods.text.base import TextFeatures


class KAD(QueryScorer):
    """Attention is that of the last layer, as the official code shows it, the mean over heads."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = query_decoder(TEXT_WIDTH)
        self.mlp_head = nn.Sequential(nn.Linear(TEXT_WIDTH, 2))

    def answers(self, encoder: Encoder, images: Features, text: TextFeatures) -> Answers:
        """Ask all texts of every image.

        Raises:
            UsageError: the texts are not embedded in 768 numbers.
        """
        check_queries(text, "KAD", "its own text tower, Med-KEBERT with mlp_embed")
        norm = self.decoder.norm
        assert norm is not None
        found, maps = decoded(self.decoder, norm(text.embedding), norm(encoder.project_tokens(images)))
        states = norm(found)
        return Answers(states, self.mlp_head(states), maps[-1])


def kad() -> KAD:
    """Build KAD's scorer, at the size of its published file: 4 layers, 4 heads, 768 wide."""
    return KAD()
