"""Tokens of reports, as n-gram metrics count them: Penn Treebank tokens in lower case without punctuation.

pycocoevalcap tokenizes with a Java program; where there is no Java, a tokenizer written here takes its place. Their
tokens differ, so every score says which one it rests on, and scores of different tokenizers are never compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from benchx.metrics.reports.java import NoJava, run_java
from benchx.metrics.reports.python_tokenizer import split_tokens

Tokenizer = Literal["ptb-java", "ptb-python"]

_LINE_BREAKS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_ARCHIVE = "stanford-corenlp-3.4.1.jar"
_PROGRAM = "edu.stanford.nlp.process.PTBTokenizer"


def tokenize(texts: Sequence[str], java: str | NoJava) -> tuple[list[str], Tokenizer]:
    """Return the tokens of every text, joined by blanks, and the tokenizer that made them.

    `ptb-java` gives what `pycocoevalcap.tokenizer.ptbtokenizer.PTBTokenizer` gives for the same texts in the same
    order. (The order can matter: that program looks beyond the end of a line to see whether the full stop of an
    abbreviation also ends a sentence.) Both drop pycocoevalcap's list of punctuation, whose brackets are in upper case
    while the tokens are in lower case: "-lrb-" and its like stay.

    Args:
        texts: any text. Line breaks count as blanks.
        java: what `find_java` returns; with Java the tokenizer is `ptb-java`, else `ptb-python`.

    Returns:
        As many texts, empty where there is no token; the tokenizer's name.

    Raises:
        JavaError: Java fails.
    """
    from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

    flat = [_LINE_BREAKS.sub(" ", text) for text in texts]
    if isinstance(java, NoJava):
        name: Tokenizer = "ptb-python"
        split = [split_tokens(text) for text in flat]
    else:
        name = "ptb-java"
        options = ["-cp", _ARCHIVE, _PROGRAM, "-preserveLines", "-lowerCase"]
        split = [line.rstrip().split(" ") for line in run_java(java, "the PTB tokenizer", "tokenizer", options, flat)]
    return [" ".join(token for token in tokens if token and token not in PUNCTUATIONS) for tokens in split], name
