"""The model that report generation trains: a decoder, with or without its encoder, and how it writes reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchx.decoders.reports.beam import NotANumber, generate
from benchx.decoders.reports.loss import counted, token_loss
from benchx.decoders.reports.plain import plain
from benchx.decoders.reports.r2gen import r2gen
from benchx.protocols import Generate
from benchx.tasks.report_generation.patches import Inputs, Source
from benchx.training.learner import Learner
from benchx.training.loop import Diverged
from benchx.training.memory import free, halved
from benchx.training.optimizers import parameter_groups
from benchx.training.precision import autocast
from benchx.training.recipe import Batch, Recipe

_DECODERS = {"r2gen": r2gen, "transformer": plain}


class Writer(Learner):
    """A decoder on patches. A batch is what `Source.inputs` gives, then the tokens of the reports.

    Args:
        source: of the patches; its encoder is trained along where it has one.
        words: of the vocabulary.
        protocol: decoder, search and precision.
        seed: of the decoder's weights.
        device: where.
    """

    def __init__(self, source: Source, words: int, protocol: Generate, seed: int, device: str) -> None:
        super().__init__(device, protocol.precision)
        self.encoder, self.read_patches, self.protocol = source.encoder, source.patches, protocol
        self.decoder = _DECODERS[protocol.decoder](words, source.dim, seed, longest=protocol.max_length)
        self.requires_grad_(True).to(device)

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return encoder, where it is trained, and decoder with their own rates."""
        encoder = [] if self.encoder is None else [(self.encoder, recipe.lr)]
        return parameter_groups([*encoder, (self.decoder, recipe.head_lr)], recipe)

    def loss_sum(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood summed over words and ends."""
        images, there, tokens = batch
        with autocast(self.device, self.precision):
            logits = self.decoder(*self.read_patches(images, there), tokens[:, :-1])
        return token_loss(logits, tokens)[0]

    def count(self, batch: Batch) -> Tensor:
        """Return the number of words and ends."""
        return counted(batch[-1]).sum()

    def write(self, inputs: Inputs) -> Tensor:
        """Return generated tokens, int64 [B, max_length]; patches in the model's precision, words in float32."""
        with torch.no_grad(), autocast(self.device, self.precision):
            patches, mask = self.read_patches(*inputs)
        options = self.protocol
        found = generate(
            self.decoder,
            patches.float(),
            mask,
            beams=options.beam,
            longest=options.max_length,
            block_ngrams=options.block_ngrams,
        )
        return found.tokens


def written(model: Writer, inputs: Callable[[np.ndarray], Inputs], cases: np.ndarray, batch: int) -> list[list[int]]:
    """Return the generated tokens of some cases; halves `batch` where memory runs out.

    Raises:
        Diverged: a log-probability is NaN.
        BenchxError: one case does not fit into memory.
    """
    model.eval()
    found: list[list[int]] = []
    while len(found) < len(cases):
        chosen = cases[len(found) : len(found) + batch]
        try:
            found += model.write(inputs(chosen)).tolist()
        except NotANumber as error:
            raise Diverged(error.what, error.why, error.todo) from error
        except (RuntimeError, MemoryError) as error:
            batch = halved(len(chosen), error)
        else:
            continue
        free()
    return found


@torch.no_grad()
def mean_loss(model: Writer, batches: Callable[[np.ndarray], Batch], cases: np.ndarray, size: int) -> float:
    """Return the mean negative log-likelihood of a word or end of some cases."""
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(cases), size):
        batch = batches(cases[start : start + size])
        total, count = total + float(model.loss_sum(batch)), count + int(model.count(batch))
    return total / count
