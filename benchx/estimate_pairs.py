"""What a dry run says of pairs of images and texts: how many there are, what one takes, whether they have been read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.pair_reading import is_read
from benchx.pairs import fused_folder
from benchx.planning import Cell
from benchx.protocols import Answer, Paired, Retrieve
from benchx.tasks.classification.paired import used_rows, with_text
from benchx.tasks.retrieval.pool import candidate_rows, gather
from benchx.tasks.vqa.cases import read_cases
from benchx.workspace import Workspace

Reads = Paired | Answer | Retrieve
"""Protocols under which methods may read pairs."""

_PROBES = 4
_TEXT = "Is there a small effusion at the base of the left lung, and is the heart enlarged?"


def fuses(cell: Cell, protocol: object, workspace: Workspace) -> bool:
    """Whether a cell's method reads pairs with its fusion under a protocol."""
    if workspace.card(cell.method).fusion is None:
        return False
    return isinstance(protocol, Paired | Answer) or (isinstance(protocol, Retrieve) and protocol.joint is not None)


def listed(cell: Cell, protocol: Paired | Answer, workspace: Workspace) -> tuple[np.ndarray, Sequence[str]]:
    """Return the pairs that a cell reads: row numbers of images and texts, M each; none where it is not applicable."""
    samples, folds = _known(cell, workspace)
    try:
        if isinstance(protocol, Answer):
            cases = read_cases(samples)
            return cases.images, cases.texts
        texts, kept = with_text(samples, folds or (), protocol.text)
    except NotApplicable:
        return np.zeros(0, np.int64), ()
    rows = used_rows(kept) if kept else np.flatnonzero([text != "" for text in texts])
    return rows, [texts[row] for row in rows]


def count(cell: Cell, protocol: Reads, workspace: Workspace) -> tuple[int, int]:
    """Return how many images and pairs are read, at most."""
    if isinstance(protocol, Paired | Answer):
        rows, texts = listed(cell, protocol, workspace)
        return len(np.unique(rows)), len(set(zip(rows.tolist(), texts, strict=True)))
    assert protocol.joint is not None
    samples, folds = _known(cell, workspace)
    rows = np.arange(len(samples.table))
    everyone = Fold(rows[:0], rows[:0], rows)
    try:
        pool = gather(samples, *candidate_rows(samples, folds or (everyone,), protocol.candidates), protocol.text)
    except NotApplicable:
        return 0, 0
    images, reports = len(pool.images), len(pool.texts)
    whole, first = images * len(set(pool.texts)), protocol.joint.first
    if protocol.joint.mode == "full":
        return images, whole
    return images, min(whole, images * min(first, reports) + reports * min(first, images))


def _known(cell: Cell, workspace: Workspace) -> tuple[Samples, tuple[Fold, ...] | None]:
    """Return a cell's samples, and its folds where the pixels are decoded."""
    opened = workspace.opened(cell.reading)
    if opened is None:
        return workspace.samples(cell.reading), None
    return opened.samples, workspace.folds(cell.reading).folds


def already_read(cell: Cell, protocol: Paired | Answer, workspace: Workspace) -> bool:
    """Whether the fused features of a cell whose pixels are decoded lie in the cache."""
    rows, texts = listed(cell, protocol, workspace)
    return len(rows) > 0 and is_read(fused_folder(cell, protocol, workspace, rows, texts))


def pair_cost(workspace: Workspace, method: str, size: int) -> tuple[float, int]:
    """Return seconds per pair that the fusion takes, in fp32, and the width of what it gives.

    The text that is timed is one of benchx's own, which names no entity: the user has linked others.
    """
    import torch

    from benchx.methods.text.entities import placed

    encoder = workspace.load_encoder(method, size, text=True)
    with torch.inference_mode():
        images = encoder.encode(torch.zeros(_PROBES, encoder.channels, size, size, device=workspace.device))
        assert encoder.tokenizer is not None
        tokens = encoder.tokenizer([_TEXT] * _PROBES)
        tokens = replace(tokens, entities=placed([()] * _PROBES, tokens.mask))
        text = encoder.read_tokens(*tokens.parts(workspace.device))
        encoder.fuse(images, text)
        started = time.perf_counter()
        width = encoder.fuse(images, text).shape[1]
        return (time.perf_counter() - started) / _PROBES, width
