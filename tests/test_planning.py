from __future__ import annotations

import dataclasses

import pytest
from made_stores import CLASSIFICATION

from benchx.errors import UsageError
from benchx.planning import plan
from benchx.suites import read_suite

PHANTOM = read_suite(CLASSIFICATION)


def test_the_grid_has_every_point_and_no_seed_where_nothing_is_drawn():
    cells = plan(PHANTOM, ["a", "b"])
    assert len(cells) == 2 * 2 * (3 + 3 + 1)
    for cell in cells:
        assert (cell.seed is None) == (cell.fraction == 1.0)
    assert len({cell.digest for cell in cells}) == len(cells)


def test_fine_tuning_draws_even_at_the_whole_set():
    cells = plan(read_suite("chestxray"), ["a"], protocols=["finetune"], fractions=[1.0])
    assert {cell.seed for cell in cells} == {0, 1, 2, 3, 4}


def test_a_narrowed_plan_has_the_same_cells_as_the_whole_one():
    whole = {cell.digest for cell in plan(PHANTOM, ["a"])}
    narrowed = plan(PHANTOM, ["a"], datasets=["nih"], fractions=[0.1], seeds=[1])
    assert len(narrowed) == 1
    assert narrowed[0].digest in whole


def test_the_digest_is_of_what_is_asked_not_of_names():
    (cell, *_) = plan(PHANTOM, ["a"])
    renamed = dataclasses.replace(cell, suite="other", suite_version=9, protocol="mine")
    assert renamed.digest == cell.digest
    for change in (
        {"seed": 7},
        {"fraction": 0.5},
        {"split": "cv5"},
        {"settings": {**cell.settings, "short_side": 1}},
    ):
        assert dataclasses.replace(cell, **change).digest != cell.digest


def test_the_key_moves_with_everything_that_can_change_a_number():
    (cell, *_) = plan(PHANTOM, ["a"])
    parts = {"card": {"encoder": "x"}, "weights": "w", "dataset": "d", "split": "s"}
    key = cell.key(**parts)
    assert key == cell.key(**parts)
    assert len(key) == 64
    changed = [cell.key(**{**parts, name: {"other": 1} if name == "card" else "other"}) for name in parts]
    assert len({key, *changed}) == 5


def test_the_whole_set_does_not_depend_on_how_fractions_are_drawn(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(f"extends: {CLASSIFICATION}\nname: other\nfractions: [0.5, 1.0]\ncut_validation: false\n")
    other = {cell.digest for cell in plan(read_suite(str(path)), ["a"], fractions=[1.0])}
    assert other == {cell.digest for cell in plan(PHANTOM, ["a"], fractions=[1.0])}


@pytest.mark.parametrize(
    ("narrowing", "says"),
    [
        ({"datasets": ["nhi"]}, "did you mean 'nih'"),
        ({"tasks": ["segmentation"]}, "unknown task"),
        ({"protocols": ["frosen"]}, "did you mean 'frozen'"),
        ({"fractions": [0.2]}, "the known ones are: 0.01, 0.1, 1"),
        ({"seeds": [12]}, "the known ones are: 0, 1, 2"),
    ],
)
def test_an_unknown_narrowing_is_refused(narrowing, says):
    with pytest.raises(UsageError) as caught:
        plan(PHANTOM, ["a"], **narrowing)
    assert says in str(caught.value)
