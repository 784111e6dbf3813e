"""Build what a card names, with clear errors for names and arguments that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from benchx.errors import UsageError, unknown_name
from benchx.methods.cards.schema import Choice

Built = TypeVar("Built")


def build(
    card_name: str, kind: str, choice: Choice, builders: Mapping[str, Callable[..., Built]], **fixed: Any
) -> Built:
    """Call the builder that a card chooses.

    Args:
        card_name: for errors.
        kind: what is built, for errors: "encoder", "text tower", "scorer", "fusion".
        fixed: arguments beside the choice's own.

    Raises:
        UsageError: no such builder, or an argument that it does not take.
    """
    if choice.name not in builders:
        raise unknown_name(kind, choice.name, builders)
    try:
        return builders[choice.name](**fixed, **choice.arguments)
    except (ValidationError, TypeError) as error:
        why = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise UsageError(
            f"the card '{card_name}' does not fit the {kind} '{choice.name}'",
            why,
            "mend its arguments in the card",
        ) from error
