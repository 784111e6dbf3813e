"""`benchx run --dry-run`: the state of every cell, what is cached, what is missing, and what the rest would cost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil, prod
from typing import Any

import numpy as np

from benchx.datasets.samples import Samples
from benchx.encoding import Part
from benchx.errors import BenchxError, DataMissing, WeightsMissing
from benchx.estimate_pairs import already_read, count, fuses, pair_cost
from benchx.pairs import extraction_of
from benchx.planning import Cell
from benchx.protocols import Answer, Extraction, Paired, Retrieve, Training, ZeroShot, read_protocol
from benchx.workspace import Workspace, input_spec

DECODE_PROBES = 8
FORWARD_PROBES = 4
BACKWARD_COST = 3.0
"""A training step costs about three forward passes."""


@dataclass(frozen=True)
class Forecast:
    """One cell before it is run.

    Attributes:
        state: `done`, `not-applicable`, `failed`, `to run`, `data-missing`, `weights-missing` or `broken`.
        key: of the result; None while it is not known, since the pixels have not been decoded.
        cached: which inputs are there already.
        missing: what is not, in one line.
    """

    cell: Cell
    state: str
    key: str | None
    cached: tuple[str, ...]
    missing: str | None


@dataclass(frozen=True)
class _Probes:
    """What is timed once per method and input size: seconds per image, and per pair, and the width of the features."""

    forward: Callable[[str, int], tuple[float, int]]
    pair: Callable[[str, int], tuple[float, int]]


@dataclass(frozen=True)
class Plan:
    """The forecast of a run: seconds and bytes are estimates from a few images timed now."""

    cells: tuple[Forecast, ...]
    seconds: dict[str, float]
    disk_bytes: dict[str, int]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per cell."""
        return [
            {
                "method": one.cell.method,
                "dataset": one.cell.dataset,
                "task": one.cell.task,
                "protocol": one.cell.protocol,
                "fraction": one.cell.fraction,
                "seed": "-" if one.cell.seed is None else str(one.cell.seed),
                "key": one.key[:12] if one.key else "after pixels",
                "state": one.state,
                "cached": list(one.cached),
                "missing": one.missing,
            }
            for one in self.cells
        ]

    def lines(self) -> list[str]:
        """Return the estimate in words."""
        total, space = sum(self.seconds.values()), sum(self.disk_bytes.values())
        parts = [f"  {name}: {_duration(value)}" for name, value in self.seconds.items()]
        parts += [f"  {name}: {value / 1e6:.0f} MB" for name, value in self.disk_bytes.items()]
        return [
            f"about {_duration(total)} and {space / 1e6:.0f} MB of disk (logistic heads not counted)",
            *parts,
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the forecast as JSON-able values, keys whole."""
        cells = [row | {"key": one.key} for row, one in zip(self.rows(), self.cells, strict=True)]
        return {"cells": cells, "seconds": self.seconds, "disk_bytes": self.disk_bytes}


def forecast(cells: Sequence[Cell], workspace: Workspace, *, retry_failed: bool) -> Plan:
    """Look at every cell without running or decoding anything but a few probe images."""
    forecasts = [_look_safely(cell, workspace, retry_failed) for cell in cells]
    seconds: dict[str, float] = {}
    space: dict[str, int] = {}
    probes = _Probes(cache(partial(_forward_cost, workspace)), cache(partial(pair_cost, workspace)))
    for number, one in enumerate(forecasts):
        if one.state == "to run":
            try:
                _add_cost(one, workspace, probes, seconds, space)
            except BenchxError as error:
                forecasts[number] = replace(one, state="broken", missing=error.what)
    return Plan(tuple(forecasts), seconds, space)


def _look_safely(cell: Cell, workspace: Workspace, retry_failed: bool) -> Forecast:
    try:
        return _look(cell, workspace, retry_failed)
    except DataMissing as error:
        return Forecast(cell, "data-missing", None, (), error.what)
    except WeightsMissing as error:
        return Forecast(cell, "weights-missing", None, (), error.what)
    except BenchxError as error:
        return Forecast(cell, "broken", None, (), error.what)


def _look(cell: Cell, workspace: Workspace, retry_failed: bool) -> Forecast:
    workspace.samples(cell.reading)
    workspace.weights(cell.method)
    if workspace.open_cached(cell.reading) is None:
        return Forecast(cell, "to run", None, (), None)
    from benchx.cell import cell_key

    key = cell_key(cell, workspace)
    cached = ("pixels", "features") if _features_cached(cell, workspace) else ("pixels",)
    stored, failure = workspace.store.get(key), workspace.store.failure(cell.digest)
    if stored is not None:
        return Forecast(cell, stored.state, key, cached, None)
    if failure is not None and failure.key == key and not retry_failed:
        return Forecast(cell, "failed", key, cached, failure.reason)
    return Forecast(cell, "to run", key, cached, None)


def _features_cached(cell: Cell, workspace: Workspace) -> bool:
    protocol, card = read_protocol(cell.settings["protocol"]), workspace.weights(cell.method).card
    if card.encoder is None:
        return False
    from benchx.extraction import cell_feature_folder
    from benchx.features import is_complete

    if isinstance(protocol, Answer):
        if protocol.encoder == "trained":
            return False
        if fuses(cell, protocol, workspace):
            return already_read(cell, protocol, workspace)
        return is_complete(cell_feature_folder(cell, extraction_of(protocol), workspace))
    if not isinstance(protocol, Extraction):
        return False
    if fuses(cell, protocol, workspace):
        return isinstance(protocol, Paired) and already_read(cell, protocol, workspace)
    part: Part = "embedding" if isinstance(protocol, Retrieve | ZeroShot) else "pooled"
    return is_complete(cell_feature_folder(cell, protocol, workspace, part))


def _add_cost(
    one: Forecast,
    workspace: Workspace,
    probes: _Probes,
    seconds: dict[str, float],
    space: dict[str, int],
) -> None:
    cell = one.cell
    samples = workspace.samples(cell.reading)
    images = len(samples.table)
    pixels = f"{cell.dataset}: pixels"
    if "pixels" not in one.cached and pixels not in seconds:
        seconds[pixels], space[pixels] = _decode_cost(samples, cell.settings["short_side"])
    recipe, card = read_protocol(cell.settings["protocol"]), workspace.weights(cell.method).card
    if card.encoder is None or "features" in one.cached:
        return
    size = input_spec(card, recipe.input, cell.settings["short_side"]).size
    per_image, width = probes.forward(cell.method, size)
    reads = fuses(cell, recipe, workspace)
    if isinstance(recipe, Extraction) or (isinstance(recipe, Answer) and recipe.encoder == "frozen"):
        title = f"{cell.method} / {cell.dataset}: features"
        if reads:
            assert isinstance(recipe, Paired | Answer | Retrieve)
            title = f"{cell.method} / {cell.dataset}: pairs of {cell.protocol}, at most"
            per_pair, width = probes.pair(cell.method, size)
            seen, pairs = count(cell, recipe, workspace)
            # Retrieval keeps one number of a pair, others its features.
            wide = 1 if isinstance(recipe, Retrieve) else width
            seconds[title], space[title] = seen * per_image + pairs * per_pair, 4 * pairs * wide
        elif title not in seconds:
            seconds[title], space[title] = images * per_image, 4 * images * width
        return
    if isinstance(recipe, Answer):
        cases = 0 if samples.questions is None else len(samples.questions)
        per_case = per_image + (probes.pair(cell.method, size)[0] if reads else 0.0)
    else:
        cases, per_case = images, per_image
    title = f"{cell.method} / {cell.dataset}: {cell.protocol}, at most"
    seen_in_all = cases * cell.fraction
    if recipe.steps_per_epoch is not None:
        seen_in_all = float(recipe.steps_per_epoch * recipe.batch_size)
    pass_cost = 1.0 if getattr(recipe, "encoder", "trained") == "frozen" else BACKWARD_COST
    cost = per_case * pass_cost * recipe.epochs * seen_in_all * _trainings(recipe)
    seconds[title] = seconds.get(title, 0.0) + cost * (5 if cell.split == "cv5" else 1)


def _trainings(recipe: Training) -> float:
    """Return how many whole trainings a search comes to."""
    if recipe.search is None:
        return 1.0
    going = float(prod(len(values) for values in recipe.search.space.values()))
    total, before = 0.0, 0.0
    for share in (*recipe.search.halving, 1.0):
        total += going * (share - before)
        going, before = ceil(going / 2), share
    return total


def _decode_cost(samples: Samples, short_side: int) -> tuple[float, int]:
    """Return seconds on all cores and bytes for a dataset, from a few images spread over it."""
    from benchx.images.decode import UnreadableImage, read

    rows = np.linspace(0, len(samples.table) - 1, DECODE_PROBES).astype(int)
    areas, started = [], time.perf_counter()
    for row in rows:
        try:
            height, width = read(samples.root / samples.table["image"].iloc[row]).shape
        except UnreadableImage:
            continue
        scale = min(1.0, short_side / min(height, width))
        areas.append(height * width * scale**2)
    spent = (time.perf_counter() - started) / len(rows)
    total = len(samples.table)
    return spent * total / (os.cpu_count() or 1), int(np.mean(areas or [0]) * total)


def _forward_cost(workspace: Workspace, method: str, size: int) -> tuple[float, int]:
    """Return seconds per image and the feature width of a method's encoder, in fp32."""
    import torch

    from benchx.encoding import Execution, make_encode

    encoder = workspace.load_encoder(method, size)
    encode = make_encode(encoder, Execution(workspace.device, "fp32", compiled=False, batch=FORWARD_PROBES))
    images = torch.zeros(FORWARD_PROBES, encoder.channels, size, size)
    encode(images[:1])
    started = time.perf_counter()
    encode(images)
    return (time.perf_counter() - started) / FORWARD_PROBES, encoder.dim


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
