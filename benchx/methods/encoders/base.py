"""The contract of every encoder: images in, one feature vector, tokens and feature maps out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from benchx.errors import BenchxError, UsageError
from benchx.methods.parts import Part
from benchx.methods.text.base import TextFeatures, TextTower

if TYPE_CHECKING:
    from benchx.methods.fusion.base import Fusion
    from benchx.methods.scorers.base import Scorer
    from benchx.methods.text.tokenizer import LocalTokenizer
    from benchx.methods.text.tokens import Tokens


@dataclass(frozen=True)
class Features:
    """What an encoder says of a batch of images.

    Attributes:
        pooled: [B, dim], the vector for probing and fine-tuning.
        tokens: [B, T, D], local features; None where the method has none.
        maps: [B, C, h, w] each, from fine to coarse.
        strides: of the maps, in pixels of the input image.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor | None
    maps: tuple[torch.Tensor, ...]
    strides: tuple[int, ...]


class Encoder(Part, ABC):
    """A pretrained image encoder, with its text side where the method has one and it was loaded.

    Images are float32 [B, channels, S, S], normalised as the card says. Everything is differentiable.

    Attributes:
        dim: width of the pooled features.
        image_size: side of the images in pixels.
        patch_size: side of the smallest image that gives one feature, in pixels.
        projection: from pooled features to the space shared with text, [B, dim] -> [B, P].
        token_projection: the same for tokens, [B, T, D] -> [B, T, P].
        text: the text tower.
        scorer: the method's similarity of images and texts.
        fusion: the method's joint reading of image-text pairs.
        tokenizer: from texts to the tower's tokens.
        without_text: why the method's text tower is not there.
    """

    def __init__(self, *, dim: int, channels: int, image_size: int, patch_size: int) -> None:
        super().__init__()
        self.dim, self.channels, self.image_size, self.patch_size = dim, channels, image_size, patch_size
        self.projection: nn.Module | None = None
        self.token_projection: nn.Module | None = None
        self.text: TextTower | None = None
        self.scorer: Scorer | None = None
        self.fusion: Fusion | None = None
        self.tokenizer: LocalTokenizer | None = None
        self.without_text: BenchxError | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the pooled features, [B, dim], by the shortest way.

        Raises:
            UsageError: the images do not fit the encoder.
        """
        self._check(images)
        return self._pooled(images)

    def encode(self, images: torch.Tensor) -> Features:
        """Return pooled features, tokens and maps, all from one forward pass.

        Raises:
            UsageError: the images do not fit the encoder.
        """
        self._check(images)
        return self._features(images)

    @property
    def projects(self) -> bool:
        """Whether whole images are embedded among texts, so that `project` gives something."""
        return self.projection is not None or type(self).project is not Encoder.project

    def project(self, features: Features) -> torch.Tensor:
        """Return the projected embedding, [B, P], not normalised.

        Raises:
            UsageError: the method projects no pooled features.
        """
        if self.projection is None:
            if self.fusion is not None:
                raise UsageError(
                    "the method has no embedding of an image by itself",
                    "it reads an image and a text together",
                    "use match or fuse on pairs, or features.pooled for the image alone",
                )
            raise UsageError("the method does not project pooled features", "", "use features.pooled")
        return self.projection(features.pooled)

    def project_tokens(self, features: Features) -> torch.Tensor:
        """Return the projected tokens, [B, T, P], not normalised.

        Raises:
            UsageError: the method projects no tokens.
        """
        if self.token_projection is None or features.tokens is None:
            raise UsageError("the method does not project tokens", "", "use features.tokens")
        return self.token_projection(features.tokens)

    def encode_tokens(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the embeddings of tokenised texts in the space shared with images, [B, P], not normalised.

        Args:
            input_ids: int64 [B, T].
            attention_mask: [B, T], 1 for tokens and 0 for padding; without it, as the method's tokenizer pads.

        Raises:
            UsageError: the method has no text tower.
            WeightsMissing: its weights are not there.
        """
        return self.read_tokens(input_ids, attention_mask).embedding

    def read_tokens(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        continued: torch.Tensor | None = None,
        entities: torch.Tensor | None = None,
    ) -> TextFeatures:
        """Return all that the text tower says of tokenised texts.

        Args:
            continued: bool [B, T], tokens that go on a word; towers that sum the pieces of a word need it. Without
                it every token is a word.
            entities: int64 [B, 24, 3], for methods that read them, see `TextFeatures`.

        Raises:
            UsageError: the method has no text tower.
            WeightsMissing: its weights are not there.
        """
        found = self._tower()(input_ids, attention_mask, continued)
        return found if entities is None else replace(found, entities=entities)

    def tokenise(self, texts: Sequence[str]) -> Tokens:
        """Return all that `read_tokens` takes of texts, by the method's tokenizer, on the CPU.

        Raises:
            UsageError: the method has no text tower, or a text lacks what the method reads beside it.
            WeightsMissing: its weights, its tokenizer's files or what it reads beside texts are not there.
        """
        self._tower()
        assert self.tokenizer is not None
        return self.tokenizer(texts)

    def encode_text(self, texts: Sequence[str]) -> TextFeatures:
        """Tokenise texts with the method's tokenizer and read them.

        Raises:
            UsageError, WeightsMissing: see `tokenise`.
        """
        device = next(self._tower().parameters()).device
        return self.read_tokens(*self.tokenise(texts).parts(device))

    def similarity(self, images: Features, text: TextFeatures | torch.Tensor) -> torch.Tensor:
        """Return the method's own similarity of images and texts, [B, B'].

        Args:
            images: of `encode`.
            text: of `read_tokens` or `encode_text`; or embeddings [B', P] of `encode_tokens`, for which a method
                that also compares words compares the whole texts only.

        Raises:
            UsageError: the method compares no images with texts.
        """
        if self.scorer is None:
            if self.fusion is not None:
                raise UsageError(
                    "the method does not compare every image with every text",
                    "it reads an image and a text together",
                    "use match on pairs",
                )
            raise self.without_text or UsageError(
                "the method does not compare images with texts",
                "it has no text side, or was loaded without it",
                "use a method with a text tower",
            )
        return self.scorer(self, images, text if isinstance(text, TextFeatures) else TextFeatures(text, text))

    def fuse(self, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return the joint features of M image-text pairs, [M, dim of the fusion].

        Args:
            images: of `encode`, the images of the pairs.
            text: of `read_tokens` or `encode_text`, their texts, as many.

        Raises:
            UsageError: the method does not read pairs, or there are not as many texts as images.
        """
        if self.fusion is None:
            raise self.without_text or UsageError(
                "the method does not read images and texts together",
                "it has no fusion, or was loaded without its text side",
                "use a method with a fusion; benchx list methods --long shows them",
            )
        if len(images.pooled) != len(text.pooled):
            raise UsageError(
                f"{len(images.pooled)} images and {len(text.pooled)} texts are no pairs",
                "a fusion reads one text with each image",
                "repeat what stands in several pairs",
            )
        return self.fusion(self, images, text)

    def match(self, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return how well the image and the text of each pair belong together, [M], higher is better.

        Args:
            images, text: as in `fuse`.

        Raises:
            UsageError: the method does not read pairs, or has no head for matching.
        """
        fused = self.fuse(images, text)
        assert self.fusion is not None
        return self.fusion.match(fused)

    def _tower(self) -> TextTower:
        if self.text is None:
            raise self.without_text or UsageError(
                "the method has no text tower",
                "it reads no text, or was loaded without it",
                "use a method with a text tower; benchx list methods --long shows them",
            )
        return self.text

    def resize(self, image_size: int) -> None:
        """Take images of another side from now on.

        Raises:
            UsageError: the encoder cannot.
        """
        if image_size < self.patch_size:
            raise UsageError(
                f"images of {image_size} px are too small",
                f"the encoder's patches have {self.patch_size} px",
                f"use at least {self.patch_size} px",
            )
        self.image_size = image_size

    @abstractmethod
    def _pooled(self, images: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def _features(self, images: torch.Tensor) -> Features: ...

    def _check(self, images: torch.Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != self.channels or not images.is_floating_point():
            raise UsageError(
                f"the encoder takes float [B, {self.channels}, S, S]",
                f"it was given {images.dtype} {list(images.shape)}",
                "prepare the images with benchx.images.geometry.prepare and the card's input",
            )
        if min(images.shape[2:]) < self.patch_size:
            raise UsageError(
                f"images of {images.shape[2]} x {images.shape[3]} px are too small",
                f"the encoder's patches have {self.patch_size} px",
                f"use at least {self.patch_size} px",
            )


def check_side(images: torch.Tensor, image_size: int) -> None:
    """Refuse images that are not squares of the side that position embeddings are for.

    Raises:
        UsageError: they are not.
    """
    if tuple(images.shape[2:]) != (image_size, image_size):
        raise UsageError(
            f"the encoder takes images of {image_size} px",
            f"it was given {images.shape[2]} x {images.shape[3]} px",
            "load it with image_size=...",
        )


def pool_map(feature_map: torch.Tensor) -> torch.Tensor:
    """Average a map over its places, [B, C, h, w] -> [B, C]."""
    return feature_map.mean(dim=(2, 3))


def map_tokens(feature_map: torch.Tensor) -> torch.Tensor:
    """List a map's places row by row, [B, C, h, w] -> [B, h * w, C]."""
    return feature_map.flatten(2).transpose(1, 2)
