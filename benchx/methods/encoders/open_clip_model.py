"""The image tower of any open_clip model."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from pydantic import validate_call
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import nn

from benchx.errors import UsageError
from benchx.methods.detached import take_projection
from benchx.methods.encoders.base import Encoder, Features, check_side, map_tokens
from benchx.methods.encoders.pyramid import choose_blocks
from benchx.methods.open_clip_library import model_settings, open_clip
from benchx.methods.unfilled import remake_buffers


class OpenClipImage(Encoder):
    """Pooled: what the projection reads; where pooling and projection are one, as in open_clip's ResNets, its output.

    Tokens are the places of the last block or stage, not normed. Maps are the stages, or four blocks of a plain
    transformer, interpolated.
    """

    def __init__(self, *, model: str, quick_gelu: bool, channels: int, image_size: int, resize_positions: bool) -> None:
        build = partial(_image_tower, model, quick_gelu, image_size)
        trunk = build()
        timm_trunk = hasattr(trunk, "trunk")
        name, replacement = ("head", nn.Identity()) if timm_trunk else ("proj", None)
        projection = take_projection(trunk, name, replacement)
        dim, strides = _dry_run(trunk, channels, image_size)
        super().__init__(dim=dim, channels=channels, image_size=image_size, patch_size=max(strides))
        self.model, self.resize_positions, self.build_trunk = model, resize_positions, build
        self.trunk, self.projection = trunk, projection
        self.pyramid = choose_blocks(strides)

    def finish(self) -> None:
        """Make the buffers that open_clip and timm keep out of their files."""
        remake_buffers(self.trunk, self.build_trunk)

    def resize(self, image_size: int) -> None:
        """Take images of another side; position embeddings are resampled bicubically if the card allows it.

        Raises:
            UsageError: the card does not allow it, the model cannot, or the side is no multiple of the patch.
        """
        if image_size == self.image_size:
            return
        what = f"'{self.model}' takes {self.image_size} px, not {image_size} px"
        if not self.resize_positions:
            raise UsageError(
                what,
                "the card does not allow to resize its positions",
                f"use {self.image_size} px, or set resize_positions in a copy of the card",
            )
        if image_size % self.patch_size:
            raise UsageError(what, f"patches have {self.patch_size} px", "choose a multiple of that")
        inner = getattr(self.trunk, "trunk", None)
        if hasattr(self.trunk, "positional_embedding"):
            self._resample(image_size // self.patch_size)
        elif hasattr(inner, "set_input_size"):
            with torch.no_grad():
                self.trunk.set_input_size(image_size)
        elif inner is None or inner.pretrained_cfg["fixed_input_size"]:
            raise UsageError(what, "open_clip cannot resize this model", f"use {self.image_size} px")
        super().resize(image_size)

    def _resample(self, side: int) -> None:
        positions = self.trunk.positional_embedding
        with torch.no_grad():
            resampled = resample_abs_pos_embed(positions[None], new_size=[side, side], num_prefix_tokens=1)[0]
        self.trunk.positional_embedding = nn.Parameter(resampled, requires_grad=positions.requires_grad)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk(images)

    def _features(self, images: torch.Tensor) -> Features:
        found = self.trunk.forward_intermediates(images, indices=list(self.pyramid.indices))
        blocks = found["image_intermediates"]
        maps = self.pyramid.maps(blocks, images.shape[-1])
        return Features(found["image_features"], map_tokens(blocks[-1]), maps, self.pyramid.strides)

    def _check(self, images: torch.Tensor) -> None:
        super()._check(images)
        check_side(images, self.image_size)


def _image_tower(model: str, quick_gelu: bool, image_size: int) -> Any:
    settings = model_settings(model)
    vision = {**settings["vision_cfg"], "image_size": image_size}
    # A timm trunk would be asked to download its ImageNet weights.
    vision["timm_model_pretrained"] = False
    whole = open_clip().CustomTextCLIP(
        settings["embed_dim"], vision, {}, quick_gelu=quick_gelu or settings.get("quick_gelu", False)
    )
    return whole.visual


def _dry_run(trunk: Any, channels: int, image_size: int) -> tuple[int, list[int]]:
    """Return the width of the pooled features and the strides of all blocks."""
    trunk.eval()
    with torch.no_grad():
        device = next(trunk.parameters()).device
        found = trunk.forward_intermediates(torch.zeros(1, channels, image_size, image_size, device=device))
    trunk.train()
    strides = [round(image_size / block.shape[-1]) for block in found["image_intermediates"]]
    return found["image_features"].shape[-1], strides


@validate_call
def open_clip_image(
    *,
    pooling: Literal["model"],
    channels: Literal[3],
    image_size: int,
    model: str,
    quick_gelu: bool = False,
    resize_positions: bool = False,
) -> OpenClipImage:
    """Build the image tower of an open_clip model.

    Args:
        pooling: always the model's own.
        channels: always 3.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        model: name in open_clip, or `hf-hub:OWNER/NAME`; see `model_settings`.
        quick_gelu: whether the weights are for OpenAI's QuickGELU though the model's configuration does not say so.
        resize_positions: whether the encoder may be resized to other sides.
    """
    return OpenClipImage(
        model=model,
        quick_gelu=quick_gelu,
        channels=channels,
        image_size=image_size,
        resize_positions=resize_positions,
    )
