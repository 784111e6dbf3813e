"""The optional library open_clip: its models by name, and none of its downloads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from benchx.errors import UsageError, WeightsMissing, unknown_name
from benchx.methods.weights import default_root

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"


def open_clip() -> ModuleType:
    """Import the library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import open_clip as library
    except ImportError as error:
        raise UsageError(
            "open_clip is not installed", str(error), "pip install 'benchx[open-clip]', and run the command again"
        ) from error
    return library


def model_settings(model: str) -> dict[str, Any]:
    """Return open_clip's configuration of a model: `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`.

    Args:
        model: a name of `open_clip.list_models()`; or `hf-hub:OWNER/NAME`, whose open_clip_config.json lies in the
            weights root under `open_clip:hf-hub:OWNER/NAME/`.

    Raises:
        UsageError: no such model; the nearest is named.
        WeightsMissing: the configuration of a hub model is not there; nothing is downloaded.
    """
    library = open_clip()
    if model.startswith(HUB):
        return _hub_config(model)["model_cfg"]
    if model not in library.list_models():
        raise unknown_name("open_clip model", model, library.list_models())
    settings: dict[str, Any] = library.get_model_config(model)
    if "multimodal_cfg" in settings:
        raise UsageError(f"'{model}' is a CoCa", "only models of two towers are read", "choose another model")
    return settings


def preprocessing(model: str, tag: str) -> dict[str, Any]:
    """Return mean, std, interpolation and resize mode of a model's published weights, as far as they are stated.

    Args:
        tag: of the weights in open_clip; empty for hub models and weights of one's own.
    """
    if model.startswith(HUB):
        return _hub_config(model).get("preprocess_cfg", {})
    return open_clip().get_pretrained_cfg(model, tag) if tag else {}


@cache
def _hub_config(model: str) -> dict[str, Any]:
    root = default_root()
    path = Path(root or "BENCHX_WEIGHTS") / f"open_clip:{model}" / CONFIG
    if not path.is_file():
        raise WeightsMissing(
            f"no {CONFIG} of {model.removeprefix(HUB)}",
            f"{path} does not exist, and nothing is downloaded",
            f"put the repository's {CONFIG} there",
        )
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        return whole if "model_cfg" in whole else {"model_cfg": whole}
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no configuration of open_clip", str(error), "fetch it again") from error
