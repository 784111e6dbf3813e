"""Embeddings of texts by a method's own tower: read once per tower and texts, then from disk. No text is kept."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock

from benchx.digests import digest_json
from benchx.errors import BenchxError, StoreError
from benchx.planning import Cell
from benchx.workspace import Workspace
from benchx.writing import write_whole

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder

_VERSION = 1


def text_folder(cell: Cell, texts: Sequence[str], batch: int, workspace: Workspace) -> Path:
    """Return where the embeddings of texts lie or will lie, named by everything that their numbers depend on.

    Of the texts only their digest is in the name. The size of a batch counts, since it decides how far texts are
    padded, which may change a last digit.
    """
    card = workspace.weights(cell.method).card
    parts = {
        "card": card.numerics(),
        "text": card.text.model_dump(mode="json") if card.text is not None else None,
        "weights": workspace.weights_digest(cell.method, text=True),
        "texts": digest_json(list(texts)),
        "device": torch.device(workspace.device).type,
        "batch": batch,
        "version": _VERSION,
    }
    return workspace.store.cache / "texts" / digest_json(parts)


def text_embeddings(texts: Sequence[str], load_encoder: Callable[[], Encoder], folder: Path, batch: int) -> np.ndarray:
    """Return the embeddings of texts in the space shared with images, float32 [T, P], not normalised.

    The tower runs in float32. A text that stands there twice is read once, so that equal texts are equal here too.

    Args:
        load_encoder: loads the method with its text side; called only where the embeddings are not on disk.
        folder: see `text_folder`.
        batch: texts per forward pass.

    Raises:
        BenchxError: an embedding is NaN or infinite.
        StoreError: the disk is full.
        UsageError: the method has no text tower.
        WeightsMissing: its weights or its tokenizer's files are not there.
    """
    final = folder / "embeddings.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not final.is_file():
            buffer = io.BytesIO()
            np.save(buffer, _read(texts, load_encoder(), batch))
            try:
                write_whole(final, buffer.getvalue())
            except OSError as error:
                raise StoreError(
                    f"embeddings could not be written to {folder}",
                    error.strerror or str(error),
                    "free space and run again",
                ) from error
    return np.asarray(np.load(final))


def _read(texts: Sequence[str], encoder: Encoder, batch: int) -> np.ndarray:
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    distinct = list(place)
    with torch.inference_mode():
        parts = [
            encoder.encode_text(distinct[start : start + batch]).embedding.float().cpu()
            for start in range(0, len(distinct), batch)
        ]
    embeddings = torch.cat(parts)
    if not embeddings.isfinite().all():
        raise BenchxError(
            "the text tower gives NaN or infinite embeddings",
            f"of {int((~embeddings.isfinite().all(dim=1)).sum())} of {len(distinct)} texts",
            "check the checkpoint with: benchx methods check METHOD --checkpoint FILE",
        )
    return embeddings[[place[text] for text in texts]].numpy()
