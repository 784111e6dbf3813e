"""CheXbert's labeler (Smit et al. 2020; github.com/stanfordmlgroup/CheXbert): BERT, a linear head per observation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchx.annotators.chexbert import CLASSES
from benchx.errors import CheckpointError
from benchx.methods.checkpoints.reading import read_tensors
from benchx.methods.text.tokenizer import read_tokenizer

NOT_NEEDED = ("bert.pooler.", "bert.embeddings.position_ids")
"""What the published file holds beside the labeler's weights, by how its names begin."""


class ChexbertLabeler(nn.Module):
    """The heads see the last layer's [CLS]; the names of the tensors are those of the published file."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        from transformers import BertModel

        self.bert: Any = BertModel(config, add_pooling_layer=False)
        self.linear_heads = nn.ModuleList(nn.Linear(config.hidden_size, classes) for classes in CLASSES)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of every head, 13 of [B, 4] and one of [B, 2], for tokens and their mask [B, T]."""
        token = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        return [head(token) for head in self.linear_heads]


def load_labeler(model: Path, device: str) -> Callable[[str], list[int]]:
    """Return what labels a text: the class of each of the 14 observations.

    Texts are read one by one, so that no label depends on others: white space is collapsed, and what is longer than
    the configuration's 512 tokens is cut before the last [SEP], as in CheXbert's own code.

    Args:
        model: the folder with `chexbert.pth`, and `config.json` and `vocab.txt` of bert-base-uncased.

    Raises:
        CheckpointError: the file does not read, or is not the whole labeler and nothing else.
        UsageError: the tokenizer does not read.
    """
    from transformers import BertConfig

    config = BertConfig.from_json_file(model / "config.json")
    config._attn_implementation = "sdpa"
    labeler = ChexbertLabeler(config)
    labeler.load_state_dict(_weights(model / "chexbert.pth", labeler))
    labeler.eval().to(device)
    tokenizer = read_tokenizer(model)

    def label(text: str) -> list[int]:
        tokens = tokenizer(
            " ".join(text.split()), truncation=True, max_length=config.max_position_embeddings, return_tensors="pt"
        ).to(device)
        with torch.inference_mode():
            logits = labeler(tokens["input_ids"], tokens["attention_mask"])
        return [int(one.argmax(dim=1)) for one in logits]

    return label


def _weights(file: Path, labeler: ChexbertLabeler) -> dict[str, torch.Tensor]:
    """Return the labeler's tensors, each of the right shape and finite."""
    found = {name.removeprefix("module."): value for name, value in read_tensors(file, ("model_state_dict",)).items()}
    found = {name: value for name, value in found.items() if not name.startswith(NOT_NEEDED)}
    wanted = labeler.state_dict()
    wrong = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    foreign = [name for name in found if name not in wanted]
    broken = [name for name in wanted if name in found and not torch.isfinite(found[name]).all()]
    for names, why in (
        (wrong, "missing or of another shape"),
        (foreign, "not the labeler's"),
        (broken, "NaN or infinite"),
    ):
        if names:
            raise CheckpointError(
                f"{file} is not the labeler that config.json describes",
                f"{len(names)} tensors are {why}: {', '.join(names[:3])}",
                "take chexbert.pth, and config.json of bert-base-uncased",
            )
    return found
