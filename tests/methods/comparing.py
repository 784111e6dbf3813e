"""What comparisons need: the same weights in both, and a relative difference, of a model or of kept figures."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from torch import Tensor, nn

from benchx.methods.keyed_init import keyed_tensor

Network = TypeVar("Network", bound=nn.Module)


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Return max|a - b| / max|b|."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def from_kept(found: Tensor, kept: dict[str, Any]) -> float:
    """Return how far a vector is from the figures that a certificate's facts keep of it, relative to the largest."""
    return float(np.abs(found.numpy()[kept["index"]] - np.array(kept["row0"])).max() / kept["largest"])


def keyed(network: nn.Module) -> dict[str, Tensor]:
    """Return weights for a network by the keyed-init rule; the network keeps its own."""
    return {name: keyed_tensor(name, value.shape) for name, value in network.state_dict().items()}


def with_keyed(network: Network) -> Network:
    """Put weights by the keyed-init rule into a network, and the network into eval mode."""
    network.load_state_dict(keyed(network))
    return network.eval()
