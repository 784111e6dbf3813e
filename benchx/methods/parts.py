"""The contract of what a checkpoint fills: image encoder, text tower, scorer, fusion."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn


class Part(nn.Module):
    """A module whose tensors come from a checkpoint, all of them but `fresh`.

    The library's network, where there is one, is `trunk`; its tensors keep the library's names, without
    that word, in cards and reports.

    Attributes:
        fresh: tensors that the method does not take from its checkpoint, with their constant value.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fresh: Mapping[str, float] = {}

    def expected(self) -> dict[str, tuple[int, ...]]:
        """Return the tensors that a checkpoint must fill, name without `trunk.` -> shape."""
        names = ((name.removeprefix("trunk."), value) for name, value in self.state_dict().items())
        return {name: tuple(value.shape) for name, value in names if name not in self.fresh}

    def finish(self) -> None:
        """Make what no checkpoint holds, such as index buffers; called when all weights are there."""
