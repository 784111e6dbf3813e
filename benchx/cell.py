"""Execute one cell: data, encoder, task, predictions, scores, record. The spine, on one page."""

from __future__ import annotations

import platform
import shutil
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import benchx
from benchx.encoding import resolve_execution
from benchx.errors import NotApplicable
from benchx.features import extract, feature_folder
from benchx.images.spec import InputSpec
from benchx.planning import Cell, method_digest
from benchx.protocols import Finetune, Frozen, read_protocol
from benchx.results.environment import git_commit, package_versions, peak_memory_bytes, platform_name
from benchx.results.record import Provenance, Record, State
from benchx.tasks import classification
from benchx.tasks.finetuned import finetuned_fit
from benchx.tasks.frozen import frozen_fit
from benchx.tasks.predictions import Outcome
from benchx.training.precision import resolve_precision
from benchx.workspace import Workspace, input_spec


def cell_key(cell: Cell, workspace: Workspace) -> str:
    """Return the key of a cell's result; decodes the dataset's pixels if that has not been done."""
    weights = workspace.weights(cell.method)
    dataset = workspace.dataset(cell.reading)
    split = workspace.folds(cell.reading)
    return cell.key(card=weights.card.numerics(), weights=weights.digest, dataset=dataset.digest, split=split.digest)


def execute(cell: Cell, workspace: Workspace) -> Record:
    """Run a cell and write its result to the store.

    Returns:
        The record: done, or not applicable with its reason.

    Raises:
        BenchxError: what made the cell fail; the caller records it and goes on.
    """
    started = time.perf_counter()
    key = cell_key(cell, workspace)
    dataset = workspace.dataset(cell.reading)
    split = workspace.folds(cell.reading)
    try:
        problem = classification.pose(cell, dataset.samples, split.folds)
    except NotApplicable as why:
        record = make_record(cell, workspace, key, "not-applicable", started, reason=f"{why.what} ({why.why})")
        workspace.store.put(record)
        return record
    outcome = _adapt(problem, workspace, key)
    scores = classification.score(outcome.predictions)
    record = make_record(cell, workspace, key, "done", started, scores=scores, details=outcome.details)
    workspace.store.put(record, outcome.predictions)
    shutil.rmtree(workspace.store.work / key, ignore_errors=True)
    return record


def _adapt(problem: classification.Problem, workspace: Workspace, key: str) -> Outcome:
    """Apply the cell's protocol."""
    cell = problem.cell
    protocol = read_protocol(cell.settings["protocol"])
    stage = workspace.progress.stage
    if isinstance(protocol, Frozen):
        features = frozen_features(cell, protocol, workspace)
        fit = frozen_fit(features, protocol, workspace.device)
        return classification.run(problem, fit, stage(f"{cell.label}: heads"))
    spec = _input(cell, protocol, workspace)
    fit = finetuned_fit(
        lambda: workspace.load_encoder(cell.method, spec.size),
        workspace.dataset(cell.reading).pixels,
        spec,
        protocol,
        device=workspace.device,
        work=workspace.store.work / key,
        advance=lambda fold: stage(f"{cell.label}: fold {fold}, epochs"),
    )
    return classification.run(problem, fit, stage(f"{cell.label}: folds"))


def cell_feature_folder(cell: Cell, protocol: Frozen, workspace: Workspace) -> Path:
    """Return where the features that a frozen cell needs lie or will lie."""
    weights = workspace.weights(cell.method)
    return feature_folder(
        workspace.store.cache,
        card=weights.card.numerics(),
        weights=weights.digest,
        pixels=workspace.dataset(cell.reading).pixels.digest,
        spec=_input(cell, protocol, workspace),
        execution=resolve_execution(protocol, workspace.device),
    )


def frozen_features(cell: Cell, protocol: Frozen, workspace: Workspace) -> np.ndarray:
    """Return the method's features of the whole dataset, float32 [N, D], from the cache or extracted now."""
    spec = _input(cell, protocol, workspace)
    return extract(
        lambda: workspace.load_encoder(cell.method, spec.size),
        workspace.dataset(cell.reading).pixels,
        spec,
        cell_feature_folder(cell, protocol, workspace),
        execution=resolve_execution(protocol, workspace.device),
        advance=workspace.progress.stage(f"{cell.method} / {cell.dataset}: features"),
    )


def make_record(
    cell: Cell,
    workspace: Workspace,
    key: str,
    state: State,
    started: float,
    *,
    reason: str | None = None,
    scores: dict[str, Any] | None = None,
    details: dict[str, Any] | None = None,
) -> Record:
    """Put a cell's outcome and its provenance into a record, from what the workspace has found so far."""
    card, weights = workspace.card(cell.method), workspace.known_weights(cell.method)
    samples, dataset = workspace.known_samples(cell.reading), workspace.opened(cell.reading)
    split = workspace.known_split(cell.reading)
    provenance = Provenance(
        checkpoint=weights.path.name if weights and weights.path else None,
        weights=weights.digest if weights else None,
        images=dataset.digest if dataset else None,
        split=split.digest if split else None,
        method=method_digest(cell.task, card.numerics(), weights.digest) if weights else None,
        data=None if samples is None else "phantom" if samples.phantom else "real",
        unit=samples.unit if samples else None,
        unreadable=len(dataset.unreadable) if dataset else 0,
        shared_units=len(split.shared) if split else 0,
        **(_computing(cell, workspace) if state == "done" else {}),
        benchx=benchx.__version__,
        packages=package_versions(),
        commit=git_commit(),
        python=platform.python_version(),
        platform=platform_name(),
        device=_device_name(workspace.device),
        threads=torch.get_num_threads(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_seconds=round(time.perf_counter() - started, 3),
        peak_memory_bytes=peak_memory_bytes(),
    )
    return Record(
        key=key,
        state=state,
        cell=asdict(cell),
        cell_digest=cell.digest,
        reason=reason,
        scores=scores,
        details=details or {},
        card=card.model_dump(mode="json"),
        provenance=provenance,
    )


def _input(cell: Cell, protocol: Frozen | Finetune, workspace: Workspace) -> InputSpec:
    return input_spec(workspace.weights(cell.method).card, protocol.input, cell.settings["short_side"])


def _computing(cell: Cell, workspace: Workspace) -> dict[str, Any]:
    """Return what a record says of the encoder's input and of how it was run."""
    protocol = read_protocol(cell.settings["protocol"])
    return {
        "preprocessing": protocol.input.preprocessing,
        "input": _input(cell, protocol, workspace).model_dump(mode="json"),
        "precision": resolve_precision(workspace.device, protocol.precision),
        "compiled": isinstance(protocol, Frozen) and resolve_execution(protocol, workspace.device).compiled,
    }


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
