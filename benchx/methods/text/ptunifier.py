"""PTUnifier (Chen et al. 2023): RoBERTa and CLIP's blocks fused by co-attention, pseudo tokens for what is absent.

The official model reads pairs. A text alone is paired with pseudo patches and an image alone with pseudo words,
taken from learned pools by their likeness to the input; so each embedding needs both sides.
"""

from __future__ import annotations

import torch
from timm.layers.activations import quick_gelu
from torch import nn

from benchx.methods.text.base import TextFeatures, TextTower, check_tokens

WIDTH, HEADS, FEED_FORWARD = 768, 12, 3072
VOCABULARY, POSITIONS = 50265, 514
POOL, PSEUDO_PATCHES, PSEUDO_WORDS = 2048, 49, 32
START, PADDING, END = 0, 1, 2
"""RoBERTa's token ids <s>, <pad>, </s>."""


class WordEmbeddings(nn.Module):
    """RoBERTa's: words, positions counted from the padding id on, and one token type."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH, padding_idx=PADDING)
        self.position_embeddings = nn.Embedding(POSITIONS, WIDTH, padding_idx=PADDING)
        self.token_type_embeddings = nn.Embedding(1, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embed token ids, int64 [B, T] -> [B, T, 768]."""
        is_token = ids != PADDING
        positions = is_token.cumsum(dim=1) * is_token + PADDING
        summed = self.word_embeddings(ids) + self.position_embeddings(positions) + self.token_type_embeddings.weight
        return self.LayerNorm(summed)


class ClipBlocks(nn.Module):
    """CLIP's ViT-B/16 without its patch embedding and its last block; LayerNorm on every token of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.empty(WIDTH))
        self.positional_embedding = nn.Parameter(torch.empty(325, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.resblocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, FEED_FORWARD, activation=quick_gelu, batch_first=True, norm_first=True
            )
            for _ in range(11)
        )

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Put the class token before embedded patches and run the blocks, [B, T, 768] -> [B, 1 + T, 768]."""
        start = (self.class_embedding + self.positional_embedding[0]).expand(len(patches), 1, -1)
        tokens = self.ln_pre(torch.cat([start, patches], dim=1))
        for block in self.resblocks:
            tokens = block(tokens)
        return self.ln_post(tokens)


class Stream(nn.Module):
    """One modality's side of the fusion: its layers attend to its own tokens, then to the other side's."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.Parameter(torch.empty(POOL, WIDTH))
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(WIDTH, HEADS, FEED_FORWARD, activation="gelu", batch_first=True)
            for _ in range(6)
        )
        self.pooler = nn.Linear(WIDTH, WIDTH)
        self.itc_ln = nn.LayerNorm(2 * WIDTH)
        self.itc_proj = nn.Linear(2 * WIDTH, WIDTH, bias=False)

    def nearest(self, query: torch.Tensor, count: int) -> torch.Tensor:
        """Return the pool's tokens with the largest dot products, [B, 768] -> [B, count, 768]."""
        return self.pool[(query @ self.pool.T).topk(count, dim=1).indices]

    def project(self, fused: torch.Tensor) -> torch.Tensor:
        """Return the contrastive embedding, [B, 1536] -> [B, 768], not normalised."""
        return self.itc_proj(self.itc_ln(fused))


class PTUnifierText(TextTower):
    """Both sides of PTUnifier but the patch embedding; it embeds texts, and images that its encoder has read.

    CLIP's blocks are held a second time, since pseudo patches run through them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = WordEmbeddings()
        self.roberta = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, activation="gelu", batch_first=True)
            for _ in range(12)
        )
        self.clip = ClipBlocks()
        self.language, self.vision = Stream(), Stream()
        self.modality_type_embeddings = nn.Embedding(2, WIDTH)

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are <pad>."""
        return (input_ids != PADDING).long()

    def embed_images(self, tokens: torch.Tensor, patch_mean: torch.Tensor) -> torch.Tensor:
        """Return the contrastive embeddings of images, [B, 768], not normalised.

        Args:
            tokens: [B, T, 768], of CLIP's blocks, class token first.
            patch_mean: [B, 768], the mean of the embedded patches before the blocks, with positions.
        """
        ends = self.embeddings(torch.tensor([[START], [END]], device=tokens.device)).expand(2, len(tokens), -1)
        pseudo = self.language.nearest(patch_mean, PSEUDO_WORDS)
        words = torch.cat([ends[0][:, None], pseudo, ends[1][:, None]], dim=1)
        return self.vision.project(self._fused(words, tokens, torch.zeros(words.shape[:2], dtype=torch.bool)))

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        check_tokens(ids, mask, VOCABULARY, POSITIONS - 2)
        words = self.embeddings(ids)
        kept = mask[:, 1:, None].to(words.dtype)
        query = (words[:, 1:] * kept).sum(dim=1) / (kept.sum(dim=1) + 1e-8)
        patches = self.clip(self.vision.nearest(query, PSEUDO_PATCHES))
        fused = self._fused(words, patches, mask == 0)
        return TextFeatures(fused, self.language.project(fused))

    def _fused(self, words: torch.Tensor, patches: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        """Run embedded words through RoBERTa, fuse them with CLIP's tokens and join both class tokens, [B, 1536]."""
        padding = padding.to(words.device)
        for layer in self.roberta:
            words = layer(words, src_key_padding_mask=padding)
        kinds = self.modality_type_embeddings.weight
        words, patches = self.language.proj(words) + kinds[0], self.vision.proj(patches) + kinds[1]
        for reading, looking in zip(self.language.layers, self.vision.layers, strict=True):
            words, patches = (
                reading(words, patches, tgt_key_padding_mask=padding),
                looking(patches, words, memory_key_padding_mask=padding),
            )
        pooled = (self.language.pooler(words[:, 0]), self.vision.pooler(patches[:, 0]))
        return torch.cat(pooled, dim=1).tanh()


def ptunifier_text() -> PTUnifierText:
    """Build PTUnifier's text tower, at the size of its published file."""
    return PTUnifierText()
