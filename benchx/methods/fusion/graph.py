"""The entity graph of ARL: embeddings of a knowledge base, refined by two layers of graph attention."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from benchx.errors import CheckpointError

WIDTH, HEADS, HEAD_WIDTH = 256, 8, 64
DROPOUT = 0.2
SLOPE = 0.2
"""Of the LeakyReLU in the attention's scores."""


class GraphAttention(nn.Module):
    """A layer of graph attention (Velickovic et al. 2018): each node takes a weighted sum of those with an edge to it.

    The weight of an edge is the softmax, over the edges that end in the same node, of
    LeakyReLU(source . att_src + target . att_dst); an edge that is there twice counts twice. Heads are joined.
    """

    def __init__(self, inside: int, heads: int, outside: int) -> None:
        super().__init__()
        self.lin = nn.Linear(inside, heads * outside, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, outside))
        self.att_dst = nn.Parameter(torch.empty(1, heads, outside))
        self.bias = nn.Parameter(torch.empty(heads * outside))
        self.heads = heads

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Return new features of the nodes, [N, inside] -> [N, heads * outside].

        Args:
            edges: int64 [2, E], source and target; every node is the target of one or more.
        """
        source, target = edges
        values = self.lin(nodes).unflatten(1, (self.heads, -1))
        told, asked = (values * self.att_src).sum(dim=2), (values * self.att_dst).sum(dim=2)
        scores = functional.leaky_relu(told[source] + asked[target], SLOPE)
        highest = scores.new_full(told.shape, -torch.inf).scatter_reduce(
            0, target[:, None].expand_as(scores), scores.detach(), "amax"
        )
        weights = (scores - highest[target]).exp()
        total = torch.zeros_like(told).index_add(0, target, weights)
        weights = functional.dropout(weights / total[target], DROPOUT, self.training)
        summed = torch.zeros_like(values).index_add(0, target, weights[..., None] * values[source])
        return summed.flatten(1) + self.bias


class EntityGraph(nn.Module):
    """Embeddings of all entities: LayerNorm, graph attention 256 -> 8 x 64, ELU, graph attention 512 -> 256."""

    edge_index: torch.Tensor

    def __init__(self, entities: int, edges: int) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.empty(entities, WIDTH))
        self.register_buffer("edge_index", torch.empty(2, edges, dtype=torch.int64))
        self.embedding_ln = nn.LayerNorm(WIDTH)
        self.conv1 = GraphAttention(WIDTH, HEADS, HEAD_WIDTH)
        self.conv2 = GraphAttention(HEADS * HEAD_WIDTH, 1, WIDTH)

    def forward(self) -> torch.Tensor:
        """Return the embeddings of the entities, [N, 256]."""
        edges = with_self_loops(self.edge_index, len(self.x))
        nodes = functional.dropout(self.embedding_ln(self.x), DROPOUT, self.training)
        nodes = functional.dropout(functional.elu(self.conv1(nodes, edges)), DROPOUT, self.training)
        return self.conv2(nodes, edges)

    def check(self) -> None:
        """Refuse edges between entities that are not there.

        Raises:
            CheckpointError: there are some.
        """
        least, most = (int(value) for value in self.edge_index.aminmax())
        if least < 0 or most >= len(self.x):
            raise CheckpointError(
                f"the graph's edges are between entities {least} to {most}",
                f"the file has the entities 0 to {len(self.x) - 1}",
                "check that the file is whole",
            )


def with_self_loops(edges: torch.Tensor, nodes: int) -> torch.Tensor:
    """Give every node one edge to itself, in place of those that it may have, int64 [2, E] -> [2, E']."""
    loops = torch.arange(nodes, device=edges.device).expand(2, -1)
    return torch.cat((edges[:, edges[0] != edges[1]], loops), dim=1)
