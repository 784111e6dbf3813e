"""Run a retrieval cell: embed images and reports, search both ways among all of them, tell what chance would give."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchx.datasets.five_by_200 import FINDINGS
from benchx.datasets.samples import Samples
from benchx.embeddings import text_embeddings, text_folder
from benchx.encoding import resolve_execution
from benchx.errors import NotApplicable
from benchx.extraction import cell_embeddings
from benchx.methods.cards.schema import Card
from benchx.methods.encoders.base import Encoder
from benchx.planning import Cell
from benchx.protocols import Retrieve, read_protocol
from benchx.tasks.folds import describe
from benchx.tasks.predictions import Outcome
from benchx.tasks.retrieval.finding import Found, chance, find, values
from benchx.tasks.retrieval.own import OwnSimilarities, compare_pairs
from benchx.tasks.retrieval.pool import Pool, candidate_rows, gather
from benchx.tasks.retrieval.scores import score
from benchx.tasks.subgroups import group_columns
from benchx.workspace import Workspace, cell_input

LISTED = 10
"""First items that a prediction table names."""


def run(cell: Cell, workspace: Workspace, work: Path) -> Outcome:
    """Rank a cell's test images and reports; nothing is trained, and `work` is not used.

    Raises:
        NotApplicable: the method reads no text or does not embed images and texts in one space, or no test image has
            a report.
        WeightsMissing: the text tower's weights or its tokenizer are not there.
    """
    protocol = read_protocol(cell.settings["protocol"])
    assert isinstance(protocol, Retrieve)
    _refuse_without_text(workspace.weights(cell.method).card)
    samples, folds = workspace.dataset(cell.reading).samples, workspace.folds(cell.reading).folds
    pool = gather(samples, *candidate_rows(samples, folds, protocol.candidates), protocol.text)

    @cache
    def encoder() -> Encoder:
        return _load(cell, protocol, workspace)

    images, texts = _embed(cell, protocol, workspace, pool, encoder)
    labels = _labels(samples, pool, FINDINGS if protocol.candidates == "5x200" else tuple(cell.settings["classes"]))
    found = {
        way: find(
            queries,
            gallery,
            positives,
            known,
            exclude_own=protocol.exclude_own,
            top=protocol.rerank,
            device=workspace.device,
        )
        for way, queries, gallery, positives, known in (
            ("i2t", images, texts, pool.to_reports, labels),
            ("t2i", texts, images, pool.to_images, None if labels is None else (labels[1], labels[0])),
        )
    }
    why = _why_not_reranked(workspace.weights(cell.method).card, protocol)
    if why is None:
        own = _own(cell, protocol, workspace, pool, found, encoder())
        found = {
            "i2t": found["i2t"].reordered(lambda queries, rows: own.of(queries[:, None], rows)),
            "t2i": found["t2i"].reordered(lambda queries, rows: own.of(rows, queries[:, None])),
        }
    predictions = _table(samples, pool, found)
    details: dict[str, Any] = {
        "folds": [
            describe(samples, number, fold.train[:0], fold.val[:0], pool.images[pool.folds == number])
            for number, fold in enumerate(folds)
        ],
        "candidates": {"images": len(pool.images), "reports": len(pool.texts), "texts": len(set(pool.texts))},
        "without_text": pool.without_text,
        "chance": {f"{way}_{name}": level for way, one in found.items() for name, level in chance(one).items()},
        "ties": "an item as similar as a right one counts as before it",
        "reranked": {"first": 0, "why": why} if why else {"first": protocol.rerank},
    }
    return Outcome(predictions, score(predictions), details)


def _refuse_without_text(card: Card) -> None:
    if card.text is None or card.encoder is None:
        lacking = "reads no text" if card.text is None else "encodes no images"
        raise NotApplicable(f"'{card.name}' {lacking}", "retrieval compares images with reports", "use another method")


def _load(cell: Cell, protocol: Retrieve, workspace: Workspace) -> Encoder:
    encoder = workspace.load_encoder(cell.method, cell_input(cell, protocol.input, workspace).size, text=True)
    if not encoder.projects:
        raise _no_shared_space(cell)
    return encoder


def _no_shared_space(cell: Cell) -> NotApplicable:
    return NotApplicable(
        f"'{cell.method}' does not embed whole images among texts",
        "retrieval over a whole test set compares these embeddings",
        "use another method",
    )


def _embed(
    cell: Cell, protocol: Retrieve, workspace: Workspace, pool: Pool, encoder: Callable[[], Encoder]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of the pool's images [I, P] and reports [R, P]."""
    batch = protocol.feature_batch
    texts = text_embeddings(pool.texts, encoder, text_folder(cell, pool.texts, batch, workspace), batch)
    images = cell_embeddings(cell, protocol, workspace, encoder)[pool.images]
    if images.shape[1] != texts.shape[1]:
        raise _no_shared_space(cell)
    return images, texts


def _labels(samples: Samples, pool: Pool, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the labels of images [I, C] and of reports [R, C]: of a report those of its first image."""
    if not classes:
        return None
    labels = samples.class_labels(classes)[pool.images]
    return labels, labels[pool.first]


def _why_not_reranked(card: Card, protocol: Retrieve) -> str | None:
    if protocol.rerank == 0:
        return "the protocol asks for none"
    if card.scorer is None:
        return "the method has no similarity of its own"
    if card.scorer.name == "cosine":
        return "the method's own similarity is the cosine of the embeddings"
    return None


def _own(
    cell: Cell, protocol: Retrieve, workspace: Workspace, pool: Pool, found: dict[str, Found], encoder: Encoder
) -> OwnSimilarities:
    reports = len(pool.texts)
    pairs = []
    for top in found["i2t"].tops:
        queries, places = np.nonzero(top.rows >= 0)
        pairs.append(queries * reports + top.rows[queries, places])
    for top in found["t2i"].tops:
        queries, places = np.nonzero(top.rows >= 0)
        pairs.append(top.rows[queries, places].astype(np.int64) * reports + queries)
    return compare_pairs(
        encoder,
        workspace.dataset(cell.reading).pixels,
        pool.images,
        pool.texts,
        np.unique(np.concatenate(pairs)),
        cell_input(cell, protocol.input, workspace),
        resolve_execution(protocol, workspace.device),
        workspace.progress.stage(f"{cell.label}: own similarities"),
    )


def _table(samples: Samples, pool: Pool, found: dict[str, Found]) -> pd.DataFrame:
    """Put the queries of both ways under each other: first the images, then the reports."""
    names = samples.table["sample"].to_numpy()[pool.images].astype(str)
    clusters = samples.clusters[pool.images]
    images = {"sample": names, "cluster": clusters, "fold": pool.folds}
    images["top"] = _named(found["i2t"], np.array(pool.names))
    reports = {"sample": np.array(pool.names), "cluster": clusters[pool.first], "fold": pool.folds[pool.first]}
    reports["top"] = _named(found["t2i"], names)
    numbers = {way: {f"{way}_{name}": column for name, column in values(one).items()} for way, one in found.items()}
    table = pd.concat(
        [pd.DataFrame(images | numbers["i2t"]), pd.DataFrame(reports | numbers["t2i"])], ignore_index=True
    )
    columns = [name for one in numbers.values() for name in one]
    table = table.astype({"fold": np.int8, **dict.fromkeys(columns, np.float32)})
    rows = samples.table.iloc[pool.images]
    # A report has no view.
    groups = group_columns(pd.concat([rows, rows.iloc[pool.first].assign(view=None)], ignore_index=True))
    return table[["sample", "cluster", "fold", *columns, "top"]].assign(**groups)


def _named(found: Found, names: np.ndarray) -> np.ndarray:
    rows = found.ranking.top.rows[:, :LISTED]
    return np.array(["|".join(line) for line in names[rows]], dtype=object)
