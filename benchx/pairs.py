"""Features of images and texts together: fused by a method that reads pairs, else one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchx.digests import digest_json
from benchx.embeddings import text_embeddings, text_folder
from benchx.encoding import Execution, resolve_execution
from benchx.errors import NotApplicable, UsageError
from benchx.extraction import cell_features
from benchx.pair_reading import Pairs, distinct, fused, is_read, open_pairs, read_pairs
from benchx.planning import Cell
from benchx.protocols import Answer, Extraction
from benchx.workspace import Workspace, cell_input

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder

_VERSION = 1


def pair_features(
    cell: Cell,
    protocol: Extraction | Answer,
    workspace: Workspace,
    images: np.ndarray,
    texts: Sequence[str],
    questions: str = "own",
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return features of image-text pairs, from the cache or made now.

    A method with a fusion fuses them; of another the pooled features of the image and the embedding of the text stand
    side by side; one that encodes no images reads the text alone. Each image and each text is read once, however many
    pairs it is in, and of texts only digests are kept.

    Args:
        images: int [M], row numbers in the cell's samples.
        texts: M texts.
        questions: who reads the texts of a method without fusion: `own` = its text tower, else the name of a method
            with one.

    Returns:
        float32 [M, D]; and for the record `joint` (in words), `widths` of its parts, and `text`, the method that
        reads the texts.

    Raises:
        BenchxError: a feature is NaN or infinite.
        NotApplicable: the texts are to be read by the method itself, which reads none.
        StoreError: the disk is full.
        UsageError: `questions` names no method that reads texts.
        ValueError: there are no pairs, or not as many texts as images.
        WeightsMissing: a text tower's weights or its tokenizer's files are not there.
    """
    if len(images) != len(texts) or len(images) == 0:
        raise ValueError(f"{len(images)} images and {len(texts)} texts are no pairs")
    card = workspace.weights(cell.method).card
    extraction = extraction_of(protocol)
    if card.fusion is not None:
        features = _fused(cell, extraction, workspace, images, texts)
        return features, _record("fused by the method", cell.method, {"fused": features.shape[1]})
    reader = reader_of(cell.method, questions, workspace)
    read = _embedded(cell, reader, extraction, workspace, texts)
    if card.encoder is None:
        return read, _record("text alone", reader, {"text": read.shape[1]})
    seen = cell_features(cell, extraction, workspace).matrix[images]
    widths = {"image": seen.shape[1], "text": read.shape[1]}
    return np.concatenate([seen, read], axis=1), _record("image and text side by side", reader, widths)


def reader_of(method: str, questions: str, workspace: Workspace) -> str:
    """Return the method whose text tower reads the texts: the method itself, or the one that a protocol names for all.

    A fusion reads its own texts, and so does a method that encodes no images.

    Args:
        questions: `own`, or a method's name.

    Raises:
        NotApplicable: the method is to read them itself, and reads no text.
        UsageError: the one that is named reads no text.
    """
    card = workspace.weights(method).card
    own = card.fusion is not None or card.encoder is None or questions == "own"
    reader = method if own else questions
    if workspace.weights(reader).card.text is not None:
        return reader
    if own:
        raise NotApplicable(
            f"'{reader}' reads no text",
            "the features are of images and texts together",
            "use a method with a text tower; for questions, name one in the protocol: questions: minilm",
        )
    raise UsageError(f"'{reader}' reads no text", "the protocol has it read the questions", "name another method")


def _record(joint: str, reader: str, widths: dict[str, int]) -> dict[str, Any]:
    return {"joint": joint, "widths": widths, "text": reader}


def extraction_of(protocol: Extraction | Answer) -> Extraction:
    """Return how a protocol runs a frozen encoder."""
    if isinstance(protocol, Extraction):
        return protocol
    return Extraction(input=protocol.input, feature_batch=protocol.feature_batch, precision=protocol.precision)


def fused_folder(
    cell: Cell, protocol: Extraction | Answer, workspace: Workspace, images: np.ndarray, texts: Sequence[str]
) -> Path:
    """Return where the features of a method with a fusion lie or will lie, see `pair_features`."""
    return _folder(cell, extraction_of(protocol), workspace, _pairs(images, texts))


def _pairs(images: np.ndarray, texts: Sequence[str]) -> Pairs:
    rows, image = np.unique(images, return_inverse=True)
    once, text = distinct(texts)
    return Pairs(rows, once, np.unique(image * len(once) + text))


def _execution(protocol: Extraction, workspace: Workspace) -> Execution:
    return replace(resolve_execution(protocol, workspace.device), compiled=False)


def _folder(cell: Cell, protocol: Extraction, workspace: Workspace, pairs: Pairs) -> Path:
    card = workspace.weights(cell.method).card
    assert pairs.keys is not None
    parts = {
        "card": card.numerics(),
        "text": card.text_numerics(),
        "weights": workspace.weights_digest(cell.method, text=True),
        "pixels": workspace.dataset(cell.reading).pixels.digest,
        "rows": pairs.images.tolist(),
        "texts": digest_json(list(pairs.texts)),
        "pairs": pairs.keys.tolist(),
        "input": cell_input(cell, protocol.input, workspace).model_dump(mode="json"),
        **_execution(protocol, workspace).numerics(),
        "version": _VERSION,
    }
    return workspace.store.cache / "pairs" / digest_json(parts)


def _fused(
    cell: Cell, protocol: Extraction, workspace: Workspace, images: np.ndarray, texts: Sequence[str]
) -> np.ndarray:
    pairs, execution = _pairs(images, texts), _execution(protocol, workspace)
    folder = _folder(cell, protocol, workspace, pairs)
    if not is_read(folder):
        spec = cell_input(cell, protocol.input, workspace)
        encoder = workspace.load_encoder(cell.method, spec.size, text=True)
        read_pairs(
            encoder,
            workspace.dataset(cell.reading).pixels,
            pairs,
            spec,
            execution,
            fused(encoder, execution),
            folder,
            workspace.progress.stage(f"{cell.method} / {cell.dataset}: pairs"),
            at_a_time=execution.batch,
        )
    number = {text: place for place, text in enumerate(pairs.texts)}
    places = pairs.places(np.searchsorted(pairs.images, images), np.array([number[text] for text in texts]))
    return np.asarray(open_pairs(folder)[places])


def _embedded(cell: Cell, reader: str, protocol: Extraction, workspace: Workspace, texts: Sequence[str]) -> np.ndarray:
    """Return the embeddings of texts by a method's tower, float32 [M, P]."""
    card = workspace.weights(reader).card
    asking = replace(cell, method=reader)
    size = 0 if card.input is None else card.images.size

    @cache
    def encoder() -> Encoder:
        return workspace.load_encoder(reader, size, text=True)

    once, place = distinct(texts)
    batch = protocol.feature_batch
    return text_embeddings(once, encoder, text_folder(asking, once, batch, workspace), batch)[place]
