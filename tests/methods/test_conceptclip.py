"""ConceptCLIP's own rules and traps, on small parts and on parts without weights; its parity is in parity_checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from comparing import relative
from official_files import certificate, hollow_tensors, saved
from torch import nn
from torch.nn.functional import cosine_similarity

from benchx.methods.cards.reading import read_card
from benchx.methods.checkpoints.reading import open_container, read_file
from benchx.methods.coverage import cover
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Features
from benchx.methods.filling import as_stored
from benchx.methods.scorers import build_scorer
from benchx.methods.scorers.conceptclip import ConceptCLIP, concept, conceptclip
from benchx.methods.text import build_tower
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.conceptclip import ConceptCLIPText, conceptclip_text, first_places, pieces
from benchx.methods.text.tokens import Tokens

PARTS = {"image encoder": build_encoder, "text tower": build_tower, "scorer": build_scorer}


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Seen(nn.Module):
    """An encoder whose projections are the features themselves."""

    def project(self, features: Features) -> torch.Tensor:
        return features.pooled

    def project_tokens(self, features: Features) -> torch.Tensor:
        return features.tokens


def scorer_of(scale: float = 0.5, bias: float = -3.0, concept_scale: float = 1.5) -> ConceptCLIP:
    made = conceptclip()
    values = {"logit_scale": scale, "logit_bias": bias, "concept_logit_scale": concept_scale, "concept_logit_bias": 7.0}
    made.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    return made


@pytest.fixture
def tower() -> ConceptCLIPText:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return conceptclip_text(vocabulary=30, layers=1).eval().requires_grad_(False)


def test_the_image_tower_has_the_exact_gelu_and_siglips_eps():
    """transformers' SigLIP has the tanh GELU: 1.6e-4 off, which a looser tolerance would let pass."""
    with torch.device("meta"):
        encoder = build_encoder(read_card("conceptclip"))
    activations = [module for module in encoder.modules() if isinstance(module, nn.GELU)]
    assert len(activations) == 27 + 1 + 1
    assert {module.approximate for module in activations} == {"none"}
    assert {module.eps for module in encoder.modules() if isinstance(module, nn.LayerNorm)} == {1e-6}
    found = encoder.encode(torch.zeros(1, 3, 384, 384, device="meta"))
    assert (found.pooled.shape, found.tokens.shape) == ((1, 1152), (1, 729, 1152))
    assert encoder.project_tokens(found).shape == (1, 729, 1152)
    assert encoder.project(found) is found.pooled
    encoder.resize(224)
    assert encoder.encode(torch.zeros(1, 3, 224, 224, device="meta")).tokens.shape == (1, 256, 1152)


@pytest.mark.parametrize("container", [("state_dict",), ()])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_files_of_the_hub_and_of_the_training_code_fill_every_part(tmp_path, container, prefix):
    card = read_card("conceptclip")
    tensors = hollow_tensors("conceptclip") | {"text.transformer.embeddings.position_ids": torch.arange(512)[None]}
    path = saved(tmp_path / "x.pt", {prefix + name: value for name, value in tensors.items()}, container)
    tree, taken = read_file(path), set()
    for role, build in PARTS.items():
        with torch.device("meta"):
            part = build(card)
        layout = {"image encoder": card.layout, "text tower": card.text.layout, "scorer": card.scorer.layout}[role]
        stored = as_stored(layout, tree)
        found = cover(open_container(tree, stored.container, path), stored, part.expected())
        assert found.complete, role
        taken |= found.taken
    assert {name.removeprefix(prefix) for name in taken} == set(certificate("conceptclip")["tensors"])


def test_a_text_is_the_mean_of_its_tokens_without_padding(tower):
    ids = torch.tensor([[2, 7, 9, 3, 0, 0], [2, 8, 3, 0, 0, 0]])
    found = tower(ids)
    alone = [tower(row[row != 0][None]) for row in ids]
    for row, one in enumerate(alone):
        length = int((ids[row] != 0).sum())
        assert relative(found.pooled[row], one.pooled[0]) < 1e-5
        hidden = tower.hidden(ids[row : row + 1, :length], torch.ones(1, length, dtype=torch.int64))[-1][0]
        assert relative(found.pooled[row], hidden.mean(dim=0)) < 1e-5
        assert relative(found.embedding[row], hidden.mean(dim=0) @ tower.head.weight.T) < 1e-5
        assert relative(found.words[row, :length], one.words[0]) < 1e-5
    assert found.word_mask.tolist() == (ids != 0).tolist()
    assert found.words.shape == (2, 6, 1152)


def test_padding_is_known_by_its_id_whatever_mask_is_given(tower):
    ids = torch.tensor([[2, 7, 9, 3, 0, 0]])
    assert torch.equal(tower(ids, torch.ones_like(ids)).embedding, tower(ids).embedding)


def test_words_pass_two_layers_with_an_exact_gelu_between(tower):
    first, second = tower.word_projection[0], tower.word_projection[2]
    assert first.bias is None
    assert second.bias is None
    hidden = drawn(1, 5, 768)
    expected = nn.functional.gelu(hidden @ first.weight.T, approximate="none") @ second.weight.T
    assert relative(tower.word_projection(hidden), expected) < 1e-5


def official_places(text: list[str], name: list[str]) -> list[int]:
    """How the official zero-shot code finds the pieces of a class's name, [CLS] counted."""
    found = []
    for piece in name:
        try:
            found.append(text.index(piece) + 1)
        except ValueError:
            continue
    return found


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a chest radiology presents pneumo ##thorax", "pneumo ##thorax", [5, 6]),
        # The trap: the piece stands earlier in the template, and there it is found.
        ("a chest radiology presents chest mass", "chest mass", [2, 6]),
        ("a radiology of mass and mass", "mass mass", [4, 4]),
        ("a chest radiology presents lesion", "lung lesion", [5]),
        ("a chest radiology", "lung lesion", []),
        ("a chest radiology", "", []),
    ],
)
def test_pieces_are_found_at_their_first_occurrence(text, name, expected):
    words = {word: number for number, word in enumerate(dict.fromkeys(f"{text} {name}".split()), start=10)}
    text_ids, name_ids = ([words[word] for word in some.split()] for some in (text, name))
    assert first_places(text_ids, name_ids) == expected == official_places(text.split(), name.split())


def test_pieces_are_without_special_tokens_and_padding():
    ids = torch.tensor([[2, 7, 9, 3, 0], [2, 3, 0, 0, 0]])
    assert pieces(Tokens(ids, (ids != 0).long(), torch.zeros_like(ids).bool())) == [[7, 9], []]


def test_a_concept_is_the_mean_over_texts_of_the_means_of_its_words():
    words = drawn(3, 6, 8)
    text = TextFeatures(drawn(3, 8), drawn(3, 8), words, torch.ones(3, 6).bool())
    found = concept(text, [0, 2, 1], [[1, 2, 2], [4], []])
    expected = ((words[0, 1] + 2 * words[0, 2]) / 3 + words[2, 4]) / 2
    assert relative(found, expected / expected.norm()) < 1e-6
    # Not normalised before the mean over texts.
    longer = TextFeatures(text.pooled, text.embedding, words * torch.tensor([1, 1, 50.0])[:, None, None])
    assert cosine_similarity(concept(longer, [0, 2], [[1], [4]]), words[2, 4], dim=0) > 0.99
    assert concept(text, [0, 1], [[], []]) is None


@pytest.mark.parametrize("patches", [729, 128, 5])
def test_local_logits_are_means_of_the_128_best_patches(patches):
    scorer = scorer_of()
    images = Features(drawn(2, 8), drawn(2, patches, 8, seed=1) * 9, (), ())
    directions = nn.functional.normalize(drawn(3, 8, seed=2), dim=1)
    with torch.inference_mode():
        found = scorer.local(Seen(), images, directions).numpy()
    for row in range(2):
        for column in range(3):
            cosines = cosine_similarity(images.tokens[row], directions[column], dim=1).numpy()
            best = np.sort(cosines)[::-1][:128].mean(dtype=np.float64)
            # Without concept_logit_bias, which the evaluation does not use.
            assert found[row, column] == pytest.approx(np.exp(1.5) * best, abs=1e-5)


def test_whole_logits_have_no_bias_and_the_similarity_has():
    scorer = scorer_of()
    images = Features(drawn(2, 8), drawn(2, 4, 8), (), ())
    text = TextFeatures(drawn(3, 8, seed=3), drawn(3, 8, seed=3))
    cosines = cosine_similarity(images.pooled[:, None], text.embedding[None], dim=2)
    with torch.inference_mode():
        whole = scorer.whole(Seen(), images, nn.functional.normalize(text.embedding, dim=1))
        similarity = scorer(Seen(), images, text)
    assert relative(whole, np.exp(0.5) * cosines) < 1e-6
    assert relative(similarity, np.exp(0.5) * cosines - 3) < 1e-6
