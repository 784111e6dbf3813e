"""What `benchx list` shows: suites, methods and datasets, one row each."""

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
                "encoder": card.encoder.name,
                "input": f"{card.input.size} px, {card.input.resize}",
                "licence": card.licence,
                "saw": sorted({seen.dataset for seen in card.exposure}),
            }
        )
    return rows


def datasets() -> Rows:
    """Return the datasets with tasks, size, licence and source."""
    return [
        {
            "dataset": one.name,
            "title": one.title,
            "tasks": list(one.tasks),
            "size": one.size,
            "licence": one.licence,
            "source": one.source,
        }
        for one in DATASETS.values()
    ]


LISTINGS: dict[str, Callable[[], Rows]] = {"suites": suites, "methods": methods, "datasets": datasets}
