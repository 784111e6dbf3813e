"""Scorers by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from benchx.methods.building import build
from benchx.methods.cards.schema import Card
from benchx.methods.scorers.base import Scorer
from benchx.methods.scorers.conceptclip import conceptclip
from benchx.methods.scorers.cosine import cosine
from benchx.methods.scorers.gloria import gloria
from benchx.methods.scorers.kad import kad
from benchx.methods.scorers.medklip import medklip
from benchx.methods.scorers.medslip import medslip
from benchx.methods.scorers.prior import prior

SCORERS: dict[str, Callable[..., Scorer]] = {
    "conceptclip": conceptclip,
    "cosine": cosine,
    "gloria": gloria,
    "kad": kad,
    "medklip": medklip,
    "medslip": medslip,
    "prior": prior,
}

SETWISE = ("kad", "medklip", "medslip", "prior")
"""Those by which the score of a text depends on the other texts that it is asked with: no similarity of pairs."""


def build_scorer(card: Card) -> Scorer:
    """Build the scorer that a card names.

    Raises:
        UsageError: no such scorer, or an argument that it does not take.
    """
    assert card.scorer is not None
    return build(card.name, "scorer", card.scorer, SCORERS)
