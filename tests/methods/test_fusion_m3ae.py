"""M3AE's and PTUnifier's joint reading of pairs against a second reading of the official code, and its traps."""

from __future__ import annotations

from dataclasses import replace

import meter_reading
import numpy as np
import pytest
import torch
from comparing import from_kept, relative
from meter_reading import Weights
from official_files import SEEDS, certificate, keyed_file, manifest
from small_fusions import cross_shapes, filled_fusion, fusion_shapes, keyed, pairs, small_encoder
from torch import nn
from torch.nn import functional

from benchx.errors import UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.coattention import Stream
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.vit import ViT
from benchx.methods.fusion.m3ae import m3ae
from benchx.methods.fusion.ptunifier import ptunifier_pairs
from benchx.methods.keyed_init import seeded_images
from benchx.methods.text.ptunifier import SoftPrompts
from benchx.methods.text.roberta import roberta

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def weights() -> Weights:
    heads = {"itm_head.fc": 2, "irtr_head": 1, "vqa_head.3": 7}
    shapes = fusion_shapes() | {f"{name}.weight": (rows, 1536) for name, rows in heads.items()}
    shapes |= {f"{name}.bias": (rows,) for name, rows in heads.items()}
    shapes |= {"vqa_head.0.weight": (1536, 1536)} | dict.fromkeys(
        ("vqa_head.0.bias", "vqa_head.1.weight", "vqa_head.1.bias"), (1536,)
    )
    return keyed(shapes)


@pytest.fixture(scope="module")
def encoder(weights) -> ViT:
    encoder = small_encoder()
    encoder.fusion = filled_fusion("m3ae", weights)
    return encoder


@torch.inference_mode()
def test_pairs_are_fused_as_in_the_second_reading(encoder, weights):
    images, text = pairs(3)
    expected = meter_reading.fuse(weights, text.words, images.tokens, text.word_mask, layers=2)
    fused = encoder.fuse(images, text)
    assert fused.shape == (3, 1536)
    assert relative(fused, expected) < TOLERANCE
    assert relative(encoder.match(images, text), meter_reading.match(weights, expected)) < TOLERANCE


@torch.inference_mode()
def test_the_images_layer_reads_the_text_of_the_pair_before(encoder, weights):
    """The trap of reading one after the other changes the features by far more than the tolerance."""
    images, text = pairs(3)
    trap = meter_reading.fuse(weights, text.words, images.tokens, text.word_mask, layers=2, sequential=True)
    assert relative(encoder.fuse(images, text), trap) > 1e-2


@torch.inference_mode()
def test_the_heads_of_fine_tuned_files(encoder, weights):
    images, text = pairs(2)
    fused = encoder.fuse(images, text)
    retrieving = filled_fusion("m3ae", weights, head="irtr")
    expected = (fused @ weights["irtr_head.weight"].T + weights["irtr_head.bias"])[:, 0]
    assert relative(retrieving.match(fused), expected) < TOLERANCE
    answering = filled_fusion("m3ae-vqa-rad", weights, answers=7)
    assert (answering.answers, answering.matches) == (7, False)
    assert relative(answering.answer(fused), meter_reading.answer(weights, fused)) < TOLERANCE
    with pytest.raises(UsageError, match="belong together"):
        answering.match(fused)
    with pytest.raises(UsageError, match="no answers of its own"):
        retrieving.answer(fused)


@torch.inference_mode()
def test_a_pair_does_not_depend_on_its_batch_or_on_padding(encoder):
    images, text = pairs(3)
    together = encoder.fuse(images, text)
    last = replace(images, pooled=images.pooled[2:], tokens=images.tokens[2:])
    cut = replace(text, pooled=text.pooled[2:], words=text.words[2:, :4], word_mask=text.word_mask[2:, :4])
    assert relative(encoder.fuse(last, cut), together[2:]) < TOLERANCE
    unmasked = replace(cut, word_mask=None)
    assert relative(encoder.fuse(last, unmasked), together[2:]) < TOLERANCE


def test_gradients_reach_words_patches_and_every_layer(encoder):
    images, text = pairs(2)
    words, tokens = text.words.clone().requires_grad_(), images.tokens.clone().requires_grad_()
    encoder.match(replace(images, tokens=tokens), replace(text, words=words)).sum().backward()
    assert words.grad[0].abs().sum() > 0
    assert tokens.grad.abs().sum() > 0
    last = encoder.fusion.vision.layers[-2]
    assert last.multihead_attn.in_proj_weight.grad.abs().sum() > 0
    encoder.zero_grad(set_to_none=True)


def epsilons(module: nn.Module) -> set[float]:
    return {part.eps for part in module.modules() if isinstance(part, nn.LayerNorm)}


def test_every_layernorm_has_its_own_codes_epsilon():
    """Figures cannot tell: 1e-5 in the fusion changes them by 8e-6."""
    with torch.device("meta"):
        fusion, tower = m3ae(head="vqa", answers=3), roberta()
        clip = build_encoder(read_card("m3ae"))
        prompts = SoftPrompts()
    assert epsilons(fusion.language) == epsilons(fusion.vision) == {1e-12}
    assert epsilons(fusion.vqa_head) == epsilons(tower) == epsilons(clip) == {1e-5}
    assert epsilons(prompts) == {1e-5}


@pytest.mark.parametrize(("method", "size"), [("m3ae", 288), ("m3ae-vqa-rad", 384), ("arl-vqa-rad", 384)])
def test_the_image_side_is_clips_without_its_last_block(method, size):
    with torch.device("meta"):
        encoder = build_encoder(read_card(method))
        found = encoder.eval().encode(torch.zeros(1, 3, size, size, device="meta"))
    assert len(encoder.trunk.blocks) == 11
    assert found.tokens.shape == (1, 1 + (size // 16) ** 2, 768)
    assert not encoder.projects


def test_all_tokens_pass_the_last_layernorm():
    torch.manual_seed(0)
    encoder = build_encoder(
        read_card("m3ae").model_copy(update={"input": read_card("m3ae").input.scaled_to(32)})
    ).eval()
    with torch.inference_mode():
        tokens = encoder.encode(torch.randn(1, 3, 32, 32)).tokens
    assert float(tokens.mean(-1).abs().max()) < 1e-5
    assert torch.allclose(tokens.var(-1, unbiased=False), torch.ones(1, 5), atol=1e-3)


@pytest.mark.parametrize("method", ["m3ae", "arl-vqa-rad"])
def test_positions_are_resized_bicubically_without_antialiasing(method):
    """Corners are not aligned; smaller sizes tell antialiasing, any other size tells the corners."""
    card = read_card(method)
    encoder = build_encoder(card.model_copy(update={"input": card.input.scaled_to(96)}))
    before = torch.randn(1, 37, 768, generator=torch.Generator().manual_seed(0))
    encoder.trunk.pos_embed.data.copy_(before)
    encoder.resize(64)
    grid = before[:, 1:].transpose(1, 2).unflatten(2, (6, 6))
    rules = [
        functional.interpolate(grid, size=(4, 4), mode="bicubic", align_corners=corners, antialias=smooth)
        for corners, smooth in [(False, False), (True, False), (False, True)]
    ]
    right, aligned, smoothed = (torch.cat([before[:, :1], one.flatten(2).transpose(1, 2)], 1) for one in rules)
    found = encoder.trunk.pos_embed.detach()
    assert torch.allclose(found, right, atol=1e-6)
    assert relative(found, aligned) > 0.1
    assert relative(found, smoothed) > 0.1


def test_images_have_no_embedding_of_their_own(encoder):
    images, text = pairs(1)
    assert not encoder.projects
    with pytest.raises(UsageError, match="no embedding of an image by itself") as caught:
        encoder.project(images)
    assert "match or fuse" in caught.value.todo
    with pytest.raises(UsageError, match="does not compare every image with every text") as caught:
        encoder.similarity(images, text)
    assert (caught.value.why, caught.value.todo) == ("it reads an image and a text together", "use match on pairs")


def test_features_that_are_no_pairs(encoder):
    images, text = pairs(2)
    one = pairs(1)[1]
    for given, message in [
        (one, "2 images and 1 texts are no pairs"),
        (replace(text, words=None), "have no words"),
        (replace(text, word_mask=torch.zeros(2, 5, dtype=torch.bool)), "a text has no word"),
    ]:
        with pytest.raises(UsageError, match=message):
            encoder.match(images, given)
    with pytest.raises(UsageError, match="have no tokens"):
        encoder.fuse(replace(images, tokens=None), text)


@pytest.mark.parametrize(("head", "answers"), [("vqa", 0), ("vqa", 1), ("itm", 498)])
def test_answers_go_with_their_head(head, answers):
    with pytest.raises(UsageError, match=f"the head '{head}' with {answers} answers"):
        m3ae(head=head, answers=answers)


def test_ptunifiers_fusion_needs_its_tower():
    encoder = small_encoder()
    with torch.device("meta"):
        encoder.fusion, encoder.text = ptunifier_pairs(), roberta()
    with pytest.raises(UsageError, match="goes with the text tower 'ptunifier'"):
        encoder.match(*pairs(1))


def test_the_official_matching_score_is_the_second_logit(encoder, weights):
    fused = torch.randn(4, 1536, generator=torch.Generator().manual_seed(1))
    logits = fused @ weights["itm_head.fc.weight"].T + weights["itm_head.fc.bias"]
    with torch.inference_mode():
        assert torch.allclose(encoder.fusion.match(fused), logits[:, 1], atol=1e-5)


def test_streams_have_six_layers_of_the_official_names():
    with torch.device("meta"):
        names = set(Stream(1e-12).layers[0].state_dict())
        assert len(Stream(1e-12).layers) == 6
    joined = len(cross_shapes("x")) - 2 * 2 * 2
    assert len(names) == joined


@pytest.mark.slow
@pytest.mark.skipif(not SEEDS.is_dir(), reason="../shared/parity-seeds is not there")
@torch.inference_mode()
def test_the_second_reading_gives_the_official_figures():
    """What the certificates of m3ae-vqa-rad and ptunifier rest on."""
    expected = np.load(SEEDS / "expected" / "m3ae.npz")
    shapes = {name: tuple(shape) for name, shape in manifest("m3ae")["tensors"].items() if "mlm" not in name}
    weights = keyed(shapes)
    ids, mask = (torch.from_numpy(expected[name]) for name in ("text_ids", "text_mask"))
    tokens, words = meter_reading.clip(weights, seeded_images(288)), meter_reading.roberta(weights, ids, mask)
    fused = meter_reading.fuse(weights, words, tokens, mask)
    for name, found in (("pooled", tokens[:, 0]), ("text_cls_unimodal", words[:, 0]), ("mm_cls", fused)):
        assert relative(found, torch.from_numpy(expected[name])) < TOLERANCE, name


@pytest.mark.slow
@pytest.mark.parametrize("method", ["m3ae-vqa-rad", "ptunifier"])
@torch.inference_mode()
def test_the_second_reading_gives_the_kept_figures(method):
    facts = certificate(method)
    weights = keyed({name: tuple(shape) for name, shape in facts["tensors"].items()})
    images = seeded_images(facts["image"]["size"])
    ids, mask = (torch.tensor(facts["text"][name]) for name in ("ids", "mask"))
    tokens, words = meter_reading.clip(weights, images), meter_reading.roberta(weights, ids, mask)
    fused = meter_reading.fuse(weights, words, tokens, mask, eps=1e-5 if method == "ptunifier" else 1e-12)
    found = {"pooled": tokens[0, 0], "fused": fused[0]}
    if method == "ptunifier":
        found |= {
            "projection": meter_reading.embed_image(weights, images)[0],
            "text_embedding": meter_reading.embed_text(weights, ids, mask)[0],
            "matching": meter_reading.match(weights, fused),
        }
    else:
        found |= {"text_pooled": words[0, 0], "answers": meter_reading.answer(weights, fused)[0]}
    assert set(facts["expected"]) == set(found)
    for name, kept in facts["expected"].items():
        assert from_kept(found[name], kept) < TOLERANCE, name


@pytest.mark.slow
def test_ptunifier_reads_real_pairs_with_the_layers_of_its_tower(tmp_path):
    encoder = load("ptunifier", keyed_file(tmp_path, "ptunifier"))
    ids = torch.tensor([[0, 713, 16, 2, 1, 1], [0, 9, 11, 12, 13, 2]])
    with torch.inference_mode():
        images, text = encoder.encode(seeded_images(288)), encoder.read_tokens(ids)
        scores = encoder.match(images, text)
        alone = encoder.match(replace(images, pooled=images.pooled[:1], tokens=images.tokens[:1]),
                              encoder.read_tokens(ids[:1, :4]))  # fmt: skip
    assert text.words.shape == (2, 6, 768)
    assert text.word_mask.sum(1).tolist() == [4, 6]
    assert relative(alone, scores[:1]) < TOLERANCE
