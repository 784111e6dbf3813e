"""A method's own answers: the list that its question head was trained with, and which of them the head gives."""

from __future__ import annotations

import numpy as np
import torch

from benchx.errors import BenchxError, NotApplicable, UsageError, WeightsMissing
from benchx.methods.fusion import fusion_without_weights
from benchx.metrics.vqa import normalise
from benchx.planning import Cell
from benchx.protocols import Answer
from benchx.workspace import Workspace, cell_input

FILE = "answers.txt"
"""The list of a method's answers, in its folder of the weights root: one per line, in the order of the head."""


def own_vocabulary(method: str, workspace: Workspace) -> tuple[str, ...]:
    """Return the answers of a method's own question head, normalised, in its order.

    Raises:
        NotApplicable: the method has none.
        UsageError: the list is not text, is of another length than the head, or holds an answer twice.
        WeightsMissing: the list is not there.
    """
    card = workspace.card(method)
    outputs = 0 if card.fusion is None else fusion_without_weights(card).answers
    if not outputs:
        raise NotApplicable(
            f"'{method}' has no answers of its own",
            "head: own asks the method's question head, and its weights hold none",
            "train one: head: linear or mlp",
        )
    path = None if workspace.weights_root is None else workspace.weights_root / method / FILE
    if path is None or not path.is_file():
        raise WeightsMissing(
            f"no list of the {outputs} answers of '{method}'",
            "no weights root is set" if path is None else f"there is no {path}",
            f"write one answer per line, in the order of the head, into {method}/{FILE} in BENCHX_WEIGHTS",
        )
    try:
        answers = tuple(normalise(line) for line in path.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no list of answers", str(error), "write it as UTF-8 text") from error
    if len(answers) != outputs:
        raise UsageError(
            f"{path} lists {len(answers)} answers, the head of '{method}' has {outputs}",
            "every output of the head is one of its answers",
            "write one answer per line, in the order that the head was trained with",
        )
    if twice := [line for line, answer in enumerate(answers, start=1) if answer in answers[: line - 1]]:
        raise UsageError(
            f"line {twice[0]} of {path} is an answer that it had before",
            "answers are compared after normalising, and every output of the head is another one",
            "write the list that the head was trained with",
        )
    return answers


def own_answers(cell: Cell, protocol: Answer, workspace: Workspace, fused: np.ndarray) -> np.ndarray:
    """Return the number of the likeliest answer by the method's own head, int64 [M].

    Args:
        fused: float32 [M, dim of the fusion], see `benchx.pairs.pair_features`.

    Raises:
        BenchxError: a logit is NaN or infinite.
    """
    encoder = workspace.load_encoder(cell.method, cell_input(cell, protocol.input, workspace).size, text=True)
    assert encoder.fusion is not None
    parts = []
    with torch.inference_mode():
        for some in torch.from_numpy(fused).split(protocol.feature_batch):
            logits = encoder.fusion.answer(some.to(workspace.device))
            if not logits.isfinite().all():
                raise BenchxError(
                    f"answers of '{cell.method}' are NaN or infinite",
                    "its question head gave them",
                    "check the weights: benchx methods check",
                )
            parts.append(logits.argmax(dim=1).cpu().numpy())
    return np.concatenate(parts)
