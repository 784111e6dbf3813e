"""GLoRIA's prompts: how many there are, and that they are drawn as the official code draws them."""

from __future__ import annotations

import itertools
import random

import pytest

from benchx.datasets.five_by_200 import FINDINGS
from benchx.prompts.gloria_chexpert import PHRASES, drawn_prompts


def test_the_five_classes_are_those_of_chexpert_5x200_in_its_order():
    assert tuple(PHRASES) == FINDINGS


def test_the_draw_is_that_of_the_official_code():
    # What generate_chexpert_class_prompts(5) of marshuang80/gloria gives as the first draw after its random.seed(6)
    drawn = drawn_prompts(5, 6)
    assert {name: len(prompts) for name, prompts in drawn.items()} == dict.fromkeys(PHRASES, 5)
    assert drawn["Atelectasis"] == (
        "minimal residual atelectasis at the left lung zone",
        "minimal subsegmental atelectasis at the left lung base",
        "trace atelectasis at the mid lung zone",
        "mild bandlike atelectasis at the lung bases",
        "minimal bandlike atelectasis at the right lung base",
    )
    assert drawn["Edema"] == (
        "pulmonary edema",
        "improvement in pulmonary interstitial edema",
        "decreased pulmonary edema",
        "moderate pulmonary edema",
        "mild pulmonary edema",
    )
    assert drawn["Pleural Effusion"] == (
        "increased left subpulmonic pleural effusion",
        "stable tiny bilateral pleural effusion",
        "large tiny subpulmonic pleural effusion",
        "decreased tiny subpulmonic pleural effusion",
        "tiny bilateral pleural effusion",
    )


@pytest.mark.parametrize(("per_class", "seed"), [(1, 0), (5, 6), (10, 42)])
def test_classes_are_drawn_one_after_the_other(per_class, seed):
    random.seed(seed)
    for name, (first, second, third) in PHRASES.items():
        texts = [f"{a} {b} {c}" for a in first for b in second for c in third]
        expected = [" ".join(text.split()) for text in random.sample(texts, per_class)]
        assert drawn_prompts(per_class, seed)[name] == tuple(expected)


def test_all_prompts_where_there_are_no_more():
    everything = drawn_prompts(1000, 0)
    assert [len(prompts) for prompts in everything.values()] == [210, 15, 192, 18, 54]
    assert len(set(everything["Pleural Effusion"])) == 36  # one subtype is listed twice
    assert everything == drawn_prompts(1000, 1)
    assert drawn_prompts(16, 0)["Cardiomegaly"] == everything["Cardiomegaly"]
    assert all(text == " ".join(text.split()) for text in itertools.chain(*everything.values()))
