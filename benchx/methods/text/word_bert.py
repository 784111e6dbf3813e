"""BERT towers of methods that compare words with places of the image: GLoRIA and MGCA."""

from __future__ import annotations

import torch

from benchx.methods.projections import Projection
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.bert import WIDTH, BertTower
from benchx.methods.text.heads import build_head
from benchx.methods.text.words import sum_pieces

VOCABULARY = 28996
"""Of Bio_ClinicalBERT."""
GLORIA_LAYERS = 4


class GLoRIAText(BertTower):
    """GLoRIA's (Huang et al. 2021): words are sums of their pieces and of the last four layers, not projected."""

    def __init__(self) -> None:
        super().__init__(vocabulary=VOCABULARY)

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        layers = torch.stack(self.hidden(ids, mask)[-GLORIA_LAYERS:]).sum(dim=0)
        words, present, last = sum_pieces(layers, ids, continued)
        # The mean counts the places after the last word too: a text's embedding depends on how far it is padded.
        pooled = words.mean(dim=1)
        place = torch.arange(ids.shape[1], device=ids.device)
        between = present & (place > 0) & (place < last[:, None])
        return TextFeatures(pooled, pooled, words, between)


class MGCAText(BertTower):
    """MGCA's (Wang et al. 2022): six layers; the first word is the text, all others are its words, [SEP] included.

    The official code calls its BERT with token types in the place of positions, so every token was trained at
    position 0; and that BERT has no token types.
    """

    def __init__(self) -> None:
        super().__init__(vocabulary=VOCABULARY, layers=6, token_types=1)
        self.fresh = {"embeddings.token_type_embeddings.weight": 0.0}
        self.global_embed = build_head(Projection(layer="linear", widths=(2048, 128), norm="all"), WIDTH)
        self.local_embed = build_head(Projection(layer="conv1d", widths=(2048, 128), norm="all"), WIDTH)

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        last_layer = self.hidden(ids, mask, positions=torch.zeros_like(ids))[-1]
        words, present, _ = sum_pieces(last_layer, ids, continued)
        pooled = words[:, 0]
        return TextFeatures(pooled, self.global_embed(pooled), self.local_embed(words[:, 1:]), present[:, 1:])


def gloria_text() -> GLoRIAText:
    """Build GLoRIA's text tower."""
    return GLoRIAText()


def mgca_text() -> MGCAText:
    """Build MGCA's text tower, the same beside both image encoders."""
    return MGCAText()
