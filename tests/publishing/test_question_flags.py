"""What a table says of test questions against one's own files: flags told by hand, and every one changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchx.datasets.questions import Asked, build_samples
from benchx.datasets.samples import Samples
from benchx.datasets.splits import Fold
from benchx.planning import Cell
from benchx.publishing.question_flags import compare_flags

ASKED = [
    ("i1", "Left.", "train", "POS"),
    ("i1", "the left", "train", "POS"),
    ("i2", "heart", "train", "ORGAN"),
    ("i3", "lung", "val", "ORGAN"),
    ("i1", "left", "test", "POS"),
    ("i3", "Heart", "test", "ORGAN"),
    ("i4", "lung", "test", "ORGAN"),
    ("i4", "left", "test", "COUNT"),
]
"""Image, answer, part and kind. Left is most frequent in training, heart to ORGAN; lung is never trained."""
TRUE = {
    "answerable": [1, 1, 0, 1],
    "seen_image": [1, 1, 0, 0],
    "majority": [1, 0, 0, 1],
    "majority_by_kind": [1, 1, 0, 1],
    "closed": [0, 0, 0, 1],
}
FOLD = Fold(np.arange(3), np.arange(3, 4), np.arange(4, 8))
PLACES = np.array([6, 4, 7, 5])
"""The table's order."""


def protocol(**changes: object) -> dict[str, object]:
    fields = {
        "kind": "answer",
        "input": {"preprocessing": "card"},
        "feature_batch": 8,
        "precision": "fp32",
        "encoder": "frozen",
        "questions": "minilm",
        "head": "linear",
        "epochs": 2,
        "batch_size": 8,
        "lr": 0.001,
        "head_lr": 0.001,
        "weight_decay": 0.0,
        "patience": 3,
    }
    return fields | changes


def cell(**changes: object) -> Cell:
    settings = {"smallest_fraction": 0.1, "cut_validation": False, "short_side": 64, "uncertain": "unknown"}
    settings["protocol"] = protocol(**changes)
    return Cell("s", 1, "m", "d", "vqa", "a", "official", 1.0, 0, "accuracy", settings)


@pytest.fixture
def samples() -> Samples:
    rows = [
        Asked(f"q{number}", image, f"{image}.png", "which?", answer, number == 7, kind, part, "here")
        for number, (image, answer, part, kind) in enumerate(ASKED)
    ]
    return build_samples("d", Path("d"), rows, set())


def table_of(flags: dict[str, list[int]]) -> pd.DataFrame:
    columns = {name: np.array(values, np.int8)[PLACES - 4] for name, values in flags.items()}
    return pd.DataFrame({"sample": [f"q{place}" for place in PLACES], "fold": np.zeros(4, np.int8)} | columns)


def compared(
    samples: Samples, flags: dict[str, list[int]], unreadable: int = 0, folds: tuple[Fold, ...] = (FOLD,), **how
):
    return compare_flags(table_of(flags), PLACES, cell(**how), samples, folds, unreadable)


def test_true_flags_do_not_differ(samples):
    assert compared(samples, TRUE) == ([], [])


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("closed", "not closed or open"),
        ("answerable", "not inside or outside of the vocabulary"),
        ("seen_image", "not about an image that training saw"),
        ("majority", "not answered by the most frequent answer as"),
        ("majority_by_kind", "not answered by the most frequent answer of their kind"),
    ],
)
def test_one_changed_flag_is_found(samples, name, says, place):
    values = list(TRUE[name])
    values[place] = 1 - values[place]
    ((found,), left_out) = compared(samples, TRUE | {name: values})
    assert found.startswith(says)
    assert found.endswith(": 1 question")
    assert left_out == []


def test_the_vocabulary_is_that_of_the_protocol(samples):
    whole = TRUE | {"answerable": [1, 1, 1, 1]}
    assert compared(samples, whole, vocabulary="all") == ([], [])
    assert len(compared(samples, TRUE, vocabulary="all")[0]) == 1
    assert len(compared(samples, whole, vocabulary="train")[0]) == 1


def test_of_a_methods_own_answers_no_vocabulary_is_known_but_all_else_is(samples):
    assert compared(samples, TRUE | {"answerable": [0, 1, 1, 0]}, head="own") == ([], [])
    ((found,), _) = compared(samples, TRUE | {"majority": [0, 0, 0, 1]}, head="own")
    assert "most frequent answer" in found


def test_a_label_fraction_decides_what_training_saw(samples):
    """Half of the two training images is one of them; the vocabulary stays that of both."""
    i1 = {"seen_image": [1, 1, 0, 0], "majority": [1, 0, 0, 1], "majority_by_kind": [1, 0, 0, 1]}
    i2 = {"seen_image": [0, 1, 0, 0], "majority": [0, 1, 0, 0], "majority_by_kind": [0, 1, 0, 0]}
    drawn = set()
    for seed in range(8):
        half = replace(cell(), fraction=0.5, seed=seed)
        fits = [
            compare_flags(table_of(TRUE | some), PLACES, half, samples, (FOLD,), 0) == ([], []) for some in (i1, i2)
        ]
        assert sum(fits) == 1
        drawn.add(fits.index(True))
    assert drawn == {0, 1}


def test_each_fold_has_its_own_training(samples):
    """Two folds, in each of which i4's or the other images' questions are tested."""
    folds = (Fold(np.arange(4), np.arange(0), np.arange(6, 8)), Fold(np.arange(6, 8), np.arange(0), np.arange(4, 6)))
    table = table_of(TRUE | {"answerable": [1, 0, 1, 1], "seen_image": [0, 0, 0, 0], "majority": [0, 0, 0, 1]})
    table = table.assign(fold=np.array([0, 1, 0, 1], np.int8), majority_by_kind=np.array([0, 0, 1, 0], np.int8))
    assert compare_flags(table, PLACES, cell(), samples, folds, 0) == ([], [])
    swapped = compare_flags(table.assign(seen_image=np.int8(1)), PLACES, cell(), samples, folds, 0)[0]
    assert [one.rpartition(": ")[2] for one in swapped] == ["4 questions"]


def test_without_a_split_or_with_unreadable_images_only_the_kind_is_compared(samples):
    wrong = {name: [1 - value for value in values] for name, values in TRUE.items()}
    closed = ["not closed or open as in your files: 4 questions"]
    assert compared(samples, wrong, folds=()) == (closed, [])
    said = "what training knew of the test questions is not compared; 2 images said to be unreadable"
    assert compared(samples, wrong, unreadable=2) == (closed, [said])


def test_what_cannot_be_taught_on_ones_own_files_cannot_have_been_scored(samples):
    untaught = Fold(FOLD.train[:0], FOLD.val, FOLD.test)
    ((found,), _) = compared(samples, TRUE, folds=(untaught,))
    assert found.startswith("it cannot be scored on your files: no training question of d")
