"""How a cell ranks: by embeddings, the first of these anew by a similarity of the method's own, or by reading pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchx.digests import digest_json
from benchx.embeddings import text_embeddings, text_folder
from benchx.encoding import resolve_execution
from benchx.errors import BenchxError, NotApplicable, UsageError
from benchx.extraction import cell_embeddings
from benchx.methods.cards.schema import Card
from benchx.methods.encoders.base import Encoder
from benchx.methods.scorers import SETWISE
from benchx.metrics.retrieval.similarity import CELLS, Chunks, similarity_chunks
from benchx.pair_reading import SIMILARITIES, Pairs, compared, matched, open_pairs, read_pairs
from benchx.planning import Cell
from benchx.protocols import Joint, Retrieve
from benchx.tasks.retrieval.finding import Found, find
from benchx.tasks.retrieval.joint import first_ranker, joint_reading, told, whole_matrix
from benchx.tasks.retrieval.own import reordered
from benchx.tasks.retrieval.pool import Pool
from benchx.workspace import Workspace, cell_input

Labels = tuple[np.ndarray, np.ndarray]
"""Of images [I, C] and of reports [R, C]."""


def rank(
    cell: Cell, protocol: Retrieve, workspace: Workspace, pool: Pool, labels: Labels | None, work: Path
) -> tuple[dict[str, Found], dict[str, Any]]:
    """Rank the pool's images and reports, each among all of the other.

    Args:
        work: folder of what a killed cell continues from.

    Returns:
        What was found, by way (`i2t`, `t2i`); and `reranked`, and where the protocol has it `joint`, for the record.

    Raises:
        NotApplicable: the method does not embed images and texts in one space, or does not read pairs as the protocol
            asks.
        UsageError: `joint.dual_encoder` is no method that does, or there are too many pairs to read them all.
        WeightsMissing: a text tower's weights or its tokenizer's files are not there.
    """
    card = workspace.weights(cell.method).card
    joint = joint_reading(card, protocol)
    loaded = cache(partial(_load, cell, protocol, workspace))
    pairs_read = 0
    why: str | None

    def similarities(pairs: Pairs) -> np.ndarray:
        nonlocal pairs_read
        pairs_read = len(pairs)
        return _similarities(cell, protocol, workspace, pairs, loaded(), work, jointly=joint is not None)

    if joint is not None and joint.mode == "full":
        first, why = 0, "every image is read with every text"
        found = _find(pool, *whole_matrix(pool, similarities, _place(workspace)), labels, protocol, first)
    else:
        if joint is None:
            first, why, by = protocol.rerank, _why_not_reranked(card, protocol), cell
        else:
            first, why, by = joint.first, None, replace(cell, method=first_ranker(cell, joint, workspace))
        load = loaded if by.method == cell.method else cache(partial(_load, by, protocol, workspace))
        embedded = embed(by, protocol, workspace, pool, partial(_projecting, load, by, card, joint))
        found = _find(pool, *_cosines(*embedded, _place(workspace)), labels, protocol, first)
        if why is None:
            found = reordered(pool, found, first, similarities)
    said: dict[str, Any] = {"reranked": {"first": 0, "why": why} if why else {"first": first}}
    if joint is not None:
        said["joint"] = told(cell, joint, pairs_read)
    return found, said


def embed(
    cell: Cell, protocol: Retrieve, workspace: Workspace, pool: Pool, encoder: Callable[[], Encoder]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of the pool's images [I, P] and reports [R, P] by the cell's method."""
    batch = protocol.feature_batch
    texts = text_embeddings(pool.texts, encoder, text_folder(cell, pool.texts, batch, workspace), batch)
    images = cell_embeddings(cell, protocol, workspace, encoder)[pool.images]
    if images.shape[1] != texts.shape[1]:
        raise NotApplicable(
            f"'{cell.method}' does not embed whole images among texts",
            f"its images have {images.shape[1]} numbers and its texts {texts.shape[1]}",
            "use another method",
        )
    return images, texts


def _find(
    pool: Pool,
    images: Callable[[], Chunks],
    reports: Callable[[], Chunks],
    labels: Labels | None,
    protocol: Retrieve,
    top: int,
) -> dict[str, Found]:
    either = partial(find, exclude_own=protocol.exclude_own, top=top)
    turned = None if labels is None else (labels[1], labels[0])
    return {
        "i2t": either(images, len(pool.texts), pool.to_reports, labels),
        "t2i": either(reports, len(pool.images), pool.to_images, turned),
    }


def _cosines(images: np.ndarray, reports: np.ndarray, device: str) -> tuple[Callable[[], Chunks], Callable[[], Chunks]]:
    return (
        lambda: similarity_chunks(images, reports, CELLS, device),
        lambda: similarity_chunks(reports, images, CELLS, device),
    )


def _place(workspace: Workspace) -> str:
    return workspace.device if workspace.device.startswith("cuda") else "cpu"


def _similarities(
    cell: Cell,
    protocol: Retrieve,
    workspace: Workspace,
    pairs: Pairs,
    encoder: Encoder,
    work: Path,
    *,
    jointly: bool,
) -> np.ndarray:
    """Return how well pairs belong together, float32 [M]: by their joint reading, or the method's own similarity."""
    execution = replace(resolve_execution(protocol, workspace.device), compiled=False)
    keys = None if pairs.keys is None else hashlib.sha256(pairs.keys.tobytes()).hexdigest()
    folder = work / digest_json({"keys": keys, "jointly": jointly, **execution.numerics()})
    read_pairs(
        encoder,
        workspace.dataset(cell.reading).pixels,
        pairs,
        cell_input(cell, protocol.input, workspace),
        execution,
        matched(encoder, execution) if jointly else compared(encoder),
        folder,
        workspace.progress.stage(f"{cell.label}: {'pairs' if jointly else 'own similarities'}"),
        at_a_time=execution.batch if jointly else SIMILARITIES,
    )
    return open_pairs(folder)


def _why_not_reranked(card: Card, protocol: Retrieve) -> str | None:
    if protocol.rerank == 0:
        return "the protocol asks for none"
    if card.scorer is None:
        return "the method has no similarity of its own"
    if card.scorer.name in ("cosine", "conceptclip"):
        return "the method's own similarity is the cosine of the embeddings"
    if card.scorer.name in SETWISE:
        return "by the method's own similarity a text's score depends on the others that it is asked with"
    return None


def _load(cell: Cell, protocol: Retrieve, workspace: Workspace) -> Encoder:
    return workspace.load_encoder(cell.method, cell_input(cell, protocol.input, workspace).size, text=True)


def _projecting(load: Callable[[], Encoder], by: Cell, card: Card, joint: Joint | None) -> Encoder:
    """Return a loaded method that embeds whole images among texts.

    Args:
        by: the cell with the method whose embeddings rank.
        card: of the cell's own method.
    """
    encoder = load()
    if not encoder.projects:
        raise _no_shared_space(by, card, joint)
    return encoder


def _no_shared_space(by: Cell, card: Card, joint: Joint | None) -> BenchxError:
    what = f"'{by.method}' does not embed whole images among texts"
    if by.method != card.name:
        return UsageError(
            what, "joint.dual_encoder is to rank by such embeddings first", "name another method, such as biomedclip"
        )
    if joint is not None:
        return NotApplicable(
            what,
            "re-ranking begins with such embeddings",
            "set joint.dual_encoder to a method that has them, or joint.mode: full",
        )
    if card.fusion is not None:
        return NotApplicable(
            what,
            "it reads an image and a text together",
            "set joint in the protocol: {mode: full}, or {mode: rerank, dual_encoder: METHOD}",
        )
    return NotApplicable(what, "retrieval over a whole test set compares these embeddings", "use another method")
