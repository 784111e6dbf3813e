"""ARL's joint reading of pairs (Chen et al. 2022, 'Align, Reason and Learn'): M3AE's, with entities of UMLS between."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, validate_call
from torch import nn
from torch.nn import functional

from benchx.errors import UsageError
from benchx.methods.coattention import HEADS, LAYERS, WIDTH, Stream, cross_layer, enter, leave
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.fusion.graph import WIDTH as ENTITY_WIDTH
from benchx.methods.fusion.graph import EntityGraph
from benchx.methods.fusion.m3ae import EPSILON, Answering, Head, check_answers
from benchx.methods.fusion.pairs import patches_of, words_of
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.entities import NONE, tokens_named

ENTITY_HEADS = 4


class Told(nn.Module):
    """What entities tell the words that name them: added, through a linear layer, added again and normed."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(WIDTH, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, words: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Return the words, [M, W, 768], after what they are told, [M, W, 768]."""
        return self.LayerNorm(functional.dropout(self.dense(words + told), 0.1, self.training) + words)


class KnowledgeLayer(nn.TransformerDecoderLayer):
    """The text's layer of a pair, between whose attention to the image and feed-forward part the entities speak."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEADS, 4 * WIDTH, activation="gelu", batch_first=True, layer_norm_eps=EPSILON)
        self.knowledge = cross_layer(EPSILON, ENTITY_WIDTH, ENTITY_HEADS)
        self.image2knowledge = nn.Linear(WIDTH, ENTITY_WIDTH)
        self.knowledge2text = nn.Linear(ENTITY_WIDTH, WIDTH)
        self.knowledge_fusion_output = Told()

    def read(
        self,
        words: torch.Tensor,
        patches: torch.Tensor,
        padding: torch.Tensor,
        known: torch.Tensor,
        absent: torch.Tensor,
        positions: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return new words, [M, W, 768], and new entities, [M, 24, 256].

        Args:
            known: [M, 24, 256], the entities.
            absent: bool [M, 24], those that no other looks at.
            positions: [M, 24, W], 1 where a word names an entity, else 0.
        """
        known = _look_inside(self.knowledge, known, absent)
        known = _look_over(self.knowledge, known, self.image2knowledge(patches))
        words = _look_inside(self, words, padding)
        words = _look_over(self, words, patches)
        words = self.knowledge_fusion_output(words, positions.transpose(1, 2) @ self.knowledge2text(known))
        return _feed(self, words), _feed(self.knowledge, known)


class KnowledgeStream(Stream):
    """The text's side, with entities."""

    def __init__(self) -> None:
        super().__init__(EPSILON)
        self.layers = nn.ModuleList(KnowledgeLayer() for _ in range(LAYERS))


class ARL(Answering):
    """Reads pairs with the entities of the text; texts without `entities` are refused, for they give something else."""

    def __init__(self, head: Head, answers: int, entities: int, edges: int) -> None:
        super().__init__(head, answers)
        self.language, self.vision = KnowledgeStream(), Stream(EPSILON)
        self.modality_type_embeddings = nn.Embedding(2, WIDTH)
        self.graph = EntityGraph(entities, edges)

    def finish(self) -> None:
        """Check the graph of the file.

        Raises:
            CheckpointError: an edge has an end that is no entity.
        """
        self.graph.check()

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Read M pairs, see Fusion; [M, 1536].

        Raises:
            UsageError: the features lack tokens, words or entities, an entity is not in the graph, or a text is
                padding alone.
        """
        words, padding = words_of(text)
        entities = _entities(text, words.shape[1])
        known, absent = self.look_up(entities[..., 0])
        positions = tokens_named(entities, words.shape[1]).to(words.dtype)
        words, patches = enter(self.language, self.vision, self.modality_type_embeddings, words, patches_of(images))
        for reading, looking in zip(self.language.layers, self.vision.layers, strict=True):
            assert isinstance(reading, KnowledgeLayer)
            before = words
            words, known = reading.read(words, patches, padding, known, absent, positions)
            patches = looking(patches, before, memory_key_padding_mask=padding)
        return leave(self.language, self.vision, words, patches)

    def look_up(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embeddings of entities, zero where there is none, and which ones no other looks at.

        Of a text without any entity all may be looked at: a softmax needs one, and no word is told of them.

        Args:
            ids: int64 [M, 24], -100 where there is none.

        Returns:
            [M, 24, 256]; bool [M, 24].

        Raises:
            UsageError: an entity is not in the graph.
        """
        none = ids == NONE
        if bool(((ids < 0) & ~none).any()) or int(ids.max()) >= len(self.graph.x):
            raise UsageError(
                f"entities from {int(ids[~none].min())} to {int(ids.max())} are not the method's",
                f"its graph has the entities 0 to {len(self.graph.x) - 1}",
                "link the texts to the graph that the weights were trained with",
            )
        known = self.graph()[ids.clamp(min=0)] * ~none[..., None]
        return known, none & ~none.all(dim=1, keepdim=True)


def _entities(text: TextFeatures, words: int) -> torch.Tensor:
    if text.entities is None:
        raise UsageError(
            "these texts come without their entities",
            "the method reads them with every text; without them it gives something else",
            "give what encode_text gave, or add entities to what read_tokens gave",
        )
    if int(text.entities[..., 2].max()) >= words:
        raise UsageError(
            f"entities reach to token {int(text.entities[..., 2].max())}, the texts have {words}",
            "both are counted along the same tokens",
            "give both from one call",
        )
    return text.entities


def _look_inside(layer: nn.TransformerDecoderLayer, tokens: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
    found, _ = layer.self_attn(tokens, tokens, tokens, key_padding_mask=padding, need_weights=False)
    return layer.norm1(tokens + layer.dropout1(found))


def _look_over(layer: nn.TransformerDecoderLayer, tokens: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    found, _ = layer.multihead_attn(tokens, others, others, need_weights=False)
    return layer.norm2(tokens + layer.dropout2(found))


def _feed(layer: nn.TransformerDecoderLayer, tokens: torch.Tensor) -> torch.Tensor:
    inner = layer.dropout(functional.gelu(layer.linear1(tokens)))
    return layer.norm3(tokens + layer.dropout3(layer.linear2(inner)))


@validate_call
def arl(
    *,
    head: Head,
    answers: int = 0,
    entities: Annotated[int, Field(ge=1)],
    edges: Annotated[int, Field(ge=1)],
) -> ARL:
    """Build ARL's fusion.

    Args:
        head, answers: as M3AE's.
        entities: of the graph, the rows of `align_head.x` in the file.
        edges: of the graph, the columns of `align_head.edge_index` in the file.

    Raises:
        UsageError: answers without their head, or the head without answers.
    """
    check_answers(head, answers)
    return ARL(head, answers, entities, edges)
