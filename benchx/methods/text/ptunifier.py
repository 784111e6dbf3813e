"""PTUnifier (Chen et al. 2023): RoBERTa and CLIP's blocks fused by co-attention, pseudo tokens for what is absent.

The official model reads pairs. A text alone is paired with pseudo patches and an image alone with pseudo words,
taken from learned pools by their likeness to the input; so each embedding needs both sides.
"""

from __future__ import annotations

import torch
from timm.layers.activations import quick_gelu
from torch import nn

from benchx.methods.coattention import FUSED, Stream, co_attend
from benchx.methods.text.base import TextFeatures, TextTower, check_tokens
from benchx.methods.text.roberta import (
    END,
    FEED_FORWARD,
    HEADS,
    LONGEST,
    PADDING,
    START,
    VOCABULARY,
    WIDTH,
    WordEmbeddings,
    read_words,
    roberta_layers,
)

POOL, PSEUDO_PATCHES, PSEUDO_WORDS = 2048, 49, 32


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


class SoftPrompts(Stream):
    """One modality's side of the fusion, with what stands in for its tokens and its contrastive head.

    LayerNorm eps is 1e-5, from the configuration of biomed_roberta_base; M3AE's is 1e-12.
    """

    def __init__(self) -> None:
        super().__init__(epsilon=1e-5)
        self.pool = nn.Parameter(torch.empty(POOL, WIDTH))
        self.itc_ln = nn.LayerNorm(FUSED)
        self.itc_proj = nn.Linear(FUSED, WIDTH, bias=False)

    def nearest(self, query: torch.Tensor, count: int) -> torch.Tensor:
        """Return the pool's tokens with the largest dot products, [B, 768] -> [B, count, 768]."""
        return self.pool[(query @ self.pool.T).topk(count, dim=1).indices]

    def project(self, fused: torch.Tensor) -> torch.Tensor:
        """Return the contrastive embedding, [B, 1536] -> [B, 768], not normalised."""
        return self.itc_proj(self.itc_ln(fused))


class PTUnifierText(TextTower):
    """Both sides of PTUnifier but the patch embedding; it embeds texts, and images that its encoder has read.

    CLIP's blocks are held a second time, since pseudo patches run through them. The words of a text are what RoBERTa
    gives of its tokens, <s> and </s> among them, which `fuse` reads together with an image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = WordEmbeddings()
        self.roberta = roberta_layers()
        self.clip = ClipBlocks()
        self.language, self.vision = SoftPrompts(), SoftPrompts()
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
        padding = torch.zeros(words.shape[:2], dtype=torch.bool, device=words.device)
        return self.vision.project(self.fuse(read_words(self.roberta, words, padding), tokens, padding))

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        check_tokens(ids, mask, VOCABULARY, LONGEST)
        words = self.embeddings(ids)
        kept = mask[:, 1:, None].to(words.dtype)
        query = (words[:, 1:] * kept).sum(dim=1) / (kept.sum(dim=1) + 1e-8)
        patches = self.clip(self.vision.nearest(query, PSEUDO_PATCHES))
        read = read_words(self.roberta, words, mask == 0)
        fused = self.fuse(read, patches, mask == 0)
        return TextFeatures(fused, self.language.project(fused), read, mask != 0)

    def fuse(self, words: torch.Tensor, patches: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        """Fuse what RoBERTa gave with CLIP's tokens, pair by pair, and join both class tokens, [M, 1536].

        Args:
            words: [M, W, 768].
            patches: [M, T, 768], class token first.
            padding: bool [M, W], which words do not count.
        """
        return co_attend(self.language, self.vision, self.modality_type_embeddings, words, patches, padding)


def ptunifier_text() -> PTUnifierText:
    """Build PTUnifier's text tower, at the size of its published file."""
    return PTUnifierText()
