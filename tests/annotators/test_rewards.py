from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from benchx.annotators.rewards import NOTHING, checked_annotation, radgraph_f1

WORDS = ["effusion", "Effusion", "EFFUSION", "right", "Right", "lung", "no", "lower lobe", "Lower lobe", "é", ""]
LABELS = ["ANAT-DP", "OBS-DP", "OBS-DA"]
RELATIONS = ["located_at", "modify"]


@pytest.fixture(scope="module")
def radgraph_rewards() -> ModuleType:
    """radgraph's scoring alone, which imports nothing."""
    found = importlib.util.find_spec("radgraph")
    if found is None:
        pytest.skip("the package radgraph is not installed")
    file = Path(found.submodule_search_locations[0]) / "rewards.py"
    spec = importlib.util.spec_from_file_location("radgraph_rewards", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entity(tokens, label="OBS-DP", relations=()):
    return {"tokens": tokens, "label": label, "relations": [list(relation) for relation in relations]}


def drawn(draw: random.Random) -> dict:
    """Draw an annotation with repeated entities, capitals, loops and none at all; often very small."""
    ids = [str(number) for number in range(1, 1 + draw.choice([0, 1, 1, 2, 3, 6, 12]))]
    return {
        "entities": {
            one: entity(
                draw.choice(WORDS),
                draw.choice(LABELS),
                [(draw.choice(RELATIONS), draw.choice(ids)) for _ in range(draw.choice([0, 0, 1, 2, 3]))],
            )
            for one in ids
        }
    }


def test_scores_are_radgraphs_to_the_last_bit(radgraph_rewards):
    draw = random.Random(0)
    seen = set()
    for _ in range(5000):
        hypothesis, reference = drawn(draw), drawn(draw)
        scores = radgraph_f1(hypothesis, reference)
        assert scores == radgraph_rewards.compute_reward(hypothesis, reference, "all")
        seen.add(scores)
    assert len(seen) > 300


def test_a_report_against_itself_scores_one_and_against_nothing_zero():
    report = {"entities": {"1": entity("effusion", relations=[("located_at", "2")]), "2": entity("lung", "ANAT-DP")}}
    assert radgraph_f1(report, report) == (1, 1, 1)
    assert radgraph_f1(report, NOTHING) == radgraph_f1(NOTHING, report) == radgraph_f1(NOTHING, NOTHING) == (0, 0, 0)


def test_capitals_count_but_in_complete_for_entities_with_relations():
    written = {"entities": {"1": entity("Effusion", relations=[("located_at", "2")]), "2": entity("lung", "ANAT-DP")}}
    lower = {"entities": {"1": entity("effusion", relations=[("located_at", "2")]), "2": entity("lung", "ANAT-DP")}}
    assert radgraph_f1(written, lower) == (0.5, 0.5, 1.0)


def test_a_lost_relation_costs_partial_and_complete_alone():
    whole = {"entities": {"1": entity("effusion", relations=[("located_at", "2")]), "2": entity("lung", "ANAT-DP")}}
    loose = {"entities": {"1": entity("effusion"), "2": entity("lung", "ANAT-DP")}}
    assert radgraph_f1(loose, whole) == (1.0, 0.5, 0.5)


def test_what_scoring_does_not_need_is_left_out():
    found = {"text": "a patient's report", "entities": {"1": entity("lung") | {"start_ix": 0, "end_ix": 0}}}
    assert checked_annotation(found) == {"entities": {"1": entity("lung")}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"entities": []},
        {"entities": {"1": {}}},
        {"entities": {"1": None}},
        {"entities": {"1": entity(3)}},
        {"entities": {"1": entity("lung", label=None)}},
        {"entities": {"1": entity("lung") | {"relations": None}}},
        {"entities": {"1": entity("lung", relations=[("modify", "2")])}},
        {"entities": {"1": entity("lung", relations=[("modify", 1)])}},
        {"entities": {"1": entity("lung", relations=[("modify",)])}},
    ],
)
def test_what_is_no_annotation_is_refused(value):
    with pytest.raises(ValueError, match=r"annotation|entit|relation"):
        checked_annotation(value)
