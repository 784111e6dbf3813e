"""A Penn Treebank tokenizer without Java, for English reports.

Its rules were found by giving texts to Stanford's PTBTokenizer 3.4.1. On ordinary report sentences the tokens are the
same; they differ for web addresses, telephone numbers, tags, emoticons, characters that stand for a fraction, and for a
full stop that both belongs to an abbreviation and ends a sentence.
"""

from __future__ import annotations

import re

_WRITTEN_OTHERWISE = str.maketrans(
    {
        **dict.fromkeys("\u00ad\u200b\ufeff\ufffd", ""),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("–—", "--"),
        "…": "...",
    }
)
_NAMED = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-", '"': "''"}
_TWO_WORDS = {
    "cannot": ("can", "not"),
    "gimme": ("gim", "me"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "lemme": ("lem", "me"),
    "wanna": ("wan", "na"),
}
_ABBREVIATIONS = (
    "al|apr|aug|ave|capt|cf|co|col|corp|ct|dec|dept|dr|drs|est|etc|ext|feb|fri|ft|gen|inc|jan|jr|jul|jun|lt|ltd|mar|"
    "mon|mr|mrs|ms|nos|nov|oct|prof|rep|rt|sen|sep|sept|sgt|sr|st|tel|thu|thurs|tue|tues|univ|vs|wed"
)
_TOKEN = re.compile(
    rf"""
    (?P<mixed>(?<![\w.,/-])\d+[ \u00a0]\d+/\d+(?![\w/]))      # 3 1/2 is one token
    | (?:{_ABBREVIATIONS})\.(?!\w)
    | (?:no|figs?)\.(?=[ ]?\d)
    | (?:[a-z]\.)+(?!\w)                                       # a.  e.g.  u.s.
    | [a-z](?:\.[a-z])+\.                                      # the same before a digit
    | [+-]?\d*(?:[.,:]\d+)+(?:-[^\W_]+)*                       # 2.5  1,000  10:30  2.5-cm
    | (?P<word>[^\W_]+(?:(?:[-/_]|(?<=[^\W\d_])\.(?=[^\W\d_])|'(?=[^\W\d_]))[^\W_]+)*)
    | [+-]\d+(?:-[^\W_]+)*
    | '(?:s|m|d|ll|ve|re)(?!\w)
    | \.{{3,}} | -{{5,}} | -{{2,4}} | `` | '' | [?!]+ | _+ | \*+ | <<|>>
    | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CLITIC = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|ve|re))", re.IGNORECASE)
_ONE_LETTER_BEFORE = re.compile(r"[a-z]'[^\W\d_]{3,}", re.IGNORECASE)


def split_tokens(text: str) -> list[str]:
    """Return the tokens of a text in lower case, punctuation among them.

    Args:
        text: one line.
    """
    tokens: list[str] = []
    for found in _TOKEN.finditer(text.translate(_WRITTEN_OTHERWISE)):
        token = found.group().lower()
        if found.lastgroup == "mixed":
            tokens.append(token.replace(" ", "\u00a0"))
        elif found.lastgroup == "word":
            tokens.extend(_split_word(token))
        elif set(token) <= {"-"} and len(token) in (2, 3, 4):
            tokens.append("--")
        elif token.startswith("..."):
            tokens.append("...")
        else:
            tokens.append(_NAMED.get(token, token))
    return tokens


def _split_word(word: str) -> list[str]:
    """Return a word as one token or more: a clitic is a token of its own, and some words are two."""
    if word in _TWO_WORDS:
        return list(_TWO_WORDS[word])
    if clitic := _CLITIC.fullmatch(word):
        return [clitic[1], clitic[2]]
    if "'" not in word or _ONE_LETTER_BEFORE.fullmatch(word):
        return [word]
    head, *tail = word.split("'")
    return [head, *(part for one in tail for part in ("'", one))]
