"""Co-attention of METER (Dou et al. 2022), as in M3AE, ARL and PTUnifier: words and patches look at each other.

Six pairs of layers, side by side: of each pair both read what the pair before gave. The image's layer does not see
the words as its own pair's text layer leaves them.
"""

from __future__ import annotations

import torch
from torch import nn

WIDTH, HEADS, FEED_FORWARD, LAYERS = 768, 12, 3072, 6
FUSED = 2 * WIDTH
"""Width of a pair's features: both class tokens."""


def cross_layer(epsilon: float, width: int = WIDTH, heads: int = HEADS) -> nn.TransformerDecoderLayer:
    """Build a layer: attention to its own tokens, then to the other side's, then feed-forward; each normed after it.

    GELU is the exact one.

    Args:
        epsilon: of its LayerNorms.
        width: of its tokens; the feed-forward part is four times as wide.
        heads: of both attentions.
    """
    return nn.TransformerDecoderLayer(
        width, heads, 4 * width, activation="gelu", batch_first=True, layer_norm_eps=epsilon
    )


class Stream(nn.Module):
    """One modality's side: a projection, the layers and the pooler of its first token."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.ModuleList(cross_layer(epsilon) for _ in range(LAYERS))
        self.pooler = nn.Linear(WIDTH, WIDTH)


def enter(
    language: Stream, vision: Stream, kinds: nn.Embedding, words: torch.Tensor, patches: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Project both sides and add the embedding of their kind: 0 text, 1 image."""
    return language.proj(words) + kinds.weight[0], vision.proj(patches) + kinds.weight[1]


def leave(language: Stream, vision: Stream, words: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    """Join the pooled first tokens, text before image, [M, 1536]."""
    return torch.cat((language.pooler(words[:, 0]), vision.pooler(patches[:, 0])), dim=1).tanh()


def co_attend(
    language: Stream,
    vision: Stream,
    kinds: nn.Embedding,
    words: torch.Tensor,
    patches: torch.Tensor,
    padding: torch.Tensor,
) -> torch.Tensor:
    """Fuse words and patches, pair by pair, and join both first tokens, [M, 1536].

    Args:
        words: [M, W, 768], of the text encoder.
        patches: [M, T, 768], of the image encoder, class token first.
        padding: bool [M, W], which words do not count.
    """
    words, patches = enter(language, vision, kinds, words, patches)
    for reading, looking in zip(language.layers, vision.layers, strict=True):
        words, patches = (
            reading(words, patches, tgt_key_padding_mask=padding),
            looking(patches, words, memory_key_padding_mask=padding),
        )
    return leave(language, vision, words, patches)
