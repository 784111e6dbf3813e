"""The process that annotates texts with RadGraph (Jain et al. 2021; package radgraph 0.1.18).

Run as `python -m benchx.annotators.radgraph_process MODEL DEVICE`; see `benchx.annotators.serving` for what it reads
and writes. What has to be done to the libraries for radgraph's sake is done here, and ends with the process.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchx.annotators.models import ENCODER
from benchx.annotators.rewards import NOTHING, checked_annotation
from benchx.annotators.serving import Annotate, serve
from benchx.errors import UsageError

LONGEST = 512
"""Tokens of a text that are read; longer texts are cut. The network compares half as many spans with each other, which
takes about 2.5 GB here at the usual width, and would take 240 GB at ten times the length."""


def load(model: Path, device: str) -> Annotate:
    """Return what annotates a text with the model in a folder, without any network.

    Raises:
        UsageError: its config.json is not RadGraph's.
    """
    import torch

    teach_tokenizers()
    radgraph: Any = importlib.import_module("radgraph")
    split: Any = importlib.import_module("radgraph.utils").preprocess_reports
    with TemporaryDirectory() as folder:
        _arrange(model, Path(folder) / model.name)
        network = radgraph.RadGraph(model_type=model.name, model_cache_dir=folder, cuda=_device_number(device))

    def annotate(text: str) -> Any:
        tokens = split([text], model.name)[0]["sentences"][0]
        if not tokens:
            return NOTHING
        if len(tokens) > LONGEST:
            text = " ".join(tokens[:LONGEST])
        with torch.no_grad():
            return checked_annotation(network([text])["0"])

    return annotate


def teach_tokenizers() -> None:
    """Give tokenizers the two methods that radgraph calls and that transformers 5 has no more."""
    from transformers import PreTrainedTokenizerBase

    def encode_plus(self: Any, text: str, text_pair: str | None = None, **options: Any) -> Any:
        return self(text, text_pair, **options)

    def build_inputs_with_special_tokens(self: Any, ids: list[int]) -> list[int]:
        return [self.cls_token_id, *ids, self.sep_token_id]

    for method in (encode_plus, build_inputs_with_special_tokens):
        if not hasattr(PreTrainedTokenizerBase, method.__name__):
            setattr(PreTrainedTokenizerBase, method.__name__, method)


def _arrange(model: Path, folder: Path) -> None:
    """Lay a model out as radgraph looks for it, with a configuration that names the encoder's local folder."""
    folder.mkdir()
    (folder / "weights.th").symlink_to(model.resolve() / "weights.th")
    # radgraph writes a lock among these files, and the model's folder may be read-only.
    shutil.copytree(model / "vocabulary", folder / "vocabulary", copy_function=shutil.copyfile)
    folder.joinpath("vocabulary").chmod(0o700)
    try:
        config = json.loads((model / "config.json").read_bytes())
        for indexed in (config["dataset_reader"]["token_indexers"], config["model"]["embedder"]["token_embedders"]):
            indexed["bert"]["model_name"] = str(model.resolve() / ENCODER)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{model / 'config.json'} is not the configuration of a RadGraph model",
            "it does not name the encoder at the two places where RadGraph's does",
            "unpack the model's archive again",
        ) from error
    (folder / "config.json").write_text(json.dumps(config))


def _device_number(device: str) -> int:
    """Return the GPU's number as radgraph counts them, -1 for the CPU."""
    return -1 if device == "cpu" else int(device.partition(":")[2] or 0)


if __name__ == "__main__":
    serve(lambda: load(Path(sys.argv[1]), sys.argv[2]))
