"""How images are brought to an encoder: the schemas that cards and suites write down."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Resize = Literal["stretch", "letterbox", "center_crop"]
Interpolation = Literal["bilinear", "bicubic", "area"]


class InputSpec(BaseModel):
    """An encoder's input: grey values, resize rule, side and statistics.

    Attributes:
        size: side of the square input in pixels.
        resize: `stretch` = resize to [size, size], aspect not kept; `center_crop` = short side to
            `resize_to`, then the central square of `size`; `letterbox` = long side to `resize_to`, zero-padded
            to a centred square of `resize_to`, then the central square of `size`.
        resize_to: pixels; null = `size`.
        mean, std: of the image scaled to [0, 1]; one value for all channels or one per channel.
        channels: 3 = the grey image repeated.
        interpolation: `bilinear` and `bicubic` are antialiased, as in Pillow and torchvision; `area` is OpenCV's
            INTER_AREA: the mean over the covered area, and linear where an axis is enlarged.
        rescale: `minmax` = each image's grey values are stretched to 0..255 before it is resized.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=1)
    resize: Resize
    resize_to: int | None = None
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[FiniteFloat, Field(gt=0)], ...]
    channels: Literal[1, 3] = 3
    interpolation: Interpolation = "bilinear"
    rescale: Literal["minmax"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, self.channels):
            raise ValueError(f"mean and std need 1 or {self.channels} values each")
        if self.resize_to is not None and (self.resize == "stretch" or self.resize_to < self.size):
            raise ValueError("resize_to is for center_crop and letterbox, and at least size")
        return self

    def scaled_to(self, size: int) -> Self:
        """Return the same rule at another side, `resize_to` in proportion (rounded)."""
        resize_to = None if self.resize_to is None else round(self.resize_to * size / self.size)
        return self.model_copy(update={"size": size, "resize_to": resize_to})


class Augmentation(BaseModel):
    """Training crops as in torchvision's RandomResizedCrop, then a mirror.

    Attributes:
        scale: share of the image area that a crop covers, low and high.
        ratio: width / height of a crop, low and high, drawn log-uniformly.
        horizontal_flip: probability of mirroring left and right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: tuple[float, float]
    ratio: tuple[float, float]
    horizontal_flip: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1] <= 1 or not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError("scale must rise within (0, 1], ratio must rise and be positive")
        return self


class Placement(NamedTuple):
    """How an image comes into the square of a spec: its size after resizing, and the square's corner in that image.

    `top` and `left` are negative where the square is padded.
    """

    height: int
    width: int
    top: int
    left: int


def place(height: int, width: int, spec: InputSpec) -> Placement:
    """Return where `benchx.images.geometry.prepare` puts an image of `height` x `width` pixels."""
    if spec.resize == "stretch":
        return Placement(spec.size, spec.size, 0, 0)
    # The fixed side is exact and the other one truncated, as torchvision's resize(int) does; crops are rounded
    # half to even, as its center_crop does.
    side = spec.resize_to or spec.size
    fixed = max(height, width) if spec.resize == "letterbox" else min(height, width)
    height, width = max(1, side * height // fixed), max(1, side * width // fixed)
    if spec.resize == "center_crop":
        return Placement(height, width, round((height - spec.size) / 2), round((width - spec.size) / 2))
    crop = round((side - spec.size) / 2)
    return Placement(height, width, crop - (side - height) // 2, crop - (side - width) // 2)
