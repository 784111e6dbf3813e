"""Read method cards: by name, from a file, or made for a library's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchx.errors import UsageError, unknown_name
from benchx.methods.cards.discovery import card_files
from benchx.methods.cards.local_code import pinned
from benchx.methods.cards.schema import Card, Weights
from benchx.methods.cards.yaml_lines import line_of
from benchx.resources import resource_dir

RANDOM = "random:"


def card_names() -> list[str]:
    """Return the names of the cards that ship with benchx or with installed packages, sorted."""
    return sorted(card_files())


def read_card(name: str) -> Card:
    """Read a card by name, from a `.yaml` file, or make it for `timm:MODEL`, `open_clip:MODEL` or `random:METHOD`.

    Raises:
        UsageError: no such card (the nearest name is suggested), or the file does not fit the schema.
    """
    if name.startswith(("timm:", "open_clip:")):
        from benchx.methods.cards.named import named_card

        return named_card(name)
    if name.startswith(RANDOM):
        return random_twin(read_card(name.removeprefix(RANDOM)))
    path = _find(name)
    raw, text = _parsed(path)
    try:
        card = Card.model_validate(pinned(raw, path.parent))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the card"
        raise UsageError(
            f"{path}, line {line_of(text, first['loc'])}, is not a valid method card: {where}",
            first["msg"],
            f"{error.error_count()} errors in all; compare with {resource_dir('baselines') / 'gloria.yaml'}",
        ) from error
    card._folder = path.parent
    if path != Path(name) and card.name != name:
        raise UsageError(
            f"{path} holds the card '{card.name}'", "a card's name is that of its file", "rename the file or the card"
        )
    if path.parent != resource_dir("baselines"):
        from benchx.methods.cards.parts_by_name import check_parts

        check_parts(card, path, text)
    return card


def random_twin(card: Card) -> Card:
    """Return the card of a method's image encoder with random weights and the same input.

    Raises:
        UsageError: the method encodes no images.
    """
    return Card(
        name=f"{RANDOM}{card.name}",
        title=f"{card.title}, random",
        paper=card.paper,
        code=card.code,
        licence="that of the code; there are no weights",
        weights=Weights(seed=0),
        encoder=card.encoder,
        input=card.images,
        pooling=card.pooling,
        exposure=(),
        notes="The encoder and the input of the method, with the library's initialisation.",
    )


def _parsed(path: Path) -> tuple[Any, str]:
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.safe_load(text), text
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML", str(error).replace("\n", " "), "mend the file") from error


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"no card file {name}", "the path does not exist", "give a method name or a file")
        return Path(name)
    files = card_files()
    if name not in files:
        raise unknown_name("method", name, files)
    return files[name]
