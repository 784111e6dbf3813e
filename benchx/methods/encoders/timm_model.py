"""Any model of the timm library, with its own pooling."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any, Literal

import timm
import torch
from pydantic import validate_call
from timm.models import PretrainedCfg
from torch import nn

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features, check_side, map_tokens
from benchx.methods.encoders.pyramid import choose_blocks
from benchx.methods.unfilled import remake_buffers


class TimmModel(Encoder):
    """Pooled: what the model's classifier would read; tokens: its last features, all of them.

    Maps are the model's stages where these have different strides; the blocks of plain transformers are
    interpolated. A model that gives no intermediate features has no maps.
    """

    def __init__(self, *, model: str, channels: int, image_size: int, resize_positions: bool) -> None:
        config = pretrained_config(model)
        other_size = config.fixed_input_size and image_size != config.input_size[-1]
        size: dict[str, Any] = {"img_size": image_size} if other_size else {}
        build = partial(timm.create_model, model, pretrained=False, in_chans=channels, num_classes=0, **size)
        trunk: Any = build()
        strides = _strides(trunk)
        super().__init__(
            dim=_width(trunk, channels, image_size),
            channels=channels,
            image_size=image_size,
            patch_size=max(strides, default=1),
        )
        self.model, self.resize_positions, self.fixed_size = model, resize_positions, config.fixed_input_size
        self.trunk, self.build_trunk = trunk, build
        self.pyramid = choose_blocks(strides)

    def finish(self) -> None:
        """Make the buffers that timm keeps out of its files, such as the position indices of windows."""
        remake_buffers(self.trunk, self.build_trunk)

    def resize(self, image_size: int) -> None:
        """Take images of another side; timm resamples position embeddings if the card allows it.

        Raises:
            UsageError: the card does not allow it, the model cannot, or the side is no multiple of the patch.
        """
        if image_size == self.image_size:
            return
        if self.fixed_size:
            self._resize_positions(image_size)
        super().resize(image_size)

    def _resize_positions(self, image_size: int) -> None:
        what = f"'{self.model}' takes {self.image_size} px, not {image_size} px"
        if not hasattr(self.trunk, "set_input_size"):
            raise UsageError(what, "timm cannot resize this model", f"use {self.image_size} px")
        if not self.resize_positions:
            raise UsageError(
                what,
                "the card does not allow to resize its positions",
                f"use {self.image_size} px, or set resize_positions in a copy of the card",
            )
        try:
            with torch.no_grad():
                self.trunk.set_input_size(img_size=(image_size, image_size))
        except AssertionError as error:
            raise UsageError(what, f"timm: {error}", "choose another size") from error

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk(images)

    def _features(self, images: torch.Tensor) -> Features:
        if not self.pyramid.indices:
            last = self.trunk.forward_features(images)
            return Features(self.trunk.forward_head(last), self._tokens(last), (), ())
        last, blocks = self.trunk.forward_intermediates(images, indices=list(self.pyramid.indices))
        maps = self.pyramid.maps(blocks, images.shape[-1])
        return Features(self.trunk.forward_head(last), self._tokens(last), maps, self.pyramid.strides)

    def _tokens(self, last: torch.Tensor) -> torch.Tensor | None:
        if not isinstance(last, torch.Tensor) or last.ndim not in (3, 4):
            return None
        if last.ndim == 3:
            return last
        return last.flatten(1, 2) if getattr(self.trunk, "output_fmt", "NCHW") == "NHWC" else map_tokens(last)

    def _check(self, images: torch.Tensor) -> None:
        super()._check(images)
        if self.fixed_size:
            check_side(images, self.image_size)


def pretrained_config(model: str) -> PretrainedCfg:
    """Return what timm knows of a model's published weights.

    Args:
        model: an architecture, or an architecture and the tag of its weights, `vit_small_patch16_224.augreg_in21k`.

    Raises:
        UsageError: timm has no such model or tag; the nearest is named.
    """
    architecture = model.partition(".")[0]
    tagged = timm.list_models(f"{architecture}.*", pretrained=True) if timm.is_model(architecture) else []
    if timm.is_model(architecture) and (model == architecture or model in tagged):
        config = timm.get_pretrained_cfg(model)
        if config is not None:
            return config
    known = tagged or timm.list_models()
    near = difflib.get_close_matches(model, known, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise UsageError(
        f"timm {timm.__version__} has no model '{model}'",
        f"it has {', '.join(known)}" if tagged else f"it has {len(known)} others",
        f"{hint}timm.list_models(pretrained=True) lists them",
    )


def _strides(trunk: Any) -> list[int]:
    if not hasattr(trunk, "forward_intermediates"):
        return []
    return [stage["reduction"] for stage in getattr(trunk, "feature_info", [])]


def _width(trunk: nn.Module, channels: int, image_size: int) -> int:
    """Return the width of the pooled features: timm's attributes do not tell it for every model."""
    trunk.eval()
    with torch.no_grad():
        device = next(trunk.parameters()).device
        width = trunk(torch.zeros(1, channels, image_size, image_size, device=device)).shape[-1]
    trunk.train()
    return width


@validate_call
def timm_model(
    *,
    pooling: Literal["model"],
    channels: int,
    image_size: int,
    model: str,
    resize_positions: bool = False,
) -> TimmModel:
    """Build a model of timm.

    Args:
        pooling: always the model's own.
        channels: of the images.
        image_size: side in pixels; for models with position embeddings, the side that the checkpoint's are for.
        model: name in timm, with or without the tag of the weights.
        resize_positions: whether a model with position embeddings may be resized to other sides.
    """
    return TimmModel(model=model, channels=channels, image_size=image_size, resize_positions=resize_positions)
