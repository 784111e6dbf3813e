"""ConceptCLIP's image encoder (Nie et al., 2501.15579): SigLIP-so400m, and a projection of its patches for concepts."""

from __future__ import annotations

from typing import Literal

from pydantic import validate_call
from torch import nn

from benchx.methods.encoders.timm_model import TimmModel
from benchx.methods.projections import build_projection
from benchx.methods.text.conceptclip import CONCEPTS

MODEL = "vit_so400m_patch14_siglip_384"
"""timm's, with the exact GELU and LayerNorms of eps 1e-6; transformers' SigLIP has the tanh GELU, which shows at
1.6e-4."""


@validate_call
def conceptclip(
    *, pooling: Literal["model"], channels: Literal[3], image_size: int, resize_positions: bool = False
) -> TimmModel:
    """Build ConceptCLIP's image encoder.

    Pooled: the attention pool's output, which is the embedding in the space shared with whole texts. Tokens: the
    patches after the last LayerNorm, 27 x 27 at 384 px; projected, they lie in the space of concepts.

    Args:
        pooling: always the model's own.
        channels: always 3.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides, as timm does it.
    """
    encoder = TimmModel(model=MODEL, channels=channels, image_size=image_size, resize_positions=resize_positions)
    encoder.projection = nn.Identity()
    encoder.token_projection = build_projection(CONCEPTS, encoder.dim)
    return encoder
