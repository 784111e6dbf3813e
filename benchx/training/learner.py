"""The contract of what the training loop trains: a model that can say its loss on a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from benchx.protocols import Precision
from benchx.training.precision import Resolved, resolve_precision
from benchx.training.recipe import Batch, Recipe


class Learner(nn.Module, ABC):
    """A model with its loss, on a device, in a precision. What is frozen must not be among its parameters.

    Attributes:
        device: where.
        precision: of the forward pass; parameters and losses are float32 always.
    """

    def __init__(self, device: str, precision: Precision) -> None:
        super().__init__()
        self.device = device
        self.precision: Resolved = resolve_precision(device, precision)

    @abstractmethod
    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return the parameter groups, see `benchx.training.optimizers.parameter_groups`."""

    @abstractmethod
    def loss_sum(self, batch: Batch) -> Tensor:
        """Return the loss summed over whatever `count` counts, so that a batch can be cut without changing its mean."""

    @abstractmethod
    def count(self, batch: Batch) -> Tensor:
        """Return how many labels, pixels or tokens of a batch the loss is over, a scalar on the device."""

    def weights(self) -> dict[str, Tensor]:
        """Return copies of all weights and buffers on the CPU."""
        return {name: tensor.to("cpu", copy=True) for name, tensor in self.state_dict().items()}
