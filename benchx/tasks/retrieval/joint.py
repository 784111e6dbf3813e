"""Retrieval by methods that read image and text together: which pairs they read, and every image with every text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchx.errors import NotApplicable, UsageError
from benchx.methods.cards.schema import Card
from benchx.methods.fusion import fusion_without_weights
from benchx.metrics.retrieval.similarity import CELLS, Chunks
from benchx.pair_reading import Pairs, distinct
from benchx.planning import Cell
from benchx.protocols import Joint, Retrieve
from benchx.tasks.retrieval.pool import Pool
from benchx.workspace import Workspace

PAIRS = 2 * 10**8
"""Images times texts that are read in full, at most: 800 MB of scores."""


def joint_reading(card: Card, protocol: Retrieve) -> Joint | None:
    """Return how a method's reading of pairs takes part; None where the protocol asks for embeddings alone.

    Raises:
        NotApplicable: the protocol asks for it, and the method does not tell whether image and text belong together.
    """
    if protocol.joint is None:
        return None
    if card.fusion is None:
        raise NotApplicable(
            f"'{card.name}' does not read images and texts together",
            "the protocol ranks by such a reading (joint)",
            "use a protocol without joint for embeddings",
        )
    if not fusion_without_weights(card).matches:
        raise NotApplicable(
            f"'{card.name}' does not tell whether an image and a text belong together",
            "its fusion has no matching head, and the protocol ranks by one (joint)",
            "use another method, or a protocol without joint for embeddings",
        )
    return protocol.joint


def first_ranker(cell: Cell, joint: Joint, workspace: Workspace) -> str:
    """Return the method whose embeddings choose the pairs to read.

    Raises:
        UsageError: it is no method, or reads no text or encodes no images.
    """
    name = joint.dual_encoder or cell.method
    card = workspace.card(name)
    if card.text is None or card.encoder is None:
        lacking = "reads no text" if card.text is None else "encodes no images"
        raise UsageError(
            f"joint.dual_encoder '{name}' {lacking}",
            "it is to rank images and texts by their embeddings first",
            "name a method with both, such as biomedclip",
        )
    return name


def whole_matrix(
    pool: Pool, similarities: Callable[[Pairs], np.ndarray], device: str
) -> tuple[Callable[[], Chunks], Callable[[], Chunks]]:
    """Read every image with every text.

    Args:
        similarities: of M pairs, float [M].
        device: on which chunks of the similarities are given.

    Returns:
        What gives the similarities of images with reports, and of reports with images.

    Raises:
        UsageError: there are more than `PAIRS`.
    """
    texts, place = distinct(pool.texts)
    pairs = Pairs(pool.images, texts, None)
    if len(pairs) > PAIRS:
        raise UsageError(
            f"{len(pool.images)} images and {len(texts)} texts are {len(pairs):,} pairs",
            f"joint.mode full reads every one of them, up to {PAIRS:,}",
            "use joint.mode rerank, or candidates: 5x200",
        )
    matrix = similarities(pairs).reshape(len(pool.images), len(texts))
    from_texts = matrix.T

    def images() -> Chunks:
        return _chunks(len(pool.images), len(place), lambda rows: matrix[rows][:, place], device)

    def reports() -> Chunks:
        return _chunks(len(place), len(pool.images), lambda rows: from_texts[place[rows]], device)

    return images, reports


def told(cell: Cell, joint: Joint, pairs: int) -> dict[str, Any]:
    """Return what a record says of the reading of pairs."""
    if joint.mode == "full":
        return {"mode": "full", "pairs": pairs}
    return {"mode": "rerank", "first": joint.first, "dual_encoder": joint.dual_encoder or cell.method, "pairs": pairs}


def _chunks(queries: int, gallery: int, of: Callable[[slice], np.ndarray], device: str) -> Chunks:
    step = max(1, CELLS // gallery)
    for first in range(0, queries, step):
        stop = min(first + step, queries)
        # Adding 0 copies, and makes 0 of -0, which would sort below it.
        yield first, stop, torch.from_numpy(of(slice(first, stop)) + np.float32(0)).to(device)
