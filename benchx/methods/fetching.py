"""`benchx methods fetch`: bring a method's weights, its text tower's and its tokenizer into the weights root."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from filelock import FileLock, Timeout

from benchx.digests import digest_file
from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.methods import hub
from benchx.methods.cards.schema import Card, HubFile, Weights
from benchx.methods.downloading import Refused, download
from benchx.methods.weights import TEXT_FOLDER, find_checkpoint, find_text_checkpoint, tokenizer_folder
from benchx.progress import Advance

TOKENIZER_FILES = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "merges.txt",
    "vocab.json",
    "vocab.txt",
    "tokenizer.json",
)
"""What a tokenizer can consist of; the vocabulary last, so that one without its settings is never complete."""

ASKS_WHO = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

Stage = Callable[[str], Advance]
"""Begins to report a file by its title; see `benchx.progress.Progress.stage`."""


@dataclass(frozen=True)
class Fetched:
    """A file of a method in the weights root.

    Attributes:
        official: whether its sha256 is the card's; None where the card gives none.
        new: whether it was fetched now, or was there.
    """

    path: Path
    sha256: str
    official: bool | None
    new: bool

    def __str__(self) -> str:
        known = "as on the card" if self.official else "the card has none to compare with"
        return f"{self.path} ({'fetched' if self.new else 'was there'}; sha256 {self.sha256}, {known})"


class _NotThere(CheckpointError):
    """The server has no such file."""


@dataclass(frozen=True)
class _Source:
    """Where a file comes from, and what to tell when it does not."""

    url: str
    page: str
    on_hub: bool
    gated: str | None = None


def fetch(card: Card, root: Path, stage: Stage) -> list[Fetched]:
    """Bring everything that a method needs into the weights root; files that are there are kept.

    Weights go to `<root>/<method>/`, those of a separate text tower to `<root>/<method>/text/`, a tokenizer to
    `<root>/tokenizers/`. The hub is that of HF_ENDPOINT, the token that of HF_TOKEN or of a log-in of the
    huggingface_hub library; with HF_HUB_OFFLINE=1 nothing is contacted. What can be fetched is fetched before one
    error about everything that cannot.

    Args:
        stage: called once per file; the function that it returns is told the bytes that are there and in all.

    Raises:
        UsageError: the method's weights are random, HF_HUB_OFFLINE is set, HF_ENDPOINT is no address, HF_TOKEN no
            token, the root is no folder that can be written to, or another fetch is at work.
        WeightsMissing: only a person can get a file (says where, and where to put it), or its package is missing.
        CheckpointError: the server does not give a file, or gives another one than the card's, or the disk is full.
    """
    if hub.offline():
        raise UsageError(f"'{card.name}' is not fetched", "HF_HUB_OFFLINE is set", "unset it to use the network")
    if card.weights.seed is not None and card.text is None:
        raise UsageError(
            f"'{card.name}' has no weights to fetch",
            f"they are random, drawn from seed {card.weights.seed}",
            "use the method as it is",
        )
    done: list[Fetched] = []
    failed: list[CheckpointError] = []
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".fetch.lock", timeout=0):
            for step in _steps(card, root, stage):
                try:
                    done += step()
                except CheckpointError as error:
                    failed.append(error)
    except Timeout as error:
        raise UsageError(f"another fetch is at work in {root}", "its lock is taken", "wait for it") from error
    except OSError as error:
        raise UsageError(
            f"the weights root {root} cannot be used",
            f"{error.filename or root}: {error.strerror or error}",
            "give another --root DIR, or set BENCHX_WEIGHTS to a folder that you can write to",
        ) from error
    if failed:
        raise _in_one(failed)
    return done


def _in_one(errors: Sequence[CheckpointError]) -> CheckpointError:
    """Return one error that says all that several say."""
    if len(errors) == 1:
        return errors[0]
    kind = WeightsMissing if all(isinstance(error, WeightsMissing) for error in errors) else CheckpointError
    lines = zip(*((error.what, error.why, error.todo) for error in errors), strict=True)
    return kind(*("; also: ".join(dict.fromkeys(line)) for line in lines))


def _steps(card: Card, root: Path, stage: Stage) -> Iterator[Callable[[], list[Fetched]]]:
    if card.weights.seed is None:
        yield lambda: [_weights(card, card.weights, root, stage, text=False)]
    if card.text is not None:
        own = card.text.weights
        if own is not None:
            yield lambda: [_weights(card, own, root, stage, text=True)]
        yield lambda: _tokenizer(card, root, stage)


def _weights(card: Card, weights: Weights, root: Path, stage: Stage, *, text: bool) -> Fetched:
    """Return the file that is there, else fetch it; one that is not the card's is fetched anew."""
    folder = root / card.name / TEXT_FOLDER if text else root / card.name
    source = _source(card, weights)
    try:
        found = find_text_checkpoint(card, None, root) if text else find_checkpoint(card, None, root)
    except WeightsMissing as missing:
        if source is None:
            raise (missing if weights.package is not None else _by_hand(card, weights, folder)) from None
        found = None
    if found is not None:
        digest = digest_file(found)
        if weights.sha256 in (None, digest):
            return Fetched(found, digest, _official(weights, digest), new=False)
        if source is None:
            raise CheckpointError(
                f"{found} is not the official file of '{card.name}'",
                f"its sha256 is {digest}, the card's is {weights.sha256}",
                f"get it again from {weights.page}",
            )
    assert source is not None
    target = folder / weights.files[0]
    digest = _download(card, source, target, stage, weights.sha256)
    return Fetched(target, digest, _official(weights, digest), new=True)


def _official(weights: Weights, digest: str) -> bool | None:
    return None if weights.sha256 is None else weights.sha256 == digest


def _tokenizer(card: Card, root: Path, stage: Stage) -> list[Fetched]:
    """Fetch those of a tokenizer's files that its repository has and that are not there."""
    assert card.text is not None
    choice = card.text.tokenizer
    if choice.repo is None:
        return []
    done = []
    for name in TOKENIZER_FILES:
        target = tokenizer_folder(choice, root) / name
        if target.is_file():
            done.append(Fetched(target, digest_file(target), None, new=False))
            continue
        try:
            digest = _download(
                card, _on_hub(HubFile(repo=choice.repo, file=name, revision=choice.revision)), target, stage
            )
        except _NotThere:
            continue
        done.append(Fetched(target, digest, None, new=True))
    if not done:
        raise CheckpointError(
            f"no tokenizer of '{card.name}' in the repository {choice.repo}",
            f"it has none of {', '.join(TOKENIZER_FILES)}",
            "mend text.tokenizer.repo in the card",
        )
    return done


def _source(card: Card, weights: Weights) -> _Source | None:
    if weights.hub is not None:
        source = _on_hub(weights.hub)
        return _Source(source.url, weights.page or source.page, True, weights.gated)
    if weights.url is not None:
        return _Source(weights.url, weights.page or card.code, False, weights.gated)
    return None


def _on_hub(file: HubFile) -> _Source:
    from huggingface_hub import hf_hub_url

    address = hub.endpoint()
    url = hf_hub_url(file.repo, file.file, revision=file.revision, endpoint=address)
    return _Source(url, f"{address}/{file.repo}", True)


def _download(card: Card, source: _Source, target: Path, stage: Stage, sha256: str | None = None) -> str:
    """Download a file; what the server refuses becomes an error about the method."""
    token = hub.token() if source.on_hub else None
    try:
        return download(source.url, target, stage(f"{card.name}: {target.name}"), token=token, sha256=sha256)
    except Refused as error:
        raise _refusal(card, source, target, error, token) from error


def _refusal(card: Card, source: _Source, target: Path, error: Refused, token: str | None) -> CheckpointError:
    said = f"the server says {error.status}: {error.reason}"
    if error.status not in ASKS_WHO:
        kind = _NotThere if error.status == HTTPStatus.NOT_FOUND else CheckpointError
        return kind(
            f"{target.name} of '{card.name}' is not at {source.url}",
            said,
            f"the file or the revision was moved: look at {source.page} and mend the card",
        )
    access = source.gated or "the licence has to be accepted or access asked for, or the repository is gone"
    by_token = "another HF_TOKEN: the one in use has no access" if token else "set HF_TOKEN to a token of your account"
    return CheckpointError(
        f"{target.name} of '{card.name}' is gated: {access}",
        f"{said}; licence: {card.licence}",
        f"ask for access on {source.page}, then {by_token}"
        if source.on_hub
        else f"ask for access on {source.page}, then put the file at {target}",
    )


def _by_hand(card: Card, weights: Weights, folder: Path) -> WeightsMissing:
    gated = f"; {weights.gated}" if weights.gated else ""
    return WeightsMissing(
        f"{weights.files[0]} of '{card.name}' has to be fetched by hand",
        f"the card names no address to download it from{gated}; licence: {card.licence}",
        f"get it from {weights.page} and put it at {folder / weights.files[0]}",
    )
