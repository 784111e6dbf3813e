"""ARL's image side: M3AE's ViT, whose texts come with the entities that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

from pydantic import validate_call

from benchx.errors import WeightsMissing
from benchx.methods.encoders.vit import ViT
from benchx.methods.text.entities import FILE, Linked, entities_of, read_linked
from benchx.methods.text.tokens import Tokens


class ARLEncoder(ViT):
    """Reads the entities of texts from the user's `entities.jsonl` in the method's folder of the weights root.

    Attributes:
        method: the name of the card, and of the folder.
    """

    method: str

    def tokenise(self, texts: Sequence[str]) -> Tokens:
        """Tokenise texts, as any encoder, and add their entities.

        Raises:
            UsageError: the method has no text tower, or a text was not linked.
            WeightsMissing: the tokenizer's files or the linked texts are not there.
        """
        found = super().tokenise(texts)
        return replace(found, entities=entities_of(texts, self._linked, found.mask))

    @cached_property
    def _linked(self) -> Linked:
        root = self.tokenizer.root if self.tokenizer is not None else None
        if root is None:
            raise WeightsMissing(
                f"no {FILE} of '{self.method}'",
                "no weights root is set; linking texts to entities is up to you",
                f"put it into {self.method}/ in BENCHX_WEIGHTS",
            )
        return read_linked(root / self.method / FILE)


@validate_call
def arl(
    *, method: str, pooling: Literal["cls"], channels: int, image_size: int, resize_positions: bool = False
) -> ARLEncoder:
    """Build ARL's encoder: CLIP's ViT-B/16 without its last block, position embeddings resized bicubically.

    Args:
        method: the name of the card.
        pooling: always `cls`.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides.
    """
    encoder = ARLEncoder(
        pooling=pooling,
        channels=channels,
        image_size=image_size,
        patch_size=16,
        depth=11,
        style="clip",
        resize_positions=resize_positions,
        positions="bicubic",
    )
    encoder.method = method
    return encoder
