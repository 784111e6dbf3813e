"""Stored certificates: that a method gave the figures of its official code (see benchx.methods.certifying)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchx.digests import digest_json
from benchx.methods.cards.schema import Card
from benchx.resources import resource_dir
from benchx.writing import write_whole


@dataclass(frozen=True)
class Certificate:
    """What a parity check found.

    Attributes:
        official: the repository whose code gave the figures, and its commit.
        origin: what computed them: that code, or the library it stands on.
        inputs: sha256 of the facts, that is of the weights' names and shapes, the inputs and the figures.
        card: sha256 of the card's parts that decide the numbers; another card has to be certified anew.
        figures: how many numbers were compared.
        largest_difference: relative, over all figures.
    """

    method: str
    official: str
    commit: str
    origin: str
    inputs: str
    card: str
    figures: int
    largest_difference: float


def card_digest(card: Card) -> str:
    """Return the sha256 of what decides a card's numbers on prepared images and token ids."""
    kept = card.model_dump(
        mode="json", include={"encoder", "layout", "pooling", "text", "scorer", "fusion"}, exclude_defaults=True
    )
    kept.get("text", {}).pop("tokenizer", None)
    return digest_json(kept)


def certificate_of(card: Card) -> Certificate | None:
    """Return the stored certificate of a card; None where there is none, or it was given for another card."""
    path = stored_at(card.name)
    if not path.is_file():
        return None
    found = Certificate(**json.loads(path.read_text()))
    return found if found.card == card_digest(card) else None


def store_certificate(certificate: Certificate, folder: Path | None = None) -> Path:
    """Write a certificate, into `baselines/certificates` or another folder, and return its file."""
    path = (folder or stored_at(certificate.method).parent) / f"{certificate.method}.json"
    write_whole(path, (json.dumps(asdict(certificate), indent=1) + "\n").encode())
    return path


def stored_at(name: str) -> Path:
    """Return where a method's certificate is kept."""
    return resource_dir("baselines") / "certificates" / f"{name}.json"
