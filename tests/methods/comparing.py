"""What comparisons with a library's own model need: the same weights in both, and a relative difference."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn

from benchx.methods.keyed_init import keyed_tensor

Network = TypeVar("Network", bound=nn.Module)


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Return max|a - b| / max|b|."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def keyed(network: nn.Module) -> dict[str, Tensor]:
    """Return weights for a network by the keyed-init rule; the network keeps its own."""
    return {name: keyed_tensor(name, value.shape) for name, value in network.state_dict().items()}


def with_keyed(network: Network) -> Network:
    """Put weights by the keyed-init rule into a network, and the network into eval mode."""
    network.load_state_dict(keyed(network))
    return network.eval()
