"""The contract of every encoder: images in, one feature vector, tokens and feature maps out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from benchx.errors import UsageError


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


class Encoder(nn.Module, ABC):
    """A pretrained image encoder; images are float32 [B, channels, S, S], normalised as the card says.

    The library's network is `trunk`; its tensors keep the library's names, without that word, in cards
    and reports. Everything is differentiable.

    Attributes:
        dim: width of the pooled features.
        image_size: side of the images in pixels.
        patch_size: side of the smallest image that gives one feature, in pixels.
        fresh: tensors that the method does not take from its checkpoint, with their constant value.
        projection: from pooled features to the space shared with text, [B, dim] -> [B, P].
        token_projection: the same for tokens, [B, T, D] -> [B, T, P].
    """

    def __init__(self, *, dim: int, channels: int, image_size: int, patch_size: int) -> None:
        super().__init__()
        self.dim, self.channels, self.image_size, self.patch_size = dim, channels, image_size, patch_size
        self.fresh: Mapping[str, float] = {}
        self.projection: nn.Module | None = None
        self.token_projection: nn.Module | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the pooled features, [B, dim], by the shortest way.

        Raises:
            UsageError: the images do not fit the encoder.
        """
        self._check(images)
        return self._pooled(images)

    def encode(self, images: torch.Tensor) -> Features:
        """Return pooled features, tokens and maps.

        Raises:
            UsageError: the images do not fit the encoder.
        """
        self._check(images)
        return self._features(images)

    def project(self, features: Features) -> torch.Tensor:
        """Return the projected embedding, [B, P], not normalised.

        Raises:
            UsageError: the method projects no pooled features.
        """
        if self.projection is None:
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

    def expected(self) -> dict[str, tuple[int, ...]]:
        """Return the tensors that a checkpoint must fill, name without `trunk.` -> shape."""
        names = ((name.removeprefix("trunk."), value) for name, value in self.state_dict().items())
        return {name: tuple(value.shape) for name, value in names if name not in self.fresh}

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


def pool_map(feature_map: torch.Tensor) -> torch.Tensor:
    """Average a map over its places, [B, C, h, w] -> [B, C]."""
    return feature_map.mean(dim=(2, 3))


def map_tokens(feature_map: torch.Tensor) -> torch.Tensor:
    """List a map's places row by row, [B, C, h, w] -> [B, h * w, C]."""
    return feature_map.flatten(2).transpose(1, 2)
