"""The features that a cell needs of its method: where they are kept, and how they come there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchx.encoding import Part, resolve_execution
from benchx.features import Features, extract, feature_folder
from benchx.planning import Cell
from benchx.protocols import Extraction
from benchx.workspace import Workspace, cell_input

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder


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


def cell_embeddings(
    cell: Cell, protocol: Extraction, workspace: Workspace, load_encoder: Callable[[], Encoder]
) -> np.ndarray:
    """Return the embeddings [N, P] of the whole dataset in the space shared with text.

    Args:
        load_encoder: gives the method that the caller has loaded with its text side, or will.
    """
    return extract(
        load_encoder,
        workspace.dataset(cell.reading).pixels,
        cell_input(cell, protocol.input, workspace),
        cell_feature_folder(cell, protocol, workspace, "embedding"),
        execution=resolve_execution(protocol, workspace.device),
        advance=workspace.progress.stage(f"{cell.method} / {cell.dataset}: embeddings"),
        part="embedding",
    ).matrix
