"""What `benchx list` shows: suites, methods and datasets, and which method saw which dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchx.datasets import DATASETS
from benchx.planning import plan
from benchx.suites import read_suite, suite_names

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
    """Return the methods with encoder, input, licence and the datasets their pretraining saw."""
    from benchx.methods.card import card_names, read_card

    rows = []
    for card in map(read_card, card_names()):
        rows.append(
            {
                "method": card.name,
                "title": card.title,
                "encoder": card.encoder.name if card.encoder else None,
                "input": f"{card.input.size} px, {card.input.resize}" if card.input else None,
                "licence": card.licence,
                "saw": sorted({seen.dataset for seen in card.exposure}),
            }
        )
    return rows


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
    from benchx.methods.card import card_names, read_card

    rows = []
    for card in map(read_card, card_names()):
        seen: dict[str, list[str]] = {}
        for one in card.exposure:
            seen.setdefault(one.dataset, []).append(one.what)
        row: dict[str, Any] = {"method": card.name}
        for name in DATASETS:
            shared = sorted(sharing_images(name) & set(seen))
            row[name] = ", ".join(seen.get(name) or [f"via {other}" for other in shared]) or None
        row["elsewhere"] = sorted(set(seen) - set(DATASETS))
        rows.append(row)
    return rows


def sharing_images(name: str) -> set[str]:
    """Return the datasets that share images with one, by a declared overlap of either or by family."""
    dataset = DATASETS[name]
    named = {overlap.dataset for overlap in dataset.overlaps}
    naming = {one.name for one in DATASETS.values() if name in {overlap.dataset for overlap in one.overlaps}}
    family = {one.name for one in DATASETS.values() if one.family == dataset.family}
    return (named | naming | family) - {name}


LISTINGS: dict[str, Callable[[], Rows]] = {
    "suites": suites,
    "methods": methods,
    "datasets": datasets,
    "exposure": exposure,
}
