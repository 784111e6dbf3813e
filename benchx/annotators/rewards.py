"""F1-RadGraph of two annotations: which entities and relations a report shares with its reference.

The three levels are those of Delbrouck et al. 2022 (Improving the Factual Correctness of Radiology Report Generation
with Semantic Rewards) as the package radgraph 0.1.18 counts them (`radgraph.rewards.compute_reward`), to the last bit
and with what is odd in it: an entity's words are compared as written, capitals included, except in `complete` for an
entity that has relations, where they are lower-cased on both ends.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

Annotation = dict[str, Any]
"""`{"entities": {id: {"tokens": words, "label": class, "relations": [[class, id of the other entity], ...]}}}`."""

LEVELS = ("simple", "partial", "complete")

NOTHING: Annotation = {"entities": {}}
"""The annotation of an empty report."""


def radgraph_f1(hypothesis: Annotation, reference: Annotation) -> tuple[float, float, float]:
    """Score one report against one reference.

    Returns:
        The F1, in [0, 1], of the sets of distinct facts at the levels of `LEVELS`: entities with their class; the same,
        with whether they have a relation; the same, with every relation and the entity at its other end. All are 0
        where either report has no entity.
    """
    if not hypothesis["entities"] or not reference["entities"]:
        return 0.0, 0.0, 0.0
    simple, partial, complete = map(_f1, _facts(hypothesis), _facts(reference))
    return simple, partial, complete


def _facts(annotation: Annotation) -> tuple[set[Hashable], set[Hashable], set[Hashable]]:
    entities = annotation["entities"]
    simple: set[Hashable] = set()
    partial: set[Hashable] = set()
    complete: set[Hashable] = set()
    for entity in entities.values():
        words, label, relations = entity["tokens"], entity["label"], entity["relations"]
        simple.add((words, label))
        partial.add((words, label, bool(relations)))
        if not relations:
            complete.add((words, label))
        for relation, other in relations:
            complete.add((words.lower(), label, relation, entities[other]["tokens"].lower()))
    return simple, partial, complete


def _f1(found: set[Hashable], wanted: set[Hashable]) -> float:
    shared = len(found & wanted)
    if not shared:
        return 0.0
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def checked_annotation(value: Any) -> Annotation:
    """Return what scoring needs of an annotation; the report's text, if it is there, is left out.

    Raises:
        ValueError: it is not of the form of `Annotation`, or a relation leads to an entity that is not there.
    """
    entities = value.get("entities") if isinstance(value, dict) else None
    if not isinstance(entities, dict):
        raise ValueError("an annotation is a mapping with 'entities'")
    return {"entities": {name: _checked_entity(entity, entities) for name, entity in entities.items()}}


def _checked_entity(entity: Any, entities: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(entity, dict) or not {"tokens", "label", "relations"} <= entity.keys():
        raise ValueError("an entity has 'tokens', 'label' and 'relations'")
    words, label, relations = entity["tokens"], entity["label"], entity["relations"]
    if not (isinstance(words, str) and isinstance(label, str) and isinstance(relations, list)):
        raise ValueError("an entity's tokens and label are texts, its relations a list")
    for relation in relations:
        if not (isinstance(relation, list) and len(relation) == 2 and all(isinstance(part, str) for part in relation)):
            raise ValueError("a relation is a pair of texts: its class and an entity's id")
        if relation[1] not in entities:
            raise ValueError("a relation leads to an entity that is not there")
    return {"tokens": words, "label": label, "relations": relations}
