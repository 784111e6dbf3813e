"""The record of a cell: what was asked for, what came out, and everything needed to believe it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 1

State = Literal["done", "not-applicable", "failed", "data-missing", "weights-missing"]
UNFINISHED: tuple[State, ...] = ("failed", "data-missing", "weights-missing")
"""States that the next run of the cell replaces."""


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Provenance(BaseModel):
    """Where a result comes from.

    Attributes:
        checkpoint: file name of the weights, or null for a random initialisation.
        weights: sha256 of the checkpoint file.
        images, split: sha256 of images and labels, and of the split.
        method: sha256 of the method as it entered the task: numeric part of its card, weights, the task's
            numerics version. Results of one method on one board share it.
        data: whether the images are real or simulated; null if they were never read.
        unit: what intervals resample; "patient" where patient ids are known.
        shared_units: units (patients) that the published split has in two of its parts.
        preprocessing: whose input was used, the card's or the suite's; null unless done.
        input: that input in full, an `InputSpec`; null unless done.
        precision: of the encoder's forward pass; null unless done.
        compiled: whether the encoder was compiled by torch.
        unreadable: how many listed images were left out because they could not be read.
        packages: versions of the packages that compute the numbers.
        commit: git commit of benchx when run from a repository.
        wall_seconds: of this cell; the first cell of a method and dataset pays for their features.
        peak_memory_bytes: resident set of the process at its highest so far.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str | None = None
    weights: str | None = None
    images: str | None = None
    split: str | None = None
    method: str | None = None
    data: Literal["real", "phantom"] | None
    unit: Literal["patient", "study", "image"] | None = None
    unreadable: int = 0
    shared_units: int = 0
    preprocessing: Literal["card", "suite"] | None = None
    input: dict[str, Any] | None = None
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    compiled: bool = False
    benchx: str
    packages: dict[str, str]
    commit: str | None = None
    python: str
    platform: str
    device: str
    threads: int
    created: str
    wall_seconds: float = Field(ge=0, allow_inf_nan=False)
    peak_memory_bytes: int = Field(ge=0)

    @field_validator("created")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("the time has no zone")
        return value


class RecordedCell(BaseModel):
    """What a record's `cell` holds, see `benchx.planning.Cell`; checked when a record is read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    suite: str
    suite_version: int
    method: str
    dataset: str
    task: str
    protocol: str
    split: str
    fraction: float = Field(gt=0, le=1)
    seed: int | None
    primary: str
    settings: dict[str, Any]


class Record(BaseModel):
    """One finished (or failed, or not startable) cell; `record.json` in the store.

    Attributes:
        key: names the result and its folder.
        cell: the cell as planned, settings resolved.
        cell_digest: sha256 of what was asked for, whatever the data and weights.
        reason: why the cell failed, could not start or does not apply; null when done.
        scores: the task's scores on the test cases; null unless done.
        details: what the protocol chose on the way (strengths, epochs, counts, warnings).
        card: the method card in full.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    key: Sha256
    state: State
    cell: dict[str, Any]
    cell_digest: Sha256
    reason: str | None = None
    scores: dict[str, Any] | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    card: dict[str, Any]
    provenance: Provenance

    @field_validator("cell")
    @classmethod
    def _is_a_cell(cls, value: dict[str, Any]) -> dict[str, Any]:
        RecordedCell.model_validate(value)
        return value
