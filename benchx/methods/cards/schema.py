"""Method cards: everything needed to load a pretrained encoder and to feed it, one YAML file each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from benchx.errors import UsageError
from benchx.images.spec import InputSpec
from benchx.methods.cards.tags import Tags

FROZEN = ConfigDict(extra="forbid", frozen=True)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def web_address(url: str) -> str:
    """Return an address that can be downloaded from, as it is.

    Raises:
        ValueError: it is not http or https, names no host, or is malformed.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address has no spaces and only ASCII characters: write others as %XX")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// or https:// and a host")
    if parts.port == 0:
        raise ValueError("0 is no port")
    return url


def _inside(path: str) -> str:
    """Return a relative path that stays below the folder that it is relative to."""
    if not path.isprintable() or "\\" in path or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"{path!r} is not a path inside a folder: no '..', no '/' at an end, no '\\'")
    return path


def _plain(name: str) -> str:
    if "/" in _inside(name):
        raise ValueError(f"{name!r} is not the plain name of a file: it has a folder")
    return name


Inside = AfterValidator(_inside)
FileName = Annotated[str, AfterValidator(_plain)]
Repo = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$"), Inside]
"""OWNER/NAME on the hub; some old repositories have no owner."""


class PackageFile(BaseModel):
    """A file, or a folder of files, that lies inside an installed Python package.

    Attributes:
        distribution: what pip installs.
        module: the import name; it is located, never imported.
        path: relative to the module's folder.
    """

    model_config = FROZEN

    distribution: str
    module: str
    path: str


class HubFile(BaseModel):
    """A file of a model repository on the Hugging Face hub; it may lie in a folder there."""

    model_config = FROZEN

    repo: Repo
    file: Annotated[str, Inside]
    revision: str = "main"


class Weights(BaseModel):
    """Where the weights come from: files to be fetched by the user, a package, or a random seed.

    Attributes:
        files: plain names under which the official file is published or commonly kept; a fetched one gets the first.
        page: where a person gets it.
        hub, url: where `benchx methods fetch` gets it, if it can.
        gated: what must be accepted or asked for before it can be fetched, and where.
        seed: of the random initialisation.
        sha256: of the official file, where it is known.
    """

    model_config = FROZEN

    files: tuple[FileName, ...] = ()
    page: str | None = None
    hub: HubFile | None = None
    url: Annotated[str, AfterValidator(web_address)] | None = None
    gated: str | None = None
    package: PackageFile | None = None
    seed: int | None = Field(default=None, ge=0)
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((bool(self.files), self.package is not None, self.seed is not None)) != 1:
            raise ValueError("give exactly one of files, package, seed")
        if self.files and not self.page:
            raise ValueError("files need a page that says where they come from")
        if (self.hub or self.url) and (not self.files or (self.hub and self.url)):
            raise ValueError("hub or url, not both, and only beside files")
        return self


class Choice(BaseModel):
    """The name of a builder and its arguments."""

    model_config = FROZEN

    name: str
    arguments: dict[str, Any] = {}


class EncoderChoice(Choice):
    """An encoder of `benchx.methods.encoders`."""


class Join(BaseModel):
    """Tensors that the encoder holds as one: `parts`, concatenated along the first axis, are `into`.

    Each is a piece of a name: with parts [query, key, value] and into qkv, `0.qkv.bias` is filled from
    `0.query.bias`, `0.key.bias`, `0.value.bias`.
    """

    model_config = FROZEN

    parts: tuple[str, ...] = Field(min_length=2)
    into: str


class Layout(BaseModel):
    """How the checkpoint names and shapes its tensors.

    Attributes:
        container: keys that lead from the file's top to the state dict, outermost first.
        optional_container: whether the names may also stand at the file's top.
        prefix: taken off the front of every name; names without it are not this part's.
        optional_prefix: what may stand before every name of the file besides: `module.` of DistributedDataParallel.
        rename: ordered [regular expression, replacement] pairs, applied to what is left of each name.
        join: tensors that are concatenated; after renaming.
        lead: tensors that have leading axes of length one which the file's do not have.
        transpose: matrices that the file holds transposed.
    """

    model_config = FROZEN

    container: tuple[str, ...] = ()
    optional_container: bool = False
    prefix: str = ""
    optional_prefix: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    join: tuple[Join, ...] = ()
    lead: tuple[str, ...] = ()
    transpose: tuple[str, ...] = ()

    @field_validator("rename")
    @classmethod
    def _compiles(cls, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for pattern, _ in pairs:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
        return pairs


class TokenizerChoice(BaseModel):
    """A tokenizer in the format of the transformers library, or of hashed words.

    Attributes:
        package: the folder of tokenizer files in an installed package.
        words: ids of hashed words, see `benchx.methods.text.hashed_words`; for random towers, which have no vocabulary.
        repo: the hub repository whose tokenizer files the method uses; kept under `tokenizers/` in the weights root.
        revision: of that repository.
        cleaning: what is done to a text first, by its name in `benchx.methods.text.cleaning`.
        max_length: tokens per text, longer ones are cut.
        padded: whether every text is padded to `max_length`, for methods whose features count the padding.
    """

    model_config = FROZEN

    repo: Repo | None = None
    package: PackageFile | None = None
    words: int | None = Field(default=None, ge=4)
    revision: str = "main"
    cleaning: Literal["words"] | None = None
    max_length: int = Field(ge=2)
    padded: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(given is not None for given in (self.repo, self.package, self.words)) != 1:
            raise ValueError("give exactly one of repo, package, words")
        return self


class TextPart(Choice):
    """The text tower: a builder of `benchx.methods.text`, its tensors and its tokenizer.

    Attributes:
        weights: where they come from, if not from the method's own checkpoint.
    """

    layout: Layout = Layout()
    tokenizer: TokenizerChoice
    weights: Weights | None = None


class ScorerPart(Choice):
    """The method's own similarity of images and texts: a builder of `benchx.methods.scorers` and its tensors."""

    layout: Layout = Layout()


class FusionPart(Choice):
    """The method's joint reading of image-text pairs: a builder of `benchx.methods.fusion` and its tensors."""

    layout: Layout = Layout()


class Exposure(BaseModel):
    """What the pretraining saw of a dataset, and who says so.

    What the weights that it started from had seen counts too, as far as images go; of text towers that start from a
    public language model (Bio_ClinicalBERT: MIMIC-III notes) only what the method itself trained on is listed.
    """

    model_config = FROZEN

    dataset: str
    what: Literal["images", "reports", "labels"]
    source: str


class Fingerprint(BaseModel):
    """The pooled features that the official file gives on the test image of `benchx methods check`.

    For a method that reads only text, the embedding of its test tokens.

    Attributes:
        mean, std: over the features.
        first: the first four of them.
    """

    model_config = FROZEN

    mean: float
    std: float
    first: tuple[float, float, float, float]


class Card(BaseModel):
    """A method: a pretrained encoder with its paper, licence, weights, official input and exposure.

    A method that reads only text has neither encoder nor input nor pooling. Every card that ships has tags.
    """

    model_config = FROZEN

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$"), Inside]
    title: str
    paper: str
    code: str
    licence: str
    weights: Weights
    encoder: EncoderChoice | None = None
    layout: Layout = Layout()
    input: InputSpec | None = None
    pooling: Literal["mean", "cls", "patch_mean", "patch_mean_fresh_norm", "model"] | None = None
    text: TextPart | None = None
    scorer: ScorerPart | None = None
    fusion: FusionPart | None = None
    tags: Tags | None = None
    fingerprint: Fingerprint | None = None
    exposure: tuple[Exposure, ...]
    notes: str = ""
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [part is not None for part in (self.encoder, self.input, self.pooling)]
        if any(given) and not all(given):
            raise ValueError("encoder, input and pooling belong together")
        if not any(given) and self.text is None:
            raise ValueError("give an encoder with input and pooling, or a text tower")
        if self.weights.seed is not None and self.text and self.text.tokenizer.words is None:
            raise ValueError("a random text tower has no vocabulary: give its tokenizer as words")
        if self.fusion is not None and (self.encoder is None or self.text is None):
            raise ValueError("a fusion reads what an encoder and a text tower give: it needs both")
        return self

    @property
    def folder(self) -> Path:
        """The folder of the card's file; Python files that the card names are relative to it."""
        return self._folder

    @property
    def images(self) -> InputSpec:
        """The official input.

        Raises:
            UsageError: the method reads only text.
        """
        if self.input is None:
            raise UsageError(f"'{self.name}' encodes no images", "it is a text tower alone", "choose another method")
        return self.input

    def numerics(self) -> dict[str, Any]:
        """Return the JSON-able fields that can change an image feature, for hashing; titles and notes are no part."""
        kept = self.model_dump(mode="json", include={"encoder", "layout", "input", "pooling"})
        return {**kept, "seed": self.weights.seed}

    def text_numerics(self) -> dict[str, Any]:
        """Return the JSON-able fields that can change a text feature or a similarity, beside `numerics`."""
        kept = self.model_dump(mode="json", include={"text", "scorer"} | ({"fusion"} if self.fusion else set()))
        if kept["text"] is not None:
            kept["text"].pop("weights")
        return kept
