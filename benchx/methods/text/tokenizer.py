"""Tokenizers from a local folder, in the format of the transformers library; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchx.errors import WeightsMissing
from benchx.methods.card import TokenizerChoice

FOLDER = "tokenizers"
"""Where tokenizers lie in the weights root: `tokenizers/OWNER--NAME/`."""


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts.

    Attributes:
        ids: int64 [B, T].
        mask: int64 [B, T], 0 for padding.
        continued: bool [B, T], tokens that go on the word of the token before.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    continued: torch.Tensor


def tokenizer_folder(choice: TokenizerChoice, root: Path) -> Path:
    """Return where a tokenizer's files lie in a weights root."""
    return root / FOLDER / choice.repo.replace("/", "--")


@dataclass(frozen=True)
class LocalTokenizer:
    """A method's tokenizer; its files are read at the first call."""

    choice: TokenizerChoice
    root: Path | None

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise texts; empty ones have the special tokens alone.

        Raises:
            WeightsMissing: the tokenizer's files are not there; says where they belong and where they come from.
        """
        found = self._tokenizer(
            list(texts),
            padding="max_length" if self.choice.padded else True,
            truncation=True,
            max_length=self.choice.max_length,
            return_tensors="pt",
        )
        ids = found["input_ids"]
        return Tokens(ids, found["attention_mask"], torch.isin(ids, self._continuations))

    @cached_property
    def _continuations(self) -> torch.Tensor:
        vocabulary = self._tokenizer.get_vocab()
        return torch.tensor([index for piece, index in vocabulary.items() if piece.startswith("##")], dtype=torch.int64)

    @cached_property
    def _tokenizer(self) -> Any:
        folder = tokenizer_folder(self.choice, self.root) if self.root is not None else None
        if folder is None or not folder.is_dir():
            raise WeightsMissing(
                f"no tokenizer of {self.choice.repo}",
                f"not in {folder}" if folder is not None else "no weights root is set",
                f"put the tokenizer files of {self.choice.repo} there, or: benchx methods fetch METHOD",
            )
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
