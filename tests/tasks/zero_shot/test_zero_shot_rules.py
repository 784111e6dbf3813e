"""Which rule scores a method, what a method with fixed queries is asked, and where each looks."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from benchx.errors import NotApplicable, UsageError, WeightsMissing
from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.cosine import cosine
from benchx.methods.scorers.medklip import medklip
from benchx.methods.text.base import TextFeatures
from benchx.prompts.queries import FILE, NAMES
from benchx.prompts.schema import ClassPrompts, Pairs, Queries
from benchx.tasks.zero_shot.asking import ask
from benchx.tasks.zero_shot.grounding import heat_of
from benchx.tasks.zero_shot.rules import (
    BEST,
    BIOVIL,
    COMMON,
    CONCEPTS,
    COSINE,
    MEAN,
    OFFICIAL,
    PRESENCE,
    QUERIES,
    SHARES,
    rule_of,
    scores_of_concepts,
    scores_of_embeddings,
    scores_of_similarities,
)

PAIRS = Pairs.model_validate({"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["no {}"]}})


def test_official_rules_are_those_of_cards_that_exist():
    assert set(OFFICIAL) <= set(card_names())
    assert rule_of(read_card("medklip"), "official") == QUERIES
    assert rule_of(read_card("mgca-vit"), "official") == BEST
    assert rule_of(read_card("medklip").model_copy(update={"name": "mine"}), "official") == QUERIES
    assert rule_of(read_card("conceptclip").model_copy(update={"name": "mine"}), "official") == CONCEPTS
    assert rule_of(read_card("unimed-l14-large-text"), "official") == COSINE
    for name in ("gloria", "medklip", "chexzero"):
        assert rule_of(read_card(name), "common") == COMMON


def test_fixed_queries_are_asked_all_at_once(tmp_path):
    (tmp_path / "medklip").mkdir()
    published = {name.replace("pneumonia", "eumonia"): f"On {name}." for name in NAMES}
    (tmp_path / "medklip" / FILE).write_text(json.dumps(published))
    for prompts in (PAIRS, Queries(kind="queries")):
        asked = ask(QUERIES, prompts, ("Fibrosis", "Mass"), tmp_path, "medklip")
        assert len(asked.texts) == 75
        assert [asked.texts[some[0]] for some in asked.positive] == ["On tail_abnorm_obs.", "On mass."]
        assert asked.described["classes"] == {"Fibrosis": "tail_abnorm_obs", "Mass": "mass"}
    with pytest.raises(NotApplicable, match="cannot be asked about COVID-19"):
        ask(QUERIES, PAIRS, ("Mass", "COVID-19"), tmp_path, "medklip")
    for root in (None, tmp_path / "empty"):
        with pytest.raises(WeightsMissing, match="observation explanation"):
            ask(QUERIES, PAIRS, ("Mass",), root, "medklip")


def test_prompts_are_read_once_each():
    both = {"A": {"positive": ["a", "b", "a"], "negative": ["c"]}, "B": {"positive": ["b"], "negative": ["c", "d"]}}
    asked = ask(COMMON, Pairs.model_validate({"kind": "pairs", "classes": both}), ("A", "B"), None, "tiny")
    assert asked.texts == ("a", "b", "c", "d")
    assert (asked.positive, asked.negative) == (((0, 1, 0), (1,)), ((2,), (2, 3)))
    with pytest.raises(NotApplicable, match="not asked by fixed queries"):
        ask(BEST, Queries(kind="queries"), ("Mass",), None, "tiny")
    alone = ClassPrompts.model_validate({"kind": "class-prompts", "classes": {"A": ["a"]}})
    with pytest.raises(UsageError, match="lacks B"):
        ask(COMMON, alone, ("A", "B"), None, "tiny")


def test_texts_come_with_the_names_that_stand_in_them():
    assert ask(COMMON, PAIRS, ("Pleural_Thickening", "Mass"), None, "tiny").names == ("Pleural Thickening", "Mass")


def test_one_class_alone_is_weighed_against_its_absence_only():
    single = ClassPrompts.model_validate({"kind": "class-prompts", "templates": ["{}"]})
    assert ask(CONCEPTS, PAIRS, ("Mass",), None, "tiny").negative == ((1,),)
    assert len(ask(CONCEPTS, single, ("Mass", "Edema"), None, "tiny").texts) == 2
    with pytest.raises(NotApplicable, match="'tiny' cannot be asked about Mass alone"):
        ask(CONCEPTS, single, ("Mass",), None, "tiny")


def test_where_classes_share_one_softmax_absence_is_not_asked():
    asked = ask(SHARES, PAIRS, ("Mass", "Edema"), None, "tiny")
    assert asked.texts == ask(BEST, PAIRS, ("Mass", "Edema"), None, "tiny").texts[::2]
    assert asked.negative == ((), ())
    with pytest.raises(NotApplicable, match="'tiny' cannot be asked about Mass alone"):
        ask(SHARES, PAIRS, ("Mass",), None, "tiny")
    several = ClassPrompts.model_validate({"kind": "class-prompts", "templates": ["{}", "a {}"]})
    with pytest.raises(NotApplicable, match="one prompt for each class"):
        ask(SHARES, several, ("Mass", "Edema"), None, "tiny")


def test_which_classes_are_standardised():
    negative = ((1,), (), (2, 3))
    assert COMMON.standardises(negative).tolist() == [False, True, False]
    assert BEST.standardises(negative).tolist() == [True] * 3
    for rule in (PRESENCE, COSINE, CONCEPTS):
        assert rule.standardises(negative).tolist() == [False] * 3


def test_rules_by_hand():
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((5, 4)), rng.standard_normal((6, 4)) * [[1], [30], [1], [1], [30], [1]]
    positive, negative = ((0, 1), (2,), (3,)), ((4, 5), (5,), ())

    def cos(row: int, vector: np.ndarray) -> float:
        return float(cosine_similarity(torch.from_numpy(images[row]), torch.from_numpy(vector), dim=0))

    def direction(some, normalised: bool) -> np.ndarray:
        chosen = [texts[one] / (np.linalg.norm(texts[one]) if normalised else 1) for one in some]
        return np.mean(chosen, axis=0)

    for rule in (COMMON, COSINE, PRESENCE, BIOVIL):
        found = scores_of_embeddings(rule, images, texts, positive, negative)
        for row in range(5):
            for column, (some, others) in enumerate(zip(positive, negative, strict=True)):
                expected = cos(row, direction(some, rule != BIOVIL))
                if others:
                    opposed = cos(row, direction(others, rule != BIOVIL))
                    odds = np.exp([expected, opposed])
                    expected = expected - opposed if rule in (COMMON, COSINE) else odds[0] / odds.sum()
                assert found[row, column] == pytest.approx(expected, abs=1e-12)
    similarities = rng.standard_normal((5, 6))
    best, mean = (scores_of_similarities(rule, similarities, positive) for rule in (BEST, MEAN))
    assert best[:, 0].tolist() == similarities[:, :2].max(1).tolist()
    assert mean[:, 0] == pytest.approx(similarities[:, :2].mean(1))


@pytest.mark.parametrize("size", [1.0, 100.0, 3000.0])
def test_concepts_are_weighed_against_the_others_or_against_their_absence(size):
    whole, local = (drawn(5, 6, seed=seed).double() * size for seed in (1, 2))
    among = scores_of_concepts(whole.numpy(), local.numpy(), 6)
    assert among == pytest.approx((whole.softmax(1) / 2 + local.softmax(1) / 2).numpy(), abs=1e-12)
    against = scores_of_concepts(whole.numpy(), local.numpy(), 3)
    for index in range(3):
        pairs = [logits[:, [index, index + 3]].softmax(1)[:, 0] for logits in (whole, local)]
        assert against[:, index] == pytest.approx((sum(pairs) / 2).numpy(), abs=1e-12)


class Seen(nn.Module):
    """An encoder whose projections are the features themselves."""

    def __init__(self, scorer: nn.Module, projects: bool = True) -> None:
        super().__init__()
        self.scorer, self.token_projection = scorer, nn.Identity() if projects else None

    def project_tokens(self, features: Features) -> torch.Tensor:
        return features.tokens


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("first", [0, 1])
def test_heat_maps_are_cosines_of_places_with_the_class(first):
    text = TextFeatures(drawn(3, 8, seed=1), drawn(3, 8, seed=2))
    features = Features(drawn(2, 8), drawn(2, 9 + first, 8, seed=3), (), ())
    compare = heat_of(Seen(cosine()), text, [(0,), (1, 2)])
    found = compare(features)
    assert found.shape == (2, 2, 3, 3)
    for place in range(9):
        token = features.tokens[1, place + first]
        expected = cosine_similarity(token, text.embedding[0], dim=0)
        assert float(found[1, 0, place // 3, place % 3]) == pytest.approx(float(expected), abs=1e-6)


def test_medklip_looks_where_its_query_attends():
    torch.manual_seed(0)
    scorer = medklip().eval()
    features = Features(drawn(2, 256), drawn(2, 9, 256, seed=4), (), ())
    text = TextFeatures(drawn(5, 768, seed=5), drawn(5, 768, seed=5))
    encoder = Seen(scorer)
    with torch.inference_mode():
        found = heat_of(encoder, text, [(3,), (1,)])(features)
        assert torch.equal(found, scorer.attention(encoder, features, text)[:, [3, 1]])
    assert found.sum(dim=(2, 3)).numpy() == pytest.approx(np.ones((2, 2)), abs=1e-5)


def test_a_method_without_local_projections_has_no_heat_maps():
    text = SimpleNamespace(embedding=drawn(1, 8))
    assert "no local features" in heat_of(Seen(cosine(), projects=False), text, [(0,)])
