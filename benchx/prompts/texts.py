"""From a prompt set and the classes of a dataset to the texts that are compared with images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchx.errors import UsageError
from benchx.prompts.gloria_chexpert import drawn_prompts
from benchx.prompts.queries import query_of
from benchx.prompts.schema import (
    PLACE,
    AnyPromptSet,
    ByModality,
    ClassPrompts,
    Descriptions,
    GloriaChexpert,
    Pairs,
    Queries,
)


@dataclass(frozen=True)
class Prompts:
    """The texts of one class; a text may stand twice.

    Attributes:
        positive: that say it is present; one or more.
        negative: that say it is absent; empty where the set has none.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()


def prompts_for(prompt_set: AnyPromptSet, classes: Sequence[str]) -> dict[str, Prompts]:
    """Return the texts of every class, in the order of `classes`.

    For `queries` a class has one text, the name of its observation; the sentence that is read stands at the same
    place of `benchx.prompts.queries.read_descriptions`.

    Args:
        classes: of a dataset. A template takes a class's name as it is `spoken`.

    Raises:
        UsageError: the set lacks a class.
    """
    found = {name: _prompts(prompt_set, name) for name in classes}
    lacking = [name for name, prompts in found.items() if prompts is None]
    if lacking:
        raise UsageError(
            f"the prompt set lacks {', '.join(lacking)}",
            f"its kind is '{prompt_set.kind}', and it has prompts for {_offered(prompt_set)}",
            "add the class to the prompts of the suite, or leave it out of the suite's classes",
        )
    return {name: prompts for name, prompts in found.items() if prompts is not None}


def _prompts(prompt_set: AnyPromptSet, name: str) -> Prompts | None:
    match prompt_set:
        case Pairs():
            pair = prompt_set.classes.get(name)
            if pair is not None:
                return Prompts(pair.positive, pair.negative)
            if prompt_set.templates is None:
                return None
            return Prompts(_filled(prompt_set.templates.positive, name), _filled(prompt_set.templates.negative, name))
        case ClassPrompts():
            texts = prompt_set.classes.get(name, _filled(prompt_set.templates, name))
            return Prompts(texts) if texts else None
        case ByModality():
            texts = prompt_set.classes.get(name, _filled(prompt_set.templates[prompt_set.modality], name))
            return Prompts(texts[: prompt_set.first])
        case GloriaChexpert():
            drawn = drawn_prompts(prompt_set.per_class, prompt_set.seed)
            return Prompts(drawn[name]) if name in drawn else None
        case Queries():
            query = query_of(name, prompt_set.names)
            return None if query is None else Prompts((query,))
        case Descriptions():
            return Prompts((prompt_set.classes[name],)) if name in prompt_set.classes else None


def spoken(name: str) -> str:
    """Return the name of a class as it stands in a text, with blanks for its underscores."""
    return name.replace("_", " ")


def _filled(templates: Sequence[str], name: str) -> tuple[str, ...]:
    return tuple(template.replace(PLACE, spoken(name)) for template in templates)


def _offered(prompt_set: AnyPromptSet) -> str:
    match prompt_set:
        case Queries():
            return f"{len(prompt_set.names)} classes by name and for those called as one of the 75 observations"
        case GloriaChexpert():
            return ", ".join(drawn_prompts(1, 0))
        case _:
            return ", ".join(prompt_set.classes)
