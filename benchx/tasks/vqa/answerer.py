"""The model that question answering trains: a head over the answers, with or without the method under it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import skip_init

from benchx.protocols import Answer
from benchx.tasks.vqa.sources import Source
from benchx.training.learner import Learner
from benchx.training.loop import Diverged
from benchx.training.memory import free, halved
from benchx.training.optimizers import parameter_groups
from benchx.training.precision import autocast
from benchx.training.recipe import Batch, Recipe

_WEIGHT_STD = 0.02


def make_head(kind: Literal["linear", "mlp"], dim: int, answers: int, seed: int) -> nn.Module:
    """Return the head: one linear layer, or M3AE's linear, LayerNorm, GELU, linear.

    Weights are normal with deviation 0.02 and biases 0 at the start, as M3AE's are.
    """
    generator = torch.Generator().manual_seed(seed)

    def linear(outputs: int) -> nn.Linear:
        layer = skip_init(nn.Linear, dim, outputs)
        nn.init.normal_(layer.weight, std=_WEIGHT_STD, generator=generator)
        nn.init.zeros_(layer.bias)
        return layer

    if kind == "linear":
        return linear(answers)
    return nn.Sequential(linear(dim), nn.LayerNorm(dim), nn.GELU(), linear(answers))


class Answerer(Learner):
    """A head on features of image and question. A batch is what `Source.inputs` gives, then the answers' numbers.

    The loss of a question is the binary cross-entropy summed over all answers: M3AE's, which is its mean over questions
    and answers times the number of answers.

    Args:
        source: of the features, which are trained along where they are a module.
        answers: in the vocabulary.
        protocol: head, rates and precision.
        seed: of the head's weights.
        device: where.
    """

    def __init__(self, source: Source, answers: int, protocol: Answer, seed: int, device: str) -> None:
        super().__init__(device, protocol.precision)
        self.features = source.features
        self.fusion_lr = protocol.fusion_lr
        self.fused = [] if source.fusion is None else list(source.fusion.parameters())
        assert protocol.head != "own"
        self.head = make_head(protocol.head, source.dim, answers, seed)
        self.requires_grad_(True).to(device)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return float32 logits, [B, answers]."""
        with autocast(self.device, self.precision):
            logits = self.head(self.features(*inputs))
        return logits.float()

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return what is trained along, its fusion and the head, with their own rates."""
        found = parameter_groups([(self.head, recipe.head_lr)], recipe)
        if not isinstance(self.features, nn.Module):
            return found
        fused = {id(parameter) for parameter in self.fused}
        rate = recipe.lr if self.fusion_lr is None else self.fusion_lr
        for group in parameter_groups([(self.features, recipe.lr)], recipe):
            parts = ([one for one in group["params"] if (id(one) in fused) == inside] for inside in (False, True))
            for chosen, peak in zip(parts, (recipe.lr, rate), strict=True):
                if chosen:
                    found.append(group | {"params": chosen, "lr": peak, "base_lr": peak})
        return found

    def loss_sum(self, batch: Batch) -> Tensor:
        """Return the loss summed over questions."""
        *inputs, targets = batch
        logits = self(*inputs)
        wanted = torch.zeros_like(logits).scatter_(1, targets[:, None], 1.0)
        return binary_cross_entropy_with_logits(logits, wanted, reduction="sum")

    def count(self, batch: Batch) -> Tensor:
        """Return the number of questions."""
        return torch.tensor(len(batch[-1]), device=self.device)


def answered(model: Answerer, source: Source, numbers: np.ndarray, batch: int) -> np.ndarray:
    """Return the number of the likeliest answer to some questions, int64 [n]; halves `batch` where memory runs out.

    Raises:
        Diverged: a logit is NaN or infinite.
        BenchxError: one question does not fit into memory.
    """
    model.eval()
    parts: list[np.ndarray] = []
    start = 0
    while start < len(numbers):
        some = numbers[start : start + batch]
        try:
            with torch.no_grad():
                logits = model(*source.inputs(some))
            if not logits.isfinite().all():
                raise Diverged("predictions are NaN or infinite", "the training diverged", "lower the learning rate")
            parts.append(logits.argmax(dim=1).cpu().numpy())
            start += len(some)
            continue
        except (RuntimeError, MemoryError) as error:
            batch = halved(len(some), error)
        free()
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
