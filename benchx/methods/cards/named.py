"""Cards of models that a library knows by name: `timm:MODEL`, `open_clip:MODEL` and `open_clip:MODEL/TAG`."""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

from pydantic import ValidationError

from benchx.errors import UsageError, unknown_name
from benchx.images.spec import InputSpec
from benchx.methods.cards.schema import (
    Card,
    EncoderChoice,
    Exposure,
    HubFile,
    Layout,
    ScorerPart,
    TextPart,
    TokenizerChoice,
    Weights,
)
from benchx.methods.open_clip_library import HUB, model_settings, open_clip, preprocessing

HUB_PAGE = "https://huggingface.co/"
TIMM_PAGE = HUB_PAGE + "timm"
OPEN_CLIP_PAGE = "https://github.com/mlfoundations/open_clip"
OPEN_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
CLIP_TOKENIZER = "openai/clip-vit-base-patch32"
"""Where open_clip's own vocabulary lies in the format of the transformers library."""

TRAINED_ON = {"in1k": "imagenet-1k", "in12k": "imagenet-12k", "in21k": "imagenet-21k", "in22k": "imagenet-21k"}
"""What the words in timm's tags say of the images and labels that its weights were trained on."""
CROPS = {"center": "center_crop", "squash": "stretch", "border": "letterbox"}
MODES = {"shortest": "center_crop", "squash": "stretch", "longest": "letterbox"}


@cache
def named_card(name: str) -> Card:
    """Make the card of a library's model.

    Raises:
        UsageError: no such model or tag (the nearest is named), or the library is not installed.
        WeightsMissing: the configuration of a hub model is not in the weights root.
    """
    library, _, model = name.partition(":")
    return _timm_card(name, model) if library == "timm" else _open_clip_card(name, model)


def _timm_card(name: str, model: str) -> Card:
    from benchx.methods.encoders.timm_model import pretrained_config

    config = pretrained_config(model)
    tagged = f"{config.architecture}.{config.tag}" if config.has_weights and config.tag else config.architecture
    page, hub = TIMM_PAGE, None
    if config.hf_hub_id:
        page = HUB_PAGE + config.hf_hub_id
        hub = HubFile(repo=config.hf_hub_id, file=config.hf_hub_filename or "model.safetensors")
    height, width = config.input_size[1:]
    if height != width:
        raise UsageError(
            f"'{model}' takes images of {height} x {width} px", "benchx prepares square images only", "choose another"
        )
    papers = (config.paper_ids,) if isinstance(config.paper_ids, str) else config.paper_ids or ()
    words = (config.tag or "").split("_")
    return Card(
        name=name,
        title=f"{tagged} (timm)",
        paper=", ".join(papers) or f"see {page}",
        code=config.origin_url or "https://github.com/huggingface/pytorch-image-models",
        licence=config.license or "see the page of the weights",
        weights=Weights(files=(f"{tagged}.safetensors", "model.safetensors"), page=page, hub=hub),
        encoder=EncoderChoice(
            name="timm",
            arguments={"model": tagged, **({"resize_positions": True} if config.fixed_input_size else {})},
        ),
        input=_input(
            size=config.input_size[-1],
            channels=config.input_size[0],
            resize=CROPS[config.crop_mode],
            resize_to=math.floor(config.input_size[-1] / config.crop_pct),
            mean=config.mean,
            std=config.std,
            interpolation=config.interpolation,
        ),
        pooling="model",
        exposure=tuple(
            Exposure(dataset=TRAINED_ON[word], what=what, source=f"the tag '{config.tag}' of the weights in timm")
            for word in words
            if word in TRAINED_ON
            for what in ("images", "labels")
        ),
        notes="Made from timm's configuration; what pretraining saw is known only as far as the weights' tag says.",
    )


def _open_clip_card(name: str, asked: str) -> Card:
    model, tag = _model_and_tag(asked)
    settings = model_settings(model)
    published = preprocessing(model, tag)
    page, hub = _open_clip_weights(model, published)
    files = tuple(dict.fromkeys([hub.file, *OPEN_CLIP_FILES])) if hub else OPEN_CLIP_FILES
    arguments: dict[str, Any] = {"model": model}
    if published.get("quick_gelu", False):
        arguments["quick_gelu"] = True
    text = settings["text_cfg"]
    repo = text.get("hf_tokenizer_name") or text.get("hf_model_name") or CLIP_TOKENIZER
    size = settings["vision_cfg"].get("image_size", 224)
    library = open_clip()
    return Card(
        name=name,
        title=f"{model.removeprefix(HUB)} {tag} (open_clip)".replace("  ", " "),
        paper=f"see {page}",
        code=OPEN_CLIP_PAGE,
        licence="see the page of the weights",
        weights=Weights(files=files, page=page, hub=hub),
        encoder=EncoderChoice(name="open_clip", arguments={**arguments, "resize_positions": True}),
        layout=Layout(prefix="visual.", rename=((r"^proj$", "projection.weight"), (r"^head\.", "projection."))),
        input=_input(
            size=size,
            channels=3,
            resize=MODES[published.get("resize_mode", "shortest")],
            resize_to=size,
            mean=published.get("mean", library.OPENAI_DATASET_MEAN),
            std=published.get("std", library.OPENAI_DATASET_STD),
            interpolation=published.get("interpolation", "bicubic"),
        ),
        pooling="model",
        text=TextPart(
            name="open_clip",
            arguments=arguments,
            layout=Layout(
                rename=(
                    (r"^text\.", ""),
                    (r"^(text_projection|proj)$", "projection.weight"),
                    (r"^(text_projection|proj)\.", "projection."),
                )
            ),
            tokenizer=TokenizerChoice(repo=repo, max_length=text.get("context_length", 77), padded=True),
        ),
        scorer=ScorerPart(
            name="cosine", arguments={"scaled": True, "biased": settings.get("init_logit_bias") is not None}
        ),
        exposure=(),
        notes="Made from open_clip's configuration, which does not say what the pretraining saw: see the page.",
    )


def _model_and_tag(asked: str) -> tuple[str, str]:
    if asked.startswith(HUB):
        return asked, ""
    model, _, tag = asked.partition("/")
    library = open_clip()
    if model in library.list_models() and tag and not library.get_pretrained_cfg(model, tag):
        raise unknown_name(f"weights of open_clip's {model}", tag, library.list_pretrained_tags_by_model(model))
    return model, tag


def _open_clip_weights(model: str, published: dict[str, Any]) -> tuple[str, HubFile | None]:
    """Return the page of a model's weights, and their file on the hub if they lie there."""
    if model.startswith(HUB):
        repo, file = model.removeprefix(HUB), ""
    else:
        repo, file = os.path.split(published.get("hf_hub", ""))
    if not repo:
        return OPEN_CLIP_PAGE, None
    return HUB_PAGE + repo, HubFile(repo=repo, file=file or OPEN_CLIP_FILES[0])


def _input(*, resize: str, resize_to: int, **others: Any) -> InputSpec:
    side = {} if resize == "stretch" else {"resize_to": resize_to}
    try:
        return InputSpec.model_validate({"resize": resize, **side, **others})
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise UsageError("the model's own input is none that benchx prepares", why, "write a card for it") from error
