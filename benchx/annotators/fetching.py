"""Bring a scorer's model into the folder of scorers, when the user asks for it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from filelock import FileLock, Timeout

from benchx.annotators.models import ENCODER, HUB_REPOSITORY, SCORERS, Scorer, missing_files
from benchx.errors import CheckpointError, UsageError, unknown_name
from benchx.methods import hub
from benchx.methods.downloading import Refused, download
from benchx.methods.fetching import ASKS_WHO, TOKENIZER_FILES
from benchx.progress import Advance

CHEXBERT_ENCODER = "google-bert/bert-base-uncased"

Stage = Callable[[str], Advance]
"""Begins to report a file by its title; see `benchx.progress.Progress.stage`."""


def fetch_model(name: str, folder: Path, stage: Stage) -> Path:
    """Fetch what a scorer's folder lacks, `FOLDER/NAME/`; what is there is kept.

    The hub is that of HF_ENDPOINT, the token that of HF_TOKEN or of a log-in of the huggingface_hub library. RadGraph's
    encoder is the one that the model's config.json names; CheXbert's is bert-base-uncased. Of both only the
    configuration and the tokenizer come.

    Args:
        name: `radgraph`, `radgraph-xl` or `chexbert`.
        folder: of all scorers.
        stage: called once per file; the function that it returns is told the bytes that are there and in all.

    Returns:
        The model's folder, complete.

    Raises:
        UsageError: no scorer has the name, HF_HUB_OFFLINE is set, HF_ENDPOINT is no address, the folder cannot be
            used, or another fetch is at work.
        CheckpointError: the server does not give a file, or the archive is not RadGraph's.
    """
    if name not in SCORERS:
        raise unknown_name("scorer", name, SCORERS)
    scorer, model = SCORERS[name], folder / name
    with _alone_in(folder):
        if not missing_files(name, model):
            return model
        _refuse_offline(name)
        published = scorer.published
        if published.endswith(".tar.gz"):
            if not (model / "weights.th").is_file():
                archive = folder / published
                _get(scorer, HUB_REPOSITORY, published, archive, stage)
                _unpack(archive, model)
                archive.unlink()
            encoder = _encoder_of(model)
        else:
            _get(scorer, HUB_REPOSITORY, published, model / published, stage)
            encoder = CHEXBERT_ENCODER
        for file in TOKENIZER_FILES:
            _get(scorer, encoder, file, model / scorer.tokenizer / file, stage, optional=True)
        if absent := missing_files(name, model):
            raise CheckpointError(
                f"the model of the scorer '{name}' is not complete: {', '.join(absent)}",
                f"neither {HUB_REPOSITORY} nor {encoder} has them where they used to be",
                f"put them into {model}",
            )
    return model


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fetch.lock", timeout=0):
            yield
    except Timeout as error:
        raise UsageError(f"another fetch is at work in {folder}", "its lock is taken", "wait for it") from error
    except OSError as error:
        raise UsageError(
            f"the folder of scorers {folder} cannot be used",
            f"{error.filename or folder}: {error.strerror or error}",
            "name a folder that you can write to",
        ) from error


def _refuse_offline(name: str) -> None:
    if hub.offline():
        raise UsageError(f"'{name}' is not fetched", "HF_HUB_OFFLINE is set", "unset it to use the network")


def _get(scorer: Scorer, repository: str, file: str, target: Path, stage: Stage, *, optional: bool = False) -> None:
    """Fetch a file that is not there; one that the repository lacks is passed over if it is optional."""
    if target.is_file():
        return
    from huggingface_hub import hf_hub_url

    endpoint = hub.endpoint()
    url = hf_hub_url(repository, file, endpoint=endpoint)
    try:
        download(url, target, stage(f"{scorer.name}: {file}"), token=hub.token())
    except Refused as error:
        if optional and error.status == HTTPStatus.NOT_FOUND:
            return
        raise CheckpointError(
            f"{file} of the scorer '{scorer.name}' is not given at {url}",
            f"the server says {error.status}: {error.reason}; licence: {scorer.licence}",
            f"ask for access on {endpoint}/{repository}, then set HF_TOKEN to a token of your account"
            if error.status in ASKS_WHO
            else f"look at {endpoint}/{repository}, and put the file at {target}",
        ) from error


def _unpack(archive: Path, model: Path) -> None:
    """Take RadGraph's three parts out of its archive, and nothing else; the weights come last."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            parts = [one for one in tar.getmembers() if one.isfile() and _belongs(one.name)]
            parts.sort(key=lambda one: one.name.endswith("weights.th"))
            tar.extractall(model, members=parts, filter="data")
    except (tarfile.TarError, EOFError) as error:
        archive.unlink()
        raise CheckpointError(
            f"{archive.name} does not unpack", str(error), "repeat the command, which fetches it again"
        ) from error
    if not (model / "weights.th").is_file() or not (model / "config.json").is_file():
        raise CheckpointError(
            f"{archive.name} is not the archive of a RadGraph model",
            "it has no config.json or no weights.th",
            f"look at {HUB_REPOSITORY}",
        )


def _belongs(name: str) -> bool:
    parts = [part for part in name.split("/") if part != "."]
    return parts in (["config.json"], ["weights.th"]) or (parts[0] == "vocabulary" and parts[-1].endswith(".txt"))


def _encoder_of(model: Path) -> str:
    """Return the repository of the encoder that a RadGraph model's configuration names."""
    try:
        config = json.loads((model / "config.json").read_bytes())
        name = str(config["dataset_reader"]["token_indexers"]["bert"]["model_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{model / 'config.json'} is not the configuration of a RadGraph model",
            "it does not name its encoder",
            f"remove {model} and repeat the command",
        ) from error
    if name.count("/") > 1 or not name.isascii() or not name.isprintable() or ".." in name:
        raise CheckpointError(
            f"the encoder of {model.name} is not on the hub",
            f"config.json names {name}",
            f"put its config.json and vocab.txt into {model / ENCODER}",
        )
    return name
