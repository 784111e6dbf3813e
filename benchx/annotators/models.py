"""Where the models of scorers lie, what belongs to each, and the digest that names one."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from benchx.digests import digest_file, digest_json
from benchx.errors import BenchxError, UsageError, WeightsMissing, unknown_name
from benchx.resources import environment_folder

VARIABLE = "BENCHX_SCORERS"
"""The environment variable that names the folder of scorers, one folder in it per scorer."""

VERSION = 1
"""To be raised when the annotations of the same model may change; then they are made anew."""

HUB_REPOSITORY = "StanfordAIMI/RRG_scorers"

ENCODER = "encoder"
"""The folder in RadGraph's with the configuration and the tokenizer of its BERT, whose weights are RadGraph's own."""

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json")
"""The files of which a tokenizer has one at least."""

TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


@dataclass(frozen=True)
class Scorer:
    """A scorer's model: what its folder holds, what reads it, and where it comes from.

    Attributes:
        process: the module that is run with the model's folder and a device.
        package: what it needs beside benchx, if anything.
        files: that have to be there, relative to the folder.
        tokenizer: the folder of the tokenizer, relative to it.
        published: the file of `HUB_REPOSITORY`.
    """

    name: str
    process: str
    package: str | None
    files: tuple[str, ...]
    tokenizer: str
    published: str
    licence: str


def _radgraph(name: str) -> Scorer:
    return Scorer(
        name=name,
        process="benchx.annotators.radgraph_process",
        package="radgraph",
        files=("config.json", "weights.th", "vocabulary/non_padded_namespaces.txt", f"{ENCODER}/config.json"),
        tokenizer=ENCODER,
        published=f"{name}.tar.gz",
        licence="as its page says; the package radgraph is MIT",
    )


_CHEXBERT = Scorer(
    name="chexbert",
    process="benchx.annotators.chexbert_process",
    package=None,
    files=("chexbert.pth", "config.json"),
    tokenizer=".",
    published="chexbert.pth",
    licence="free for research; commercial use by agreement with Stanford (github.com/stanfordmlgroup/CheXbert)",
)

SCORERS = {scorer.name: scorer for scorer in (_radgraph("radgraph"), _radgraph("radgraph-xl"), _CHEXBERT)}


def find_model(name: str, folder: Path | None = None) -> Path:
    """Return a scorer's model: a complete folder, or a file of annotations made elsewhere.

    Args:
        name: `radgraph`, `radgraph-xl` or `chexbert`.
        folder: the scorer's folder, which bears its name, or the one that it lies in; or a JSON file that maps the
            sha256 of texts to annotations. Without it, the folder that BENCHX_SCORERS names.

    Raises:
        UsageError: no scorer has the name.
        WeightsMissing: a file is missing; says which, where it comes from and its licence.
    """
    if name not in SCORERS:
        raise unknown_name("scorer", name, SCORERS)
    root = folder or environment_folder(VARIABLE)
    if root is None:
        raise _missing(SCORERS[name], "its folder", f"no folder of scorers is set: give one, or set {VARIABLE}")
    if root.is_file():
        return root
    model = root if root.absolute().name == name and not (root / name).is_dir() else root / name
    if absent := missing_files(name, model):
        raise _missing(SCORERS[name], ", ".join(absent), f"not in {model}")
    return model.absolute()


def missing_files(name: str, model: Path) -> list[str]:
    """Return what a scorer's folder lacks, relative to it."""
    scorer = SCORERS[name]
    absent = [file for file in scorer.files if not (model / file).is_file()]
    if not any((model / scorer.tokenizer / file).is_file() for file in VOCABULARIES):
        absent.append((Path(scorer.tokenizer) / "vocab.txt").as_posix())
    return absent


def _missing(scorer: Scorer, what: str, where: str) -> WeightsMissing:
    beside = (
        f"beside it, in {ENCODER}/, config.json and vocab.txt of the encoder that its config.json names"
        if scorer.tokenizer == ENCODER
        else "beside it config.json and vocab.txt of google-bert/bert-base-uncased"
    )
    return WeightsMissing(
        f"no model for the scorer '{scorer.name}': {what}",
        f"{where}; {scorer.published} comes from huggingface.co/{HUB_REPOSITORY}, {beside}; licence: {scorer.licence}",
        f"put them into FOLDER/{scorer.name}/ and give FOLDER, or set {VARIABLE} to it",
    )


def scorer_of(model: Path) -> Scorer:
    """Return the scorer that a folder belongs to, by its name.

    Raises:
        UsageError: no scorer has the name.
    """
    if model.name not in SCORERS:
        raise unknown_name("scorer", model.name, SCORERS)
    return SCORERS[model.name]


def scorer_digest(model: Path) -> str:
    """Return the sha256 that names a scorer: of its files and of the code that reads them; it goes into the record.

    Args:
        model: as `find_model` returns it.

    Raises:
        BenchxError: a file does not read.
        UsageError: no scorer has the folder's name, or the package that reads it is not installed.
    """
    try:
        if model.is_file():
            return digest_json({"annotations": digest_file(model)})
        scorer = scorer_of(model)
        tokenizer = [f"{scorer.tokenizer}/{name}" for name in (*VOCABULARIES, *TOKENIZER_SETTINGS)]
        vocabulary = sorted(file.relative_to(model).as_posix() for file in (model / "vocabulary").glob("*.txt"))
        names = dict.fromkeys([*scorer.files, *vocabulary, *tokenizer])
        files = {name: digest_file(model / name) for name in names if (model / name).is_file()}
    except OSError as error:
        raise BenchxError(
            f"the scorer in {model} does not read", error.strerror or str(error), "check the permissions"
        ) from error
    return digest_json({"scorer": scorer.name, "code": _code_version(scorer), "version": VERSION, "files": files})


def _code_version(scorer: Scorer) -> str | None:
    if scorer.package is None:
        return None
    try:
        return importlib.metadata.version(scorer.package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            f"the scorer '{scorer.name}' needs the package {scorer.package}",
            "it is not installed",
            f"pip install 'benchx[{scorer.package}]'",
        ) from error
