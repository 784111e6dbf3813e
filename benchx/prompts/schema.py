"""The kinds of prompt sets, as written in a suite file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from benchx.prompts.queries import NAMES
from benchx.strict import Strict

PLACE = "{}"
"""Where a template takes the name of a class."""


def _with_place(template: str) -> str:
    if PLACE not in template:
        raise ValueError(f"the template '{template}' has no {PLACE} where the name of a class goes")
    return template


Text = Annotated[str, Field(pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Template = Annotated[str, AfterValidator(_with_place)]
Templates = Annotated[tuple[Template, ...], Field(min_length=1)]


class Pair(Strict):
    """What is said of a class where it is present, and where it is absent."""

    positive: Texts
    negative: Texts


class TemplatePair(Strict):
    """The same for any class: `{}` stands for its name. CheXzero (Tiu et al. 2022): `{}` and `no {}`."""

    positive: Templates
    negative: Templates


class Pairs(Strict):
    """Presence against absence.

    Attributes:
        templates: for every class that is not written out; null = a class that is not written out is an error.
        classes: prompts of single classes, written out.
    """

    kind: Literal["pairs"]
    templates: TemplatePair | None = None
    classes: dict[str, Pair] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.templates is None and not self.classes:
            raise ValueError("a prompt set needs templates, classes or both")
        return self


class ClassPrompts(Strict):
    """Texts of presence alone, one or more per class.

    Attributes:
        templates: for every class that is not written out; empty = a class that is not written out is an error.
        classes: prompts of single classes, written out.
    """

    kind: Literal["class-prompts"]
    templates: tuple[Template, ...] = ()
    classes: dict[str, Texts] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.templates and not self.classes:
            raise ValueError("a prompt set needs templates, classes or both")
        return self


class ByModality(Strict):
    """Texts of presence alone from the templates of one modality, of a set that has those of several.

    As the prompts of UniMed-CLIP (Khattak et al. 2412.10372; `clipeval/constants.py` of its code).

    Attributes:
        modality: whose templates are used.
        templates: of each modality, one or more.
        classes: prompts of single classes, written out.
        first: how many prompts of each class are used, from the first on (UniMed-CLIP on RSNA 1); null = all.
    """

    kind: Literal["by-modality"]
    modality: str
    templates: dict[str, Templates]
    classes: dict[str, Texts] = Field(default_factory=dict)
    first: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_modality(self) -> Self:
        if self.modality not in self.templates:
            others = ", ".join(self.templates) or "none"
            raise ValueError(f"the modality '{self.modality}' has no templates; those that have: {others}")
        return self


class GloriaChexpert(Strict):
    """GLoRIA's generator for five classes of CheXpert, see `benchx.prompts.gloria_chexpert`.

    Attributes:
        per_class: prompts drawn for each class (GLoRIA and BenchX 5, MedCLIP 10); all where there are no more.
        seed: of the draw (GLoRIA 6).
    """

    kind: Literal["gloria-chexpert"]
    per_class: int = Field(ge=1)
    seed: int = Field(ge=0)


class Queries(Strict):
    """The 75 observations that MedKLIP and MeDSLIP are asked about, and KAD's names, see `benchx.prompts.queries`.

    Attributes:
        names: the observation that stands for a class, where `benchx.prompts.queries` does not know it; not for KAD.
    """

    kind: Literal["queries"]
    names: dict[str, str] = Field(default_factory=dict)

    @field_validator("names")
    @classmethod
    def _known(cls, names: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(names.values()) - set(NAMES)):
            raise ValueError(f"'{unknown[0]}' is not one of the 75 observations")
        return names


class Descriptions(Strict):
    """One sentence on each class. Methods that query an image with texts are asked all of them together.

    Attributes:
        classes: the sentence of each class; also of classes that a dataset lacks, which are asked but not scored.
    """

    kind: Literal["descriptions"]
    classes: Annotated[dict[str, Text], Field(min_length=1)]


AnyPromptSet = Pairs | ClassPrompts | ByModality | GloriaChexpert | Queries | Descriptions
PromptSet = Annotated[AnyPromptSet, Field(discriminator="kind")]
