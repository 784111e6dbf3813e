"""How weights are trained, and what is searched over, as protocols say it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from benchx.protocols.inputs import Precision
from benchx.strict import Strict

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["cosine", "cosine-unclamped", "polynomial", "plateau"]


class Search(Strict):
    """A declared search, the same for every method: all combinations of the values are trials, chosen on validation.

    Attributes:
        space: values per field of the protocol; a dot reaches into one (`head.layer_norm`).
        halving: successive halving (Jamieson and Talwalkar 2016): after each of these shares of the epochs, rising
            and below 1, the better half of the trials goes on. Empty: a plain grid, every trial to its end.
    """

    space: dict[str, tuple[Any, ...]] = Field(min_length=1)
    halving: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if any(not values for values in self.space.values()):
            raise ValueError("a searched field has no value")
        if list(self.halving) != sorted(set(self.halving)):
            raise ValueError("the shares of halving must rise")
        return self


SEARCHED = (
    "lr",
    "head_lr",
    "weight_decay",
    "batch_size",
    "clip_norm",
    "warmup_fraction",
    "optimizer",
    "momentum",
    "schedule",
    "head",
    "decoder",
    "loss",
)
"""Fields whose values make trials that can be compared."""


class Training(Strict):
    """How weights are trained by the one loop.

    Attributes:
        epochs: at most; a pass over the training cases each, or `steps_per_epoch` optimiser steps.
        batch_size: cases per optimiser step; an out-of-memory error halves the micro-batch, never this.
        lr: peak learning rate of the encoder; `head_lr` that of head or decoder.
        weight_decay: decoupled with AdamW, else in the gradient; not on biases and norms unless `decay_vectors`.
        warmup_fraction: share of all steps; `warmup_steps` says it in steps.
        clip_norm: gradient norm limit; null = none.
        patience: evaluations without a strictly better validation score before stopping.
        precision: as in `Extraction`.
        momentum: of SGD; amsgrad: of Adam and AdamW.
        schedule: `cosine` is clamped at its end; the others are those of BenchX, see `benchx.training.schedules`.
        total_steps: at which the schedule ends; null = with the training.
        first_evaluation, evaluate_every: epochs.
        search: over fields of the protocol, with this many trials for every method.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    head_lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_fraction: float = Field(default=0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    patience: int = Field(ge=1)
    precision: Precision
    optimizer: Optimizer = "adamw"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    amsgrad: bool = False
    decay_vectors: bool = False
    schedule: Schedule = "cosine"
    warmup_steps: int | None = Field(default=None, ge=0)
    total_steps: int | None = Field(default=None, ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    first_evaluation: int = Field(default=1, ge=1)
    evaluate_every: int = Field(default=1, ge=1)
    search: Search | None = None

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        fields = self.model_dump(mode="json") | {"search": None}
        for path, values in (self.search.space if self.search else {}).items():
            if path.partition(".")[0] not in SEARCHED:
                raise ValueError(f"search.space: {path} is no field to search over; these are {', '.join(SEARCHED)}")
            if path == "lr" and getattr(self, "encoder", "trained") == "frozen":
                raise ValueError("search.space: lr is the encoder's, which is frozen; search over head_lr")
            for value in values:
                try:
                    type(self).model_validate(with_field(fields, path, value))
                except (KeyError, TypeError) as error:
                    raise ValueError(f"search.space: the protocol has no field {path}") from error
                except ValidationError as error:
                    said = error.errors()[0]["msg"].removeprefix("Value error, ")
                    raise ValueError(f"search.space: {path} cannot be {value}: {said}") from error
        return self


def with_field(fields: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a protocol's fields with one of them set; a dot in the path reaches into a field."""
    first, _, rest = path.partition(".")
    return fields | {first: with_field(fields[first], rest, value) if rest else value}
