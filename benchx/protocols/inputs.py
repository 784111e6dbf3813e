"""How images are brought to encoders, and how a frozen encoder is run, as protocols say it."""

from __future__ import annotations

from statistics import fmean
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from benchx.images.spec import InputSpec, Interpolation, Resize
from benchx.strict import Strict

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Overrides = dict[str, dict[str, dict[str, Any]]]
Positive = Annotated[FiniteFloat, Field(gt=0)]


class CardInput(Strict):
    """Images are brought to each encoder as its card says: the method's official preprocessing.

    Attributes:
        size: side in pixels; null = the card's. Another size scales the card's resize in proportion.
        resize: how images come into the square; null = as the card has it. With `letterbox` or `stretch` nothing of an
            image is cut off, as segmentation needs it.
    """

    preprocessing: Literal["card"]
    size: int | None = Field(default=None, ge=32)
    resize: Literal["letterbox", "stretch"] | None = None


class SuiteInput(Strict):
    """Images are brought to every encoder in the same way; only the number of channels is the card's.

    Attributes:
        size, resize, resize_to, interpolation: see `benchx.images.spec.InputSpec`.
        mean, std: of the image scaled to [0, 1], for all channels or one per channel; an encoder of one channel gets
            the mean of three.
    """

    preprocessing: Literal["suite"]
    size: int = Field(ge=32)
    resize: Resize
    resize_to: int | None = None
    interpolation: Interpolation
    mean: FiniteFloat | tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    std: Positive | tuple[Positive, Positive, Positive]

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
            mean=_per_channel(self.mean, channels),
            std=_per_channel(self.std, channels),
            channels=channels,
        )


def _per_channel(value: float | tuple[float, float, float], channels: int) -> tuple[float, ...]:
    if not isinstance(value, tuple):
        return (value,)
    return value if channels == 3 else (fmean(value),)


InputRule = Annotated[CardInput | SuiteInput, Field(discriminator="preprocessing")]


class Extraction(Strict):
    """How a frozen encoder is run.

    Attributes:
        feature_batch: images per forward pass.
        precision: of the encoder's forward pass. `auto` = bf16 where the GPU has it, else fp32; `bf16` is an error
            where the device has none; `fp16` is fp32 where there is no CUDA device.
        compile: compile the encoder on a GPU; elsewhere it is run as it is. The record says what was done.
    """

    input: InputRule
    feature_batch: int = Field(ge=1)
    precision: Precision
    compile: bool = False
