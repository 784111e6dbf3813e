"""Whether the encoder, text tower, scorer and fusion that a card file names exist."""

from __future__ import annotations

from pathlib import Path

from benchx.errors import UsageError, unknown_name
from benchx.methods.cards.schema import Card
from benchx.methods.cards.yaml_lines import line_of
from benchx.methods.encoders import ENCODERS
from benchx.methods.fusion import FUSIONS
from benchx.methods.scorers import SCORERS
from benchx.methods.text import TOWERS


def check_parts(card: Card, path: Path, text: str) -> None:
    """Check the names of a card's parts.

    Args:
        path: the card's file, for errors.
        text: what stands in it.

    Raises:
        UsageError: a name is unknown; says its line and the nearest known one.
    """
    parts = (
        ("encoder", "encoder", card.encoder, ENCODERS),
        ("text", "text tower", card.text, TOWERS),
        ("scorer", "scorer", card.scorer, SCORERS),
        ("fusion", "fusion", card.fusion, FUSIONS),
    )
    for field, kind, choice, known in parts:
        if choice is not None and choice.name not in known:
            error = unknown_name(kind, choice.name, known)
            raise UsageError(f"{path}, line {line_of(text, (field, 'name'))}: {error.what}", error.why, error.todo)
