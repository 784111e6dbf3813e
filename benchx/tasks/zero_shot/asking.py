"""What a method is asked: the texts it reads, and which of them speak of each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchx.digests import digest_lines
from benchx.errors import NotApplicable, WeightsMissing
from benchx.prompts.queries import FILE, NAMES, kad_name, query_of, read_descriptions
from benchx.prompts.schema import AnyPromptSet, Descriptions, Queries
from benchx.prompts.texts import Prompts, prompts_for, spoken
from benchx.tasks.zero_shot.rules import SHARES, Rule


@dataclass(frozen=True)
class Asked:
    """Texts and the classes that they speak of.

    Attributes:
        texts: each once.
        positive: for each class, the places in `texts` that say it is present; one may stand twice.
        negative: those that say it is absent; empty where the prompt set has none.
        described: JSON-able, for the record.
        names: of each class, as they stand in its texts; empty where it is asked by fixed queries.
    """

    texts: tuple[str, ...]
    positive: tuple[tuple[int, ...], ...]
    negative: tuple[tuple[int, ...], ...]
    described: dict[str, Any]
    names: tuple[str, ...] = ()


def ask(rule: Rule, prompt_set: AnyPromptSet, classes: tuple[str, ...], weights: Path | None, method: str) -> Asked:
    """Turn a prompt set into what a method is asked by a rule.

    A method with queries of its own takes no prompts: it is asked these, whatever the prompt set, but for a set of
    descriptions, which it is asked instead, all of them together.

    Args:
        weights: the weights root, where the sentences of fixed queries lie in the method's folder.

    Raises:
        UsageError: the prompt set lacks a class.
        NotApplicable: the prompt set is of fixed queries and the method has none, or they have none for a class; or
            one class alone is to be weighed against others.
        WeightsMissing: the sentences of the fixed queries are not there.
    """
    if rule.asks != "prompts":
        if isinstance(prompt_set, Descriptions):
            return _described(prompt_set, classes)
        if rule.asks == "names":
            return _named(classes)
        return _fixed(
            prompt_set if isinstance(prompt_set, Queries) else Queries(kind="queries"), classes, weights, method
        )
    if isinstance(prompt_set, Queries):
        raise NotApplicable(
            f"'{method}' is not asked by fixed queries",
            f"the rule '{rule.title}' takes prompts, and the prompt set is of kind 'queries'",
            "use a prompt set of another kind, or MedKLIP, MeDSLIP or KAD with scoring: official",
        )
    prompts = prompts_for(prompt_set, classes)
    if rule == SHARES:
        if any(len(set(one.positive)) > 1 for one in prompts.values()):
            raise NotApplicable(
                f"'{method}' is asked one prompt for each class",
                f"by the rule '{rule.title}' the prompts of all classes vie with each other",
                "use a prompt set with one text of presence a class, or scoring: common",
            )
        # Texts of absence would take their share too.
        prompts = {name: Prompts(one.positive) for name, one in prompts.items()}
    asked = _prompted(prompts, prompt_set.kind)
    if rule.vies and len(classes) < 2 and not any(asked.negative):
        raise NotApplicable(
            f"'{method}' cannot be asked about {classes[0]} alone",
            f"without texts of absence the rule '{rule.title}' weighs classes against each other",
            "use prompts of kind 'pairs', two classes or more, or scoring: common",
        )
    return asked


def _prompted(prompts: dict[str, Prompts], kind: str) -> Asked:
    places: dict[str, int] = {}
    for one in prompts.values():
        for text in (*one.positive, *one.negative):
            places.setdefault(text, len(places))
    return Asked(
        tuple(places),
        tuple(tuple(places[text] for text in one.positive) for one in prompts.values()),
        tuple(tuple(places[text] for text in one.negative) for one in prompts.values()),
        {
            "kind": kind,
            "classes": {
                name: {"positive": list(one.positive), "negative": list(one.negative)} for name, one in prompts.items()
            },
        },
        tuple(map(spoken, prompts)),
    )


def _described(descriptions: Descriptions, classes: tuple[str, ...]) -> Asked:
    """Ask all descriptions, in their order: an answer depends on the whole set, so that must not follow the classes."""
    prompts_for(descriptions, classes)
    texts = tuple(dict.fromkeys(descriptions.classes.values()))
    positive = tuple((texts.index(descriptions.classes[name]),) for name in classes)
    return Asked(
        texts, positive, tuple(() for _ in classes), {"kind": "descriptions", "classes": dict(descriptions.classes)}
    )


def _named(classes: tuple[str, ...]) -> Asked:
    asked = {name: kad_name(name) for name in classes}
    texts = tuple(dict.fromkeys(asked.values()))
    return Asked(
        texts,
        tuple((texts.index(text),) for text in asked.values()),
        tuple(() for _ in classes),
        {"kind": "names", "classes": asked},
    )


def _fixed(queries: Queries, classes: tuple[str, ...], weights: Path | None, method: str) -> Asked:
    asked = {name: _query(queries, name, method) for name in classes}
    if weights is None:
        raise WeightsMissing(
            f"no '{FILE}' for '{method}'",
            "no weights root is set",
            f"put it into the folder {method} of BENCHX_WEIGHTS",
        )
    sentences = read_descriptions(weights / method / FILE)
    return Asked(
        sentences,
        tuple((NAMES.index(query),) for query in asked.values()),
        tuple(() for _ in asked),
        {"kind": "queries", "classes": asked, "sha256 of the sentences": digest_lines(list(sentences))},
    )


def _query(queries: Queries, name: str, method: str) -> str:
    query = query_of(name, queries.names)
    if query is None:
        raise NotApplicable(
            f"'{method}' cannot be asked about {name}",
            "none of its 75 observations is called so",
            "leave the class out, or name its observation in a prompt set of kind 'queries'",
        )
    return query
