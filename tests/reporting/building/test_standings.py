"""Standings over several sources of images: blocks, tests over blocks, and the interquartile mean, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from made_stores import made_store
from scipy import stats

from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.suites import read_suite

SKILLS = {"mrm": 2.0, "gloria": 0.9, "medklip": 0.5, "random-resnet50": 0.0}
SUITE = read_suite("chestxray").model_copy(update={"fractions": (0.1, 1.0), "seeds": (0, 1, 2)})
FAMILIES = {"nih": "nih", "rsna": "nih", "siim": "nih", "vindr": "vindr", "covidx": "covidx"}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    store = made_store(
        tmp_path_factory.mktemp("store"), SKILLS, suite=SUITE, keep=lambda cell: cell.protocol == "frozen"
    )
    return build_board(SUITE, [store], Rules(replicates=200), lambda card: None, lambda done, total: None)


def block_ranks(board):
    """Ranks [3, M] of the methods within every source of images, by scipy."""
    methods = sorted(SKILLS)
    ranked = {}
    for column in board.columns:
        scores = [-column.row(method).score.value for method in methods]
        ranked.setdefault(FAMILIES[column.dataset], []).append(stats.rankdata(scores))
    return methods, np.array([stats.rankdata(np.mean(several, axis=0)) for several in ranked.values()])


def test_datasets_of_one_source_are_one_block_and_mean_ranks_are_over_blocks(board):
    (standing,) = board.standings
    assert standing.blocks == ("nih", "vindr", "covidx")
    assert len(standing.columns) == 10
    methods, ranked = block_ranks(board)
    expected = dict(zip(methods, ranked.mean(axis=0), strict=True))
    assert {place.method: place.mean_rank for place in standing.places} == pytest.approx(expected)
    for place in standing.places:
        assert place.low <= place.mean_rank <= place.high
    assert sum(place.best for place in standing.places) == pytest.approx(1)


def test_friedmans_test_is_scipys(board):
    (standing,) = board.standings
    expected = stats.friedmanchisquare(*block_ranks(board)[1].T)
    assert standing.friedman.chi2 == pytest.approx(expected.statistic, rel=1e-12)
    assert standing.friedman.chi2_p == pytest.approx(expected.pvalue, rel=1e-9)


def test_letters_say_whose_mean_ranks_lie_within_the_critical_difference(board):
    (standing,) = board.standings
    expected = stats.studentized_range.isf(0.05, 4, np.inf) / np.sqrt(2) * np.sqrt(4 * 5 / (6 * 3))
    assert standing.critical_difference == pytest.approx(expected, rel=1e-9)
    for a in standing.places:
        for b in standing.places:
            share = bool(set(a.letters) & set(b.letters))
            assert share == (abs(a.mean_rank - b.mean_rank) < standing.critical_difference)


def test_the_interquartile_mean_is_of_differences_from_the_columns_means(board):
    (standing,) = board.standings
    values = {place.method: place.iqm for place in standing.places}
    assert sum(values.values()) == pytest.approx(0, abs=0.05)
    assert values["mrm"] > values["gloria"] > values["random-resnet50"]
    for place in standing.places:
        assert place.iqm_low <= place.iqm <= place.iqm_high


def test_three_blocks_are_too_few_for_signed_rank_tests(board):
    (standing,) = board.standings
    assert "cannot decide: the smallest p is 0.25" in standing.signed_rank
    assert "(needs 8 blocks or more)" in standing.signed_rank


def test_a_described_dataset_is_of_the_family_that_its_description_names(tmp_path):
    description = tmp_path / "mine.yaml"
    description.write_text(
        "name: mine\ntitle: Mine\nlicence: none\nsource: here\ncitation: none\nsize: small\ntasks: [classification]\n"
        "family: vindr\nclasses: [Mass]\ntable: {file: t.csv, images: i}\ncolumns: {image: image, labels: [Mass]}\n"
    )
    (tmp_path / "suite.yaml").write_text(
        "extends: phantom\nonly: [nih, rsna]\nname: own\nversion: 1\ndescription: own\ndatasets:\n  rsna: null\n"
        "  mine:\n    file: mine.yaml\n    split: official\n"
        "    tasks: {classification: {protocols: [frozen], primary: macro_auroc}}\n"
    )
    suite = read_suite(str(tmp_path / "suite.yaml"))
    store = made_store(tmp_path / "store", {"mrm": 1.0, "gloria": 0.0}, suite=suite)
    board = build_board(suite, [store], Rules(replicates=50), lambda card: None, lambda done, total: None)
    assert {column.dataset: column.family for column in board.columns} == {"nih": "nih", "mine": "vindr"}
