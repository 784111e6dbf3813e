"""How methods clean texts before their tokenizer sees them."""

from __future__ import annotations

import re
from collections.abc import Callable

_NUMBERED = re.compile(r"[0-9]+\.")
_WORD = re.compile(r"\w+")


def words_only(text: str) -> str:
    """Return the lower-case words of a text's sentences, as GLoRIA and MGCA prepare reports and prompts.

    Item numbers such as "2." and full stops end a sentence; punctuation goes, and so do characters beyond ASCII. A
    sentence of one word is left out, unless nothing else is there, which the official code leaves empty.
    """
    pieces = [piece for item in _NUMBERED.split(text) for piece in item.split(".")]
    sentences = [[_ascii(word) for word in _WORD.findall(piece.lower())] for piece in pieces]
    kept = [words for words in sentences if len(words) > 1] or sentences
    return " ".join(word for words in kept for word in words if word)


def _ascii(word: str) -> str:
    return word.encode("ascii", "ignore").decode("ascii")


CLEANINGS: dict[str, Callable[[str], str]] = {"words": words_only}
