"""Words and their numbers, as R2Gen counts them (Chen et al., EMNLP 2020; its tokenizer)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from benchx.errors import NotApplicable

BEGIN = END = PADDING = 0
UNKNOWN = "<unk>"
LONGEST = 60
"""Numbers in an encoded report, begin and end included, and words in a generated one (R2Gen's max_seq_length)."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a decoder can say. Word i has the number i + 1; 0 is begin, end and padding.

    Attributes:
        words: in the order of their code points, `<unk>` among them.
    """

    words: tuple[str, ...]

    @classmethod
    def build(cls, reports: Iterable[str], least: int = 3) -> Vocabulary:
        """Take the words that cleaned reports hold at least so often, and `<unk>`.

        Over the train reports of IU X-Ray, cleaned, with the least of 3, these are 759 words and `<unk>`: the 760 of
        the BenchX configurations.

        Raises:
            NotApplicable: there is no report.
        """
        texts = list(reports)
        counts = Counter(word for text in texts for word in text.split())
        if not texts:
            raise NotApplicable(
                "there is no report to build a vocabulary from",
                "no training case has a report",
                "use a dataset with reports in its training part",
            )
        return cls(tuple(sorted({word for word, count in counts.items() if count >= least} | {UNKNOWN})))

    def __len__(self) -> int:
        """How many words there are, 0 not among them; a decoder has one logit more."""
        return len(self.words)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=1)}

    def encode(self, report: str, longest: int = LONGEST) -> list[int]:
        """Return [0, a number per word of a cleaned report, 0], cut to `longest`; unknown words are `<unk>`."""
        unknown = self._numbers[UNKNOWN]
        words = report.split()[:longest]
        return [BEGIN, *(self._numbers.get(word, unknown) for word in words), END][:longest]

    def encode_batch(self, reports: Sequence[str], longest: int = LONGEST) -> Tensor:
        """Return int64 [B, L] of encoded reports, L that of the longest, the others padded with 0."""
        encoded = [torch.tensor(self.encode(report, longest)) for report in reports]
        return pad_sequence(encoded, batch_first=True, padding_value=PADDING)

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the words up to the first 0; the begin is not among the numbers given.

        Raises:
            ValueError: a number is that of no word.
        """
        words = []
        for number in numbers:
            if number == END:
                break
            if not 0 < number <= len(self.words):
                raise ValueError(f"{number} is the number of no word; they go from 1 to {len(self.words)}")
            words.append(self.words[number - 1])
        return " ".join(words)

    def readable(self, report: str, longest: int = LONGEST) -> str:
        """Return a cleaned report as a decoder could at best say it: cut, with `<unk>` for unknown words.

        BenchX scores against this instead of the report.
        """
        return self.decode(self.encode(report, longest)[1:])
