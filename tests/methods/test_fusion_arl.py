"""ARL: graph attention and entities against a second reading, and texts that were not linked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import meter_reading
import pytest
import torch
from comparing import relative
from meter_reading import Weights
from small_fusions import PAIRS, filled_fusion, fusion_shapes, keyed, pairs, small_encoder

from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.methods.cards.schema import TokenizerChoice
from benchx.methods.encoders.arl import arl
from benchx.methods.encoders.vit import ViT
from benchx.methods.fusion.arl import arl as arl_fusion
from benchx.methods.fusion.graph import EntityGraph, with_self_loops
from benchx.methods.text.base import TextFeatures, TextTower
from benchx.methods.text.entities import entities_of, read_linked, tokens_named
from benchx.methods.text.tokenizer import LocalTokenizer

TOLERANCE = 1e-5
ENTITIES, EDGES = 6, 9
EDGE_INDEX = torch.tensor([[0, 1, 1, 2, 2, 3, 4, 4, 0], [1, 0, 0, 2, 3, 2, 1, 4, 4]])
"""With an edge that is there twice, two self loops, and an entity (5) without any edge."""


def knowledge_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, outside: int, inside: int) -> None:
        shapes.update({f"{name}.weight": (outside, inside), f"{name}.bias": (outside,)})

    for number in range(PAIRS):
        start = f"multi_modal_language_layers.{number}"
        for kind in ("knowledge_attention", "knowledge_crossattention"):
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                layer(f"{start}.{kind}.{part}", 256, 256)
            shapes.update({f"{start}.{kind}.output.LayerNorm.{part}": (256,) for part in ("weight", "bias")})
        layer(f"{start}.knowledge_intermediate.dense", 1024, 256)
        layer(f"{start}.knowledge_output.dense", 256, 1024)
        layer(f"{start}.image2knowledge", 256, 768)
        layer(f"{start}.knowledge2text", 768, 256)
        layer(f"{start}.knowledge_fusion_output.dense", 768, 768)
        for name, width in (("knowledge_output", 256), ("knowledge_fusion_output", 768)):
            shapes.update({f"{start}.{name}.LayerNorm.{part}": (width,) for part in ("weight", "bias")})
    for name, heads, outside, inside in (("conv1", 8, 64, 256), ("conv2", 1, 256, 512)):
        shapes[f"align_head.{name}.lin.weight"] = (heads * outside, inside)
        shapes[f"align_head.{name}.bias"] = (heads * outside,)
        shapes.update({f"align_head.{name}.att_{part}": (1, heads, outside) for part in ("src", "dst")})
    shapes.update({f"align_head.embedding_ln.{part}": (256,) for part in ("weight", "bias")})
    layer("vqa_head.0", 1536, 1536)
    layer("vqa_head.3", 7, 1536)
    return shapes | {"vqa_head.1.weight": (1536,), "vqa_head.1.bias": (1536,), "align_head.x": (ENTITIES, 256)}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return keyed(fusion_shapes() | knowledge_shapes()) | {"align_head.edge_index": EDGE_INDEX}


def filled(weights: Weights):
    return filled_fusion("arl-vqa-rad", weights, answers=7, entities=ENTITIES, edges=EDGES)


@pytest.fixture(scope="module")
def encoder(weights) -> ViT:
    encoder = small_encoder()
    encoder.fusion = filled(weights)
    return encoder


def linked(text: TextFeatures, *spans: list[tuple[int, int, int]]) -> TextFeatures:
    entities = torch.full((len(spans), 24, 3), -100)
    for row, mine in enumerate(spans):
        for place, span in enumerate(mine):
            entities[row, place] = torch.tensor(span)
    return replace(text, entities=entities)


def places(text: TextFeatures) -> torch.Tensor:
    found = torch.zeros(*text.entities.shape[:2], text.words.shape[1])
    for row, mine in enumerate(text.entities.tolist()):
        for place, (entity, first, last) in enumerate(mine):
            if entity >= 0:
                found[row, place, first : last + 1] = 1
    return found


@torch.inference_mode()
def test_the_graph_is_that_of_the_second_reading(encoder, weights):
    assert relative(encoder.fusion.graph(), meter_reading.graph(weights)) < TOLERANCE


def test_every_entity_has_one_edge_to_itself():
    edges = with_self_loops(EDGE_INDEX, ENTITIES)
    loops = edges[:, edges[0] == edges[1]]
    assert sorted(loops[0].tolist()) == list(range(ENTITIES))
    assert edges.shape == (2, 7 + ENTITIES)


@torch.inference_mode()
def test_large_scores_do_not_overflow(encoder):
    graph = EntityGraph(ENTITIES, EDGES).eval()
    graph.load_state_dict(encoder.fusion.graph.state_dict())
    graph.conv1.att_src.data *= 1e3
    assert graph().isfinite().all()


@torch.inference_mode()
def test_pairs_are_fused_as_in_the_second_reading(encoder, weights):
    """Many entities, one entity, none; one entity named by several words, one word of several entities."""
    images, text = pairs(3)
    text = linked(text, [(0, 1, 2), (5, 2, 2), (3, 4, 4)], [(2, 0, 1)], [])
    expected = meter_reading.fuse_with_entities(
        weights, text.words, images.tokens, text.word_mask, text.entities[..., 0], places(text), layers=2
    )
    fused = encoder.fuse(images, text)
    assert relative(fused, expected) < TOLERANCE
    assert relative(encoder.fusion.answer(fused), meter_reading.answer(weights, expected)) < TOLERANCE


def test_every_layernorm_has_its_own_codes_epsilon():
    with torch.device("meta"):
        fusion = arl_fusion(head="itm", entities=ENTITIES, edges=EDGES)
    for part, epsilon in ((fusion.language, 1e-12), (fusion.vision, 1e-12), (fusion.graph, 1e-5)):
        assert {one.eps for one in part.modules() if isinstance(one, torch.nn.LayerNorm)} == {epsilon}


@torch.inference_mode()
def test_absent_entities_are_zero_and_not_looked_at(encoder):
    known, absent = encoder.fusion.look_up(torch.tensor([[2, -100, 0], [-100, -100, -100]]))
    assert known.abs().sum(dim=2).bool().tolist() == [[True, False, True], [False, False, False]]
    assert absent.tolist() == [[False, True, False], [False, False, False]]
    assert torch.equal(known[0, 0], encoder.fusion.graph()[2])


@torch.inference_mode()
def test_without_entities_it_is_another_method(encoder):
    images, text = pairs(2)
    with_them = encoder.fuse(images, linked(text, [(0, 1, 2), (5, 3, 3)], [(2, 1, 1)]))
    assert relative(encoder.fuse(images, linked(text, [], [])), with_them) > 1e-2
    with pytest.raises(UsageError, match="come without their entities"):
        encoder.fuse(images, text)


def test_entities_that_do_not_fit(encoder):
    images, text = pairs(2)
    with pytest.raises(UsageError, match="0 to 6 are not the method's"):
        encoder.fuse(images, linked(text, [(0, 1, 1)], [(6, 1, 1)]))
    short = replace(text, words=text.words[:, :4], word_mask=text.word_mask[:, :4])
    with pytest.raises(UsageError, match="reach to token 4, the texts have 4"):
        encoder.fuse(images, linked(short, [(0, 4, 4)], []))


def test_gradients_reach_the_entities(encoder):
    images, text = pairs(2)
    encoder.fuse(images, linked(text, [(0, 1, 1)], [])).sum().backward()
    assert encoder.fusion.graph.x.grad[1].abs().sum() > 0
    encoder.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    "names",
    [
        {"lin": "lin_src", "att_src": "att_src", "att_dst": "att_dst", "beside": "lin_dst"},
        {"lin": "lin_l", "att_src": "att_l", "att_dst": "att_r", "beside": "lin_r"},
    ],
)
def test_graph_layers_of_older_versions(weights, encoder, names):
    """They hold one matrix under two names."""
    older = {}
    for name, value in weights.items():
        start, _, last = name.partition("conv")
        for ours in ("lin", "att_src", "att_dst"):
            last = last.replace(f".{ours}", f".{names[ours]}")
        older[start + ("conv" + last if last else "")] = value
        if name.endswith("lin.weight"):
            older[name.replace("lin.", f"{names['beside']}.")] = value
    with torch.inference_mode():
        assert torch.equal(filled(older).graph(), encoder.fusion.graph())


def test_an_edge_to_nowhere(weights):
    with pytest.raises(CheckpointError, match="between entities 0 to 6"):
        filled(weights | {"align_head.edge_index": EDGE_INDEX.masked_fill(EDGE_INDEX == 4, ENTITIES)})


def test_a_graph_of_another_size_is_a_misfit(weights):
    with pytest.raises(CheckpointError, match="fills 150 of 151") as caught:
        filled(weights | {"align_head.x": weights["align_head.x"][:5]})
    assert "graph.x (6, 256) is (5, 256)" in caught.value.why


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_spans_become_ids_and_positions():
    """Those that the cut text does not hold as a whole, or that lie on <s> or </s>, are left out; 24 are kept."""
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    first = ((5, 0, 0), (7, 1, 2), (6, 0, 2), (8, 2, 3), (4, 4, 4), (3, 3, 4), (2, 5, 6))
    spans = {sha("é"): first, sha("b"): ((9, 2, 2), *((one, 1, 1) for one in range(30)))}
    found = entities_of(["é", "b"], spans, mask)
    assert found.shape == (2, 24, 3)
    assert found[0, :, 0].tolist() == [7, 8] + [-100] * 22
    assert tokens_named(found, 5)[0, :3].int().tolist() == [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert found[1, :, 0].tolist() == list(range(24))
    with pytest.raises(UsageError, match=f"sha256 {sha('c')}"):
        entities_of(["é", "c"], spans, mask)


def test_the_file_of_linked_texts(tmp_path):
    file = tmp_path / "entities.jsonl"
    with pytest.raises(WeightsMissing, match="no entities of texts"):
        read_linked(file)
    lines = [{"sha256": sha("a"), "entities": [[3, 1, 2]]}, {"sha256": sha("b"), "entities": []}]
    file.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    assert read_linked(file) == {sha("a"): ((3, 1, 2),), sha("b"): ()}


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        '{"sha256": "x"}',
        '{"sha256": "x", "entities": [[1, 2]]}',
        '{"sha256": "x", "entities": [[-100, 0, 1]]}',
        '{"sha256": "x", "entities": [[1, 3, 2]]}',
        '{"sha256": "x", "entities": [["C1", 0, 1]]}',
        '{"sha256": "x", "text": "y", "entities": []}',
    ],
)
def test_lines_that_are_no_linked_texts(tmp_path, line):
    file = tmp_path / "entities.jsonl"
    file.write_text('{"sha256": "a", "entities": []}\n' + line)
    with pytest.raises(UsageError, match="line 2 is no linked text"):
        read_linked(file)


class LettersTower(TextTower):
    """One feature per token."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def padding_mask(self, input_ids):
        return (input_ids != 0).long()

    def _read(self, ids, mask, continued):
        words = ids[..., None] * self.scale
        return TextFeatures(words[:, 0], words[:, 0], words, mask != 0)


def test_texts_come_with_the_entities_of_the_users_file(tmp_path):
    with torch.device("meta"):
        encoder = arl(method="arl-mine", pooling="cls", channels=3, image_size=32)
    encoder.text = LettersTower()
    choice = TokenizerChoice(words=50, max_length=8)
    encoder.tokenizer = LocalTokenizer(choice, None)
    with pytest.raises(WeightsMissing, match="no weights root"):
        encoder.encode_text(["a b"])
    encoder.tokenizer = LocalTokenizer(choice, tmp_path)
    (tmp_path / "arl-mine").mkdir()
    (tmp_path / "arl-mine" / "entities.jsonl").write_text(json.dumps({"sha256": sha("a b"), "entities": [[4, 1, 2]]}))
    found = encoder.encode_text(["a b"])
    assert found.entities[0, :2].tolist() == [[4, 1, 2], [-100, -100, -100]]
    assert torch.equal(encoder.read_tokens(*encoder.tokenise(["a b"]).parts("cpu")).entities, found.entities)
    for asked in (encoder.encode_text, encoder.tokenise):
        with pytest.raises(UsageError, match="has no line"):
            asked(["a b", "c"])
