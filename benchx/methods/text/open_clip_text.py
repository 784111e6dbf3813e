"""The text tower of any open_clip model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import validate_call
from torch import nn
from torch.nn.functional import pad

from benchx.errors import WeightsMissing
from benchx.methods.cards.schema import TokenizerChoice
from benchx.methods.detached import take_projection
from benchx.methods.open_clip_library import model_settings, open_clip
from benchx.methods.text.base import TextFeatures, TextTower, check_tokens
from benchx.methods.unfilled import remake_buffers
from benchx.methods.weights import default_root, tokenizer_folder

SMALL_IMAGE_TOWER = {"layers": 1, "width": 64, "patch_size": 32, "image_size": 32}
"""open_clip builds both towers; this one is thrown away."""


class OpenClipText(TextTower):
    """Reads token ids only: which of them are padding, open_clip's towers see from the ids themselves.

    Attributes:
        whole_length: whether the tower takes texts of its full length only; shorter ones are padded here.
    """

    def __init__(self, *, model: str, quick_gelu: bool) -> None:
        super().__init__()
        self.build_trunk = partial(_text_tower, model, quick_gelu)
        trunk: Any = self.build_trunk()
        hugging_face = hasattr(trunk, "config")
        name, replacement = ("proj", nn.Identity()) if hugging_face else ("text_projection", None)
        self.projection = take_projection(trunk, name, replacement)
        self.trunk: Any = trunk
        self.pad: int = trunk.config.pad_token_id if hugging_face else trunk.pad_id
        self.vocabulary: int = trunk.config.vocab_size if hugging_face else trunk.vocab_size
        self.positions: int = trunk.config.max_position_embeddings if hugging_face else trunk.context_length
        self.whole_length = not hugging_face

    def finish(self) -> None:
        """Make the buffers that no file holds, such as the causal mask."""
        remake_buffers(self.trunk, self.build_trunk)

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are the tokenizer's padding."""
        return input_ids.ne(self.pad).long()

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        check_tokens(ids, mask, self.vocabulary, self.positions)
        if self.whole_length:
            ids = pad(ids, (0, self.positions - ids.shape[1]), value=self.pad)
        pooled = self.trunk(ids)
        return TextFeatures(pooled, self.projection(pooled))


def _text_tower(model: str, quick_gelu: bool) -> nn.Module:
    settings = model_settings(model)
    text = dict(settings["text_cfg"])
    if "hf_model_name" in text:
        text |= {"hf_model_name": str(_config_folder(text["hf_model_name"])), "hf_model_pretrained": False}
    quick = quick_gelu or settings.get("quick_gelu", False)
    return open_clip().CustomTextCLIP(settings["embed_dim"], SMALL_IMAGE_TOWER, text, quick_gelu=quick).text


def _config_folder(repo: str) -> Path:
    folder = tokenizer_folder(TokenizerChoice(repo=repo, max_length=2), default_root() or Path("BENCHX_WEIGHTS"))
    if not (folder / "config.json").is_file():
        raise WeightsMissing(
            f"no config.json of {repo}",
            f"not in {folder}, and nothing is downloaded",
            f"put config.json and the tokenizer files of {repo} there",
        )
    return folder


@validate_call
def open_clip_text(*, model: str, quick_gelu: bool = False) -> OpenClipText:
    """Build the text tower of an open_clip model.

    Args:
        model: name in open_clip, or `hf-hub:OWNER/NAME`; see `model_settings`.
        quick_gelu: whether the weights are for OpenAI's QuickGELU though the model's configuration does not say so.
    """
    return OpenClipText(model=model, quick_gelu=quick_gelu)
