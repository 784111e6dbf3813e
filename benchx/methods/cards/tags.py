"""What kind of method a card is of, in the terms of the survey of CLIP in medical imaging (Zhao et al., 2312.07353)."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Signal = Literal[
    "image-text-contrast",
    "image-text-matching",
    "masked-language",
    "masked-image",
    "self-distillation",
    "text-generation",
    "text-contrast",
    "knowledge",
    "labels",
    "none",
]
"""What the pretraining optimises; `knowledge` = answers about entities of a knowledge base or a parser, `none` = random
weights."""

Supervision = Literal["reports", "captions", "entities", "labels", "images", "texts", "none"]
"""What it learns from: free-text reports, captions of figures or of the web, entities taken from reports, class
labels, images alone, texts alone, or nothing."""

Granularity = Literal["global", "local"]
"""Whether whole images and texts are compared, or also places and words."""

Modality = Literal[
    "chest-xray", "ct", "mri", "ultrasound", "pathology", "fundus", "dermatology", "figures", "natural", "text", "none"
]
"""What the pretraining looks at; `figures` = those of medical papers, of every kind."""

Release = Literal["open", "gated", "request", "package", "none"]
"""How the weights are had: by anyone, after accepting terms, by asking the authors, in a Python package, or not."""


class Tags(BaseModel):
    """The tags of a method, one or more per axis, the first weighing most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signal: Annotated[tuple[Signal, ...], Field(min_length=1)]
    supervision: Annotated[tuple[Supervision, ...], Field(min_length=1)]
    granularity: tuple[Granularity, ...] = ()
    modality: Annotated[tuple[Modality, ...], Field(min_length=1)]
    release: Release


AXES: dict[str, tuple[str, ...]] = {
    "signal": get_args(Signal),
    "supervision": get_args(Supervision),
    "granularity": get_args(Granularity),
    "modality": get_args(Modality),
    "release": get_args(Release),
}
"""The values of every axis."""


def tag_values(tags: Tags | None, axis: str) -> tuple[str, ...]:
    """Return a method's values on one of `AXES`; none where it has no tags."""
    if tags is None:
        return ()
    value = getattr(tags, axis)
    return (value,) if isinstance(value, str) else tuple(value)
