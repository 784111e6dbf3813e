"""Answers to questions about images: brought to one spelling, numbered, and what guessing the most frequent gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

OUTSIDE = -1
"""The number of an answer that is not in the vocabulary."""

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_THOUSANDS = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())  # noqa: SIM905
}
_CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hasn't haven't how'd how's i'm i've "
    "isn't it'd it'll let's ma'am mightn't might've mustn't must've needn't not've o'clock shan't should've shouldn't "
    "somebody's someone's something's that's there's they'd they'll they're they've wasn't we've weren't what'll "
    "what're what's what've when's where'd where's where've who'd who'll who's who've why's won't would've wouldn't "
    "y'all you'd you'll you're you've"
)
_CONTRACTIONS = {word.replace("'", ""): word for word in _CONTRACTED.split()}


def normalise(answer: object) -> str:
    """Bring an answer to one spelling, by the rules of the VQA evaluation (Antol et al., ICCV 2015) as M3AE uses them.

    In lower case; a punctuation mark goes where it stands beside a blank anywhere in the answer, or where the answer
    holds a number with thousands; else it becomes a blank; a period goes unless a digit follows; number words to ten
    become digits (`none` becomes 0); articles go; contractions get their apostrophe. On all of VQA-RAD's answers this
    gives 498, the number of M3AE's labels.
    """
    text = str(answer).lower()
    thousands = _THOUSANDS.search(text) is not None
    plain = text
    for mark in _MARKS:
        goes = thousands or f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if goes else " ")
    words = (_NUMBERS.get(word, word) for word in _PERIOD.sub("", plain).split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def vocabulary(answers: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct answers in the order in which they first stand there."""
    return tuple(dict.fromkeys(answers))


def numbered(answers: Iterable[str], known: Sequence[str]) -> np.ndarray:
    """Return the place of every answer in a vocabulary, int64 [N], `OUTSIDE` where it is not in it."""
    place = {answer: number for number, answer in enumerate(known)}
    return np.array([place.get(answer, OUTSIDE) for answer in answers], np.int64)


def most_frequent(answers: Iterable[str]) -> str | None:
    """Return the most frequent answer, of equals the one that came first; None where there is none."""
    counted = Counter(answers).most_common(1)
    return counted[0][0] if counted else None


def most_frequent_by(kinds: Iterable[Hashable], answers: Iterable[str]) -> Mapping[Hashable, str]:
    """Return the most frequent answer of every kind, of equals the one that came first."""
    counts: dict[Hashable, Counter[str]] = {}
    for kind, answer in zip(kinds, answers, strict=True):
        counts.setdefault(kind, Counter())[answer] += 1
    return {kind: counted.most_common(1)[0][0] for kind, counted in counts.items()}
