"""Protocols: the recipes by which a frozen or trainable encoder is adapted, as written in a suite file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchx.images.spec import Augmentation


class Strict(BaseModel):
    """A frozen schema that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputRule(Strict):
    """How images are brought to the encoder.

    Attributes:
        preprocessing: `card` = the method's official resize rule, statistics and channels.
        size: side in pixels; null = the card's. Another size scales the card's resize in proportion.
    """

    preprocessing: Literal["card"]
    size: int | None = Field(default=None, ge=32)


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
    """

    kind: Literal["frozen"]
    input: InputRule
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    min_validation_positives: int = Field(ge=1)
    inner_folds: int = Field(ge=2)
    feature_batch: int = Field(ge=1)


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
        precision: `auto` = bf16 where the GPU has it, else fp32.
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
    precision: Literal["auto", "fp32", "bf16"]


Protocol = Annotated[Frozen | Finetune, Field(discriminator="kind")]
