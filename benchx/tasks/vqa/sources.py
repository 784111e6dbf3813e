"""Where the features of image and question come from: kept ones of a frozen method, or a method trained along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from benchx.images.geometry import prepare
from benchx.methods.encoders.base import Encoder
from benchx.pairs import reader_of
from benchx.planning import Cell
from benchx.protocols import Answer
from benchx.tasks.vqa.cases import Cases
from benchx.training.scaling import scaling
from benchx.workspace import Workspace, cell_input

Inputs = tuple[Tensor, ...]
"""Of B questions: kept features [B, D]; or images [B, channels, S, S], where the method encodes any, and the parts of
its tokens."""


@dataclass(frozen=True)
class Source:
    """The features of questions about images.

    Attributes:
        dim: D.
        inputs: maps numbers of questions to what a batch holds, on the device.
        features: maps inputs to features [B, D]; a module where it is trained along.
        fusion: the part of it that has a rate of its own.
        kind: `frozen` or `trained`, for the record.
    """

    dim: int
    inputs: Callable[[np.ndarray], Inputs]
    features: Callable[..., Tensor]
    fusion: nn.Module | None
    kind: str


def kept(features: np.ndarray, train: np.ndarray, device: str) -> Source:
    """Return features float32 [M, D], standardised by their mean and deviation on the training questions.

    What does not vary there is only centred.
    """
    by = scaling(features, train)

    def inputs(numbers: np.ndarray) -> Inputs:
        return (torch.from_numpy(((features[numbers] - by.mean) / by.scale).astype(np.float32)).to(device),)

    return Source(features.shape[1], inputs, lambda one: one, None, "frozen")


def trained(cell: Cell, protocol: Answer, workspace: Workspace, cases: Cases) -> Source:
    """Load a method, and where another one reads the questions that one, to be trained along.

    As of frozen ones: a fusion reads image and question together; else pooled features of the image and the embedding
    of the question stand side by side; a method that encodes no images reads the question alone.

    Raises:
        NotApplicable: the method is to read the questions and reads no text.
        UsageError: the protocol names a reader that reads no text.
        WeightsMissing: a text tower's weights or its tokenizer are not there.
    """
    card, device = workspace.weights(cell.method).card, workspace.device
    reader = reader_of(cell.method, protocol.questions, workspace)
    reads_itself = reader == cell.method
    spec = None if card.encoder is None else cell_input(cell, protocol.input, workspace)
    method = workspace.load_encoder(cell.method, 0 if spec is None else spec.size, text=reads_itself)
    asked = method if reads_itself else _reader(reader, workspace)
    module = Reading(method, asked, sees=spec is not None)
    pixels = workspace.dataset(cell.reading).pixels

    def inputs(numbers: np.ndarray) -> Inputs:
        read = asked.tokenise([cases.texts[number] for number in numbers]).parts(device)
        if spec is None:
            return read
        return (prepare(pixels.images(cases.images[numbers]), spec, device), *read)

    module.requires_grad_(True)
    with torch.no_grad():
        dim = module.eval()(*inputs(np.arange(1))).shape[1]
    return Source(dim, inputs, module, method.fusion, "trained")


class Reading(nn.Module):
    """Maps images, where a method sees any, and the tokens of questions to features [B, D]."""

    def __init__(self, method: Encoder, asked: Encoder, *, sees: bool) -> None:
        super().__init__()
        self.method, self.sees = method, sees
        self.asked = None if asked is method else asked

    def forward(self, *inputs: Tensor) -> Tensor:
        """Read images, where the method sees any, and the parts of tokens, see `Tokens.parts`."""
        reader = self.asked or self.method
        if not self.sees:
            return reader.read_tokens(*inputs).embedding
        images, *tokens = inputs
        text = reader.read_tokens(*tokens)
        if self.method.fusion is not None:
            return self.method.fuse(self.method.encode(images), text)
        return torch.cat([self.method(images), text.embedding], dim=1)


def _reader(name: str, workspace: Workspace) -> Encoder:
    card = workspace.weights(name).card
    return workspace.load_encoder(name, 0 if card.input is None else card.input.size, text=True)
