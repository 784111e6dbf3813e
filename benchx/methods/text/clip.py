"""CLIP's text transformer (Radford et al. 2021)."""

from __future__ import annotations

import torch
from pydantic import validate_call
from timm.layers.activations import quick_gelu
from torch import nn

from benchx.methods.text.base import TextFeatures, TextTower, check_tokens

WIDTH, LAYERS, HEADS = 512, 12, 8
VOCABULARY, POSITIONS = 49408, 77


class ClipText(TextTower):
    """Causal pre-norm blocks; a text is its last token, <|endoftext|>, after the final LayerNorm.

    The attention mask is not used: tokens see only those before them, and padding follows the last token.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(POSITIONS, WIDTH) * 0.01)
        self.resblocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation=quick_gelu, batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, width) * WIDTH**-0.5)

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 after the end of each text: its first token with the largest id."""
        place = torch.arange(input_ids.shape[1], device=input_ids.device)
        return (place <= input_ids.argmax(dim=1, keepdim=True)).long()

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        check_tokens(ids, mask, VOCABULARY, POSITIONS)
        tokens = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        later = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).triu(1)
        for block in self.resblocks:
            tokens = block(tokens, src_mask=later)
        end = ids.argmax(dim=1)
        pooled = self.ln_final(tokens[torch.arange(len(ids), device=ids.device), end])
        return TextFeatures(pooled, pooled @ self.text_projection)


@validate_call
def clip_text(*, width: int) -> ClipText:
    """Build CLIP's text tower.

    Args:
        width: of the embedding, 512 beside a ViT-B and 1024 beside the ResNet-50.
    """
    return ClipText(width=width)
