"""What is drawn: questions by whole images, vocabularies of training answers, and what a table says of a draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_questions import asked, cell, questions

from benchx.datasets.questions import build_samples
from benchx.datasets.splits import Fold
from benchx.errors import NotApplicable
from benchx.tasks.vqa.cases import read_cases
from benchx.tasks.vqa.problem import Draw, pose
from benchx.tasks.vqa.tables import answer_table, shared_clusters

ROWS = [
    asked("a", "i1", "The left.", "train"),
    asked("b", "i1", 2, "train", kind="COUNT"),
    asked("c", "i2", "left", "val"),
    asked("d", "i2", "heart", "val", kind="ORGAN"),
    asked("e", "i1", "Two", "test", kind="COUNT"),
    asked("f", "i3", "lung", "test", kind="ORGAN", closed=True),
    asked("g", "i3", "heart", "test", kind=None),
]
FOLD = Fold(np.array([0, 1]), np.array([2, 3]), np.array([4, 5, 6]))


@pytest.fixture
def cases():
    return read_cases(build_samples("d", Path("d"), ROWS, set()))


def test_cases_know_their_image_and_normalised_answer(cases):
    assert cases.images.tolist() == [0, 0, 1, 1, 0, 2, 2]
    assert cases.answers.tolist() == ["left", "2", "left", "heart", "2", "lung", "heart"]
    assert cases.samples.clusters.tolist() == [f"i{number}.png" for number in (1, 1, 2, 2, 1, 3, 3)]
    assert "where is it" not in repr(cases)


def test_answers_to_choose_from_are_those_of_training(cases):
    (draw,) = pose(cell(), cases, [FOLD], "train")
    assert draw.vocabulary == ("left", "2")
    assert draw.targets.tolist() == [0, 1, 0, -1, 1, -1, -1]
    assert "left" not in repr(draw)


def test_all_answers_come_in_the_order_of_m3aes_labels(cases):
    (draw,) = pose(cell(), cases, [FOLD], "all")
    assert draw.vocabulary == ("left", "2", "heart", "lung")
    assert draw.targets.tolist() == [0, 1, 0, 2, 1, 3, 2]


def test_a_fraction_draws_whole_images_and_keeps_the_vocabulary():
    cases = read_cases(questions(40, 10))
    fold = Fold(np.arange(50), np.arange(50, 60), np.arange(60, 80))
    whole, part = (pose(cell(fraction=fraction), cases, [fold], "train")[0] for fraction in (1.0, 0.2))
    assert len(part.train) == 10
    assert np.unique(cases.images[part.train], return_counts=True)[1].tolist() == [2] * 5
    assert len(part.val) == 2
    assert part.vocabulary == whole.vocabulary
    assert part.test.tolist() == whole.test.tolist()


def test_without_questions_nothing_can_be_run(cases):
    samples = build_samples("d", Path("d"), ROWS, set())
    with pytest.raises(NotApplicable, match="asks no question"):
        read_cases(replace(samples, questions=None))
    with pytest.raises(NotApplicable, match="asks no question"):
        read_cases(samples.take(np.array([], int)))
    with pytest.raises(NotApplicable, match="no test question"):
        pose(cell(), cases, [Fold(FOLD.train, FOLD.val, FOLD.test[:0])], "train")
    with pytest.raises(NotApplicable, match="no training question"):
        pose(cell(), cases, [FOLD, Fold(FOLD.train[:0], FOLD.val, FOLD.test)], "train")


def test_a_table_says_who_would_have_been_right(cases):
    (draw,) = pose(cell(), cases, [FOLD], "train")
    table = answer_table(cases, draw, np.array([1, 0, 0]))
    assert table["sample"].tolist() == ["e", "f", "g"]
    assert table["cluster"].tolist() == ["i1.png", "i3.png", "i3.png"]
    assert table["correct"].tolist() == [1, 0, 0]
    assert table["closed"].tolist() == [0, 1, 0]
    assert table["answerable"].tolist() == [1, 0, 0]
    assert table["seen_image"].tolist() == [1, 0, 0]
    # Of the training answers left and 2, each once, left came first; to COUNT the most frequent is 2.
    assert table["majority"].tolist() == [0, 0, 0]
    assert table["majority_by_kind"].tolist() == [1, 0, 0]
    assert table["group:question"].tolist()[:2] == ["COUNT", "ORGAN"]
    assert table["group:question"].isna().tolist() == [False, False, True]
    assert not set(table.columns) & {"text", "answer", "truth"}
    assert shared_clusters(cases, draw) == 1


def test_guesses_are_made_of_training_answers_alone_and_validation_images_are_seen():
    """Of all answers heart is the most frequent, of validation's too; left is of training's."""
    rows = [
        *(asked(f"a{number}", "i1", "left", "train") for number in range(2)),
        asked("b", "i1", "heart", "train"),
        *(asked(f"c{number}", "i2", "heart", "val") for number in range(2)),
        asked("d", "i2", "left", "test"),
        *(asked(f"e{number}", "i3", "heart", "test") for number in range(3)),
    ]
    cases = read_cases(build_samples("d", Path("d"), rows, set()))
    (draw,) = pose(cell(), cases, [Fold(np.arange(3), np.arange(3, 5), np.arange(5, 9))], "train")
    table = answer_table(cases, draw, np.zeros(4, int))
    assert table["majority"].tolist() == [1, 0, 0, 0]
    assert table["majority_by_kind"].tolist() == [1, 0, 0, 0]
    assert table["seen_image"].tolist() == [1, 0, 0, 0]
    assert shared_clusters(cases, draw) == 1


def test_an_answer_outside_is_wrong_even_where_a_number_is_given(cases):
    draw = Draw(0, FOLD.train, FOLD.val, FOLD.test, ("left",), np.full(7, -1))
    assert answer_table(cases, draw, np.zeros(3, int))["correct"].tolist() == [0, 0, 0]
