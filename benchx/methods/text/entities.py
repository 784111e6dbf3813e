"""Entities of a knowledge base in texts, for methods that look them up: which ones, and which tokens name them.

Linking texts to a knowledge base is not benchx's: ARL's needs scispaCy and a licensed copy of UMLS. Whoever has them
writes what they found into `entities.jsonl`, one line per text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from benchx.errors import UsageError, WeightsMissing

FILE = "entities.jsonl"
"""The file of a method's linked texts, in its folder of the weights root. A line is {"sha256": of the text as UTF-8,
"entities": [[id, first token, last token], ...]}; tokens are counted from <s>, which is 0, and the last one belongs.
<s> and </s> name nothing."""

MOST = 24
"""Entities of a text that are read, the first ones: ARL's max_num_ents."""

NONE = -100
"""The id where there is no entity."""

Span = tuple[int, int, int]
Linked = Mapping[str, tuple[Span, ...]]
"""The spans of a text, by the sha256 of the text."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: str
    entities: list[list[int]]


def read_linked(path: Path) -> dict[str, tuple[Span, ...]]:
    """Read a file of linked texts, see `FILE`; of two lines of one text the later counts.

    Raises:
        WeightsMissing: there is no such file.
        UsageError: a line is not of that form.
    """
    if not path.is_file():
        raise WeightsMissing(
            f"no entities of texts: {path}",
            "the method reads texts with their entities, and linking them is up to you",
            'write the file, one line per text: {"sha256": ..., "entities": [[id, first token, last token], ...]}',
        )
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            read = _Line.model_validate_json(line)
            found[read.sha256] = tuple(_span(one) for one in read.entities)
        except (ValidationError, ValueError) as error:
            raise UsageError(
                f"{path}, line {number} is no linked text",
                " ".join(str(error).split()),
                'a line is {"sha256": ..., "entities": [[id, first token, last token], ...]}',
            ) from error
    return found


def entities_of(texts: Sequence[str], linked: Linked, mask: torch.Tensor) -> torch.Tensor:
    """Return the entities of tokenised texts, int64 [B, 24, 3]: id, first and last token; id -100 where there is none.

    Those that do not lie between <s> and </s> as a whole are left out, for the text was cut; of the others the first 24
    are taken, as ARL does.

    Args:
        texts: as they were before tokenising.
        mask: [B, W], which tokens are the text's, <s> and </s> among them.

    Raises:
        UsageError: a text was never linked.
    """
    spans = []
    for text in texts:
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in linked:
            raise UsageError(
                f"a text has no line in {FILE}: sha256 {key}",
                "without its entities the method would give something else",
                "link it too; a text without any entity has an empty list",
            )
        spans.append(linked[key])
    return placed(spans, mask)


def placed(spans: Sequence[Sequence[Span]], mask: torch.Tensor) -> torch.Tensor:
    """Put the spans of every text into the form that methods read, see `entities_of`.

    Args:
        spans: of every text.
        mask: [B, W], which tokens are the text's, <s> and </s> among them.
    """
    found = torch.full((len(spans), MOST, 3), NONE)
    for mine, length, row in zip(spans, mask.sum(dim=1).tolist(), found, strict=True):
        whole = [span for span in mine if span[1] >= 1 and span[2] < length - 1][:MOST]
        if whole:
            row[: len(whole)] = torch.tensor(whole)
    return found.to(mask.device)


def tokens_named(entities: torch.Tensor, words: int) -> torch.Tensor:
    """Return which tokens name which entity, bool [B, 24, words]: none where there is no entity.

    Args:
        entities: int64 [B, 24, 3], as in `entities_of`.
        words: number of tokens per text.
    """
    places = torch.arange(words, device=entities.device)
    return (places >= entities[..., 1:2]) & (places <= entities[..., 2:3])


def _span(values: list[int]) -> Span:
    if len(values) != 3:
        raise ValueError(f"{values} are not an id, a first and a last token")
    entity, first, last = values
    if entity < 0 or not 0 <= first <= last:
        raise ValueError(f"{values}: ids and tokens count from 0, the last token is not before the first")
    return entity, first, last
