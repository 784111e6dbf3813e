"""The features that a cell needs of its method: where they are kept, and how they come there."""

from __future__ import annotations

from pathlib import Path

from benchx.encoding import Part, resolve_execution
from benchx.features import Features, extract, feature_folder
from benchx.planning import Cell
from benchx.protocols import Extraction
from benchx.workspace import Workspace, cell_input


def cell_feature_folder(cell: Cell, protocol: Extraction, workspace: Workspace, part: Part = "pooled") -> Path:
    """Return where the features that a cell needs lie or will lie."""
    weights = workspace.weights(cell.method)
    return feature_folder(
        workspace.store.cache,
        card=weights.card.numerics(),
        weights=weights.digest,
        pixels=workspace.dataset(cell.reading).pixels.digest,
        spec=cell_input(cell, protocol.input, workspace),
        execution=resolve_execution(protocol, workspace.device),
        part=part,
    )


def cell_features(cell: Cell, protocol: Extraction, workspace: Workspace, part: Part = "pooled") -> Features:
    """Return a part of the method's features of the whole dataset, from the cache or extracted now."""
    spec = cell_input(cell, protocol.input, workspace)
    return extract(
        lambda: workspace.load_encoder(cell.method, spec.size),
        workspace.dataset(cell.reading).pixels,
        spec,
        cell_feature_folder(cell, protocol, workspace, part),
        execution=resolve_execution(protocol, workspace.device),
        advance=workspace.progress.stage(f"{cell.method} / {cell.dataset}: features"),
        part=part,
    )
