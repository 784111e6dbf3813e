from __future__ import annotations

import pytest

from benchx.errors import UsageError
from benchx.methods.cards.reading import card_names
from benchx.planning import plan
from benchx.suites import read_suite, suite_names
from benchx.tasks.kinds import KINDS


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid_and_named_as_their_file(name):
    suite = read_suite(name)
    assert suite.name == name
    assert plan(suite, ["any"])


def test_phantom_is_chestxray_made_small():
    big, small = read_suite("chestxray"), read_suite("phantom")
    assert set(small.datasets) - {"vqa-rad"} < set(big.datasets)
    assert {task for plan in small.datasets.values() for task in plan.tasks} == set(KINDS)
    assert small.fractions == big.fractions
    assert small.protocols["frozen"].strengths == big.protocols["frozen"].strengths
    assert {protocol.input.size for protocol in small.protocols.values()} == {128}


@pytest.mark.parametrize("name", suite_names())
def test_the_methods_of_a_suite_and_of_its_tasks_have_cards(name):
    suite = read_suite(name)
    of_tasks = {one for entry in suite.datasets.values() for task in entry.tasks.values() for one in task.methods or ()}
    assert of_tasks <= set(suite.methods) <= set(card_names())


def test_a_file_extends_a_suite_and_null_removes(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: chestxray\nname: mine\nversion: 3\nonly: [nih, rsna]\nfractions: [1.0]\n"
        "datasets:\n  rsna: null\n"
        "  nih:\n    split: cv5\n    tasks:\n      classification: {classes: [Mass, Edema]}\n"
    )
    suite = read_suite(str(path))
    assert list(suite.datasets) == ["nih"]
    assert suite.datasets["nih"].split == "cv5"
    assert suite.datasets["nih"].tasks["classification"].classes == ("Mass", "Edema")
    assert suite.datasets["nih"].tasks["classification"].protocols == ("frozen", "finetune")


def test_an_unknown_suite_suggests_the_nearest():
    with pytest.raises(UsageError, match="unknown suite 'chestxrays'") as caught:
        read_suite("chestxrays")
    assert "did you mean 'chestxray'" in caught.value.todo


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "extends: medvl-2d\nname: a\nonly: [nih]\ndatasets: {nih: {split: cv5}}\n",
            "'zero-shot-searched' searches prompts, which every fold of cv5",
        ),
        (
            "extends: medvl-2d\nname: a\nonly: [nih]\nprotocols: {few-shot: {shots: [1, 2]}}\n",
            "'few-shot' has no such shots for macro_auroc_at_16",
        ),
        (
            "extends: medvl-2d\nname: a\nprotocols: {zero-shot-ensemble: {prompts: {templates: {ct: ['a slice']}}}}\n",
            "zero-shot-ensemble",
        ),
        ("extends: chestxray\nname: a\nfractions: [2.0]\n", "fractions.0"),
        ("extends: chestxray\nname: a\nfractions: [0.1, 0.1]\n", "twice"),
        ("extends: chestxray\nname: a\nsede: [1]\n", "sede"),
        ("extends: chestxray\nname: a\nonly: [nhi]\n", "nih"),
        ("extends: chestxray\nname: a\nonly: nih\n", "only is no list"),
        (
            "extends: chestxray\nname: a\ndatasets: {nih: {tasks: {classification: {classes: [Flu]}}}}\n",
            "'Flu'",
        ),
        ("extends: chestxray\nname: a\ndatasets: {nih: {tasks: {segmentation: {}}}}\n", "segmentation"),
        ("extends: chestxray\nname: a\nprotocols: {frozen: {kind: magic}}\n", "protocols.frozen"),
        ("- a\n- b\n", "no mapping"),
        ("a: [b\n", "is not YAML"),
        ("extends: self.yaml\n", "extends itself"),
    ],
)
def test_a_wrong_file_says_where_and_why(tmp_path, text, says):
    path = tmp_path / "self.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_suite(str(path))
    assert says in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="no suite file"):
        read_suite(str(tmp_path / "none.yaml"))
