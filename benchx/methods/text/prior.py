"""PRIOR's text tower (Cheng et al. 2023): a sentence is the mean of its words, said again in learned prototypes."""

from __future__ import annotations

import torch
from torch import nn

from benchx.errors import UsageError
from benchx.methods.attention_pool import AttentionPool
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.bert import WIDTH, BertTower

VOCABULARY = 28996
"""Of Bio_ClinicalBERT."""
PROTOTYPES = 512
TEMPERATURE = 0.9
"""Of the softmax over prototypes (`temp` of the official sentence bank; its schedule is `fixed`)."""


class PRIORText(BertTower):
    """Reads a text as one sentence, as the official zero-shot code reads a prompt.

    Pooled is the mean of the last layer between [CLS] and the last position; a text that is padded keeps its [SEP] in
    that mean, and official prompts are padded to 256. `words` are one per text, its prototype.

    The official code draws the shares of the prototypes by Gumbel-softmax at test time too, so that its scores change
    from run to run. Here nothing is drawn: the shares are the softmax that the draws vary about.
    """

    def __init__(self) -> None:
        super().__init__(vocabulary=VOCABULARY)
        self.local_text_projection = nn.Linear(WIDTH, WIDTH)
        self.sentence_bank = nn.Embedding(PROTOTYPES, WIDTH)
        self.global_text_attention = AttentionPool(WIDTH)

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        inside = mask[:, 1:-1] != 0
        if not bool(inside.any(dim=1).all()):
            raise UsageError(
                "a text has no word",
                "PRIOR averages what stands between the first and the last position, and nothing does",
                "use the method's tokenizer, which pads every text",
            )
        last_layer = self.hidden(ids, mask)[-1][:, 1:-1]
        weight = inside[..., None].to(last_layer.dtype)
        pooled = (last_layer * weight).sum(dim=1) / weight.sum(dim=1)
        sentence = self.quantised(self.local_text_projection(pooled))[:, None]
        present = torch.ones(sentence.shape[:2], dtype=torch.bool, device=ids.device)
        return TextFeatures(pooled, self.global_text_attention(sentence), sentence, present)

    def quantised(self, sentences: torch.Tensor) -> torch.Tensor:
        """Return the mixtures of prototypes that stand for sentences, [B, 768] -> [B, 768]."""
        shares = (sentences @ self.sentence_bank.weight.T / TEMPERATURE).softmax(dim=-1)
        return shares @ self.sentence_bank.weight


def prior_text() -> PRIORText:
    """Build PRIOR's text tower."""
    return PRIORText()
