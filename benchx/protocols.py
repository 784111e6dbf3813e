"""Protocols: the recipes by which a frozen or trainable encoder is adapted, as written in a suite file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, model_validator

from benchx.images.spec import Augmentation, InputSpec, Interpolation, Resize

Precision = Literal["auto", "fp32", "bf16"]


class Strict(BaseModel):
    """A frozen schema that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CardInput(Strict):
    """Images are brought to each encoder as its card says: the method's official preprocessing.

    Attributes:
        size: side in pixels; null = the card's. Another size scales the card's resize in proportion.
    """

    preprocessing: Literal["card"]
    size: int | None = Field(default=None, ge=32)


class SuiteInput(Strict):
    """Images are brought to every encoder in the same way; only the number of channels is the card's.

    Attributes:
        size, resize, resize_to, interpolation: see `benchx.images.spec.InputSpec`.
        mean, std: of the image scaled to [0, 1], for all channels.
    """

    preprocessing: Literal["suite"]
    size: int = Field(ge=32)
    resize: Resize
    resize_to: int | None = None
    interpolation: Interpolation
    mean: FiniteFloat
    std: FiniteFloat = Field(gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.spec(channels=1)
        return self

    def spec(self, channels: Literal[1, 3]) -> InputSpec:
        """Return the rule as the input of an encoder of so many channels."""
        return InputSpec(
            size=self.size,
            resize=self.resize,
            resize_to=self.resize_to,
            interpolation=self.interpolation,
            mean=(self.mean,),
            std=(self.std,),
            channels=channels,
        )


InputRule = Annotated[CardInput | SuiteInput, Field(discriminator="preprocessing")]


class Frozen(Strict):
    """Features once per method and dataset, then an L2-regularised logistic head per fraction and seed.

    Attributes:
        strengths: the declared grid of L2 strengths; the loss is the mean log-loss over cases plus
            strength / 2 x the squared norm, on features standardised on the training cases.
        min_validation_positives: a class counts for the choice on validation when it has at least this
            many positives and as many negatives there. When fewer than half of the classes that can be
            trained count, the strength is chosen by cross-validation inside train.
        inner_folds: folds of that cross-validation, grouped by patient.
        feature_batch: images per forward pass.
        precision: of the encoder's forward pass. `auto` = bf16 where the GPU has it, else fp32; `bf16` is an error
            where the device has none.
        compile: compile the encoder on a GPU; elsewhere it is run as it is. The record says what was done.
    """

    kind: Literal["frozen"]
    input: InputRule
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    min_validation_positives: int = Field(ge=1)
    inner_folds: int = Field(ge=2)
    feature_batch: int = Field(ge=1)
    precision: Precision
    compile: bool = False


class Finetune(Strict):
    """All weights trained by the one loop: AdamW, linear warm-up and a cosine clamped at its end.

    Attributes:
        epochs: at most; a pass over the training cases each.
        batch_size: images per optimiser step; an out-of-memory error halves the micro-batch, never this.
        lr: learning rate of the encoder; `head_lr` that of the head.
        weight_decay: decoupled, not on biases and norms.
        warmup_fraction: share of all steps.
        clip_norm: gradient norm limit.
        patience: epochs without a strictly better validation score before stopping.
        precision: as in `Frozen`.
    """

    kind: Literal["finetune"]
    input: InputRule
    augmentation: Augmentation
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    head_lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_fraction: float = Field(ge=0, lt=1)
    clip_norm: float = Field(gt=0)
    patience: int = Field(ge=1)
    precision: Precision


Protocol = Annotated[Frozen | Finetune, Field(discriminator="kind")]


def read_protocol(settings: dict[str, Any]) -> Frozen | Finetune:
    """Return the protocol that a cell's settings hold as JSON-able values."""
    protocol: Frozen | Finetune = TypeAdapter(Protocol).validate_python(settings)
    return protocol
