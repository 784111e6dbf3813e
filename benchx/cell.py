"""Execute one cell: data, encoder, task, predictions, scores, record. The spine, on one page."""

from __future__ import annotations

import platform
import shutil
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import torch

import benchx
from benchx.digests import digest_json, digest_lines
from benchx.encoding import resolve_execution
from benchx.errors import NotApplicable
from benchx.methods.cards.schema import Card
from benchx.planning import Cell, method_digest
from benchx.protocols import Extraction, other_methods, read_protocol
from benchx.results.environment import git_commit, package_versions, peak_memory_bytes, platform_name
from benchx.results.record import Provenance, Record, State
from benchx.tasks.kinds import READS_BOTH
from benchx.tasks.predictions import Outcome
from benchx.training.precision import resolve_precision
from benchx.workspace import OpenDataset, Workspace, cell_input


def cell_key(cell: Cell, workspace: Workspace) -> str:
    """Return the key of a cell's result; decodes the dataset's pixels if that has not been done."""
    return cell.key(
        card=workspace.weights(cell.method).card.numerics(),
        weights=_weights(cell, workspace),
        dataset=_dataset(cell, workspace.dataset(cell.reading)),
        split=workspace.folds(cell.reading).digest,
    )


def execute(cell: Cell, workspace: Workspace) -> Record:
    """Run a cell and write its result to the store.

    Returns:
        The record: done, or not applicable with its reason.

    Raises:
        BenchxError: what made the cell fail; the caller records it and goes on.
    """
    started = time.perf_counter()
    key = cell_key(cell, workspace)
    work = workspace.store.work / key
    run = import_module(f"benchx.tasks.{cell.task}.run").run
    try:
        _refuse_without_images(cell, workspace.card(cell.method))
        outcome: Outcome = run(cell, workspace, work)
    except NotApplicable as why:
        record = make_record(cell, workspace, key, "not-applicable", started, reason=f"{why.what} ({why.why})")
        workspace.store.put(record)
        return record
    record = make_record(cell, workspace, key, "done", started, scores=outcome.scores, details=outcome.details)
    workspace.store.put(record, outcome.predictions, private=outcome.private, trials=outcome.trials)
    shutil.rmtree(work, ignore_errors=True)
    return record


def _refuse_without_images(cell: Cell, card: Card) -> None:
    if card.encoder is None and cell.settings["protocol"]["kind"] not in READS_BOTH:
        raise NotApplicable(f"'{card.name}' encodes no images", "it is a text tower alone", "use another method")


def _dataset(cell: Cell, dataset: OpenDataset) -> str:
    """The digest of what a cell reads of its dataset."""
    _, outlines, texts = cell.content
    return dataset.digest_with(outlines=outlines, texts=texts)


def _weights(cell: Cell, workspace: Workspace) -> str:
    """The digest of the weights that a cell reads, of its method and of others that its protocol names."""
    parts = [workspace.weights_digest(cell.method, text=cell.reads_text)]
    for name in _other_methods(cell, workspace):
        parts += [workspace.weights_digest(name, text=True), digest_json(workspace.card(name).numerics())]
    return digest_lines(parts) if len(parts) > 1 else parts[0]


def _other_methods(cell: Cell, workspace: Workspace) -> tuple[str, ...]:
    card = workspace.card(cell.method)
    protocol = read_protocol(cell.settings["protocol"])
    return other_methods(protocol, sees=card.encoder is not None, fuses=card.fusion is not None)


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
        images=_dataset(cell, dataset) if dataset else None,
        split=split.digest if split else None,
        method=method_digest(cell.task, card.numerics(), _weights(cell, workspace)) if weights else None,
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
        details=(details or {}) | _others(cell, workspace, state),
        card=card.model_dump(mode="json"),
        provenance=provenance,
    )


def _others(cell: Cell, workspace: Workspace, state: State) -> dict[str, Any]:
    """Return what a record says of methods that the protocol uses beside the cell's own: weights and exposure."""
    names = _other_methods(cell, workspace) if state == "done" else ()
    told = {
        name: {
            "weights": workspace.weights(name).digest,
            "exposure": [seen.model_dump(mode="json") for seen in workspace.card(name).exposure],
        }
        for name in names
    }
    return {"other_methods": told} if told else {}


def _computing(cell: Cell, workspace: Workspace) -> dict[str, Any]:
    """Return what a record says of the encoder's input and of how it was run."""
    protocol = read_protocol(cell.settings["protocol"])
    images = workspace.card(cell.method).input is not None
    return {
        "preprocessing": protocol.input.preprocessing if images else None,
        "input": cell_input(cell, protocol.input, workspace).model_dump(mode="json") if images else None,
        "precision": resolve_precision(workspace.device, protocol.precision),
        "compiled": isinstance(protocol, Extraction) and resolve_execution(protocol, workspace.device).compiled,
    }


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
