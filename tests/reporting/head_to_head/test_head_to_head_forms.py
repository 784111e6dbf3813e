"""What is written of a head-to-head: the same numbers in every form, no markup, no patient."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pandas as pd
import pytest
from contests import fought
from made_stores import made_store

from benchx.errors import UsageError
from benchx.reporting.head_to_head.contest import FEW_UNITS, Prompts
from benchx.reporting.head_to_head.forms import check_folder, to_csv, to_json, to_markdown, write_head_to_head
from benchx.reporting.head_to_head.words import cell_rows, rate_rows, rules


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    def keep(cell):
        return cell.method != "biovil" or cell.dataset == "rsna"

    folder = tmp_path_factory.mktemp("forms")
    store = made_store(folder, {"mrm": 2.2, "gloria": 0.8, "biovil": 0.8}, patients=40, keep=keep)
    return fought(store, ("mrm:gloria", "biovil:gloria"), replicates=300)


def edited(found, **changes):
    """The same with another first cell."""
    first, *others = found.pairs
    cell = replace(first.cells[0], **changes)
    return replace(found, pairs=(replace(first, cells=(cell, *first.cells[1:])), *others))


def test_the_csv_has_a_row_per_pair_and_cell_with_whole_numbers(found):
    table = pd.read_csv(io.StringIO(to_csv(found)))
    cells = [(pair, cell) for pair in found.pairs for cell in pair.cells]
    assert len(table) == len(cells) == 9
    for (_, line), (pair, cell) in zip(table.iterrows(), cells, strict=True):
        assert (line["adapted"], line["base"]) == (pair.adapted, pair.base)
        assert (line["dataset"], line["fraction"], line["metric"]) == (cell.dataset, cell.fraction, cell.metric)
        assert (line["difference"], line["low"], line["high"]) == (cell.difference, cell.low, cell.high)
        assert (line["p"], line["p_holm"]) == (cell.p_value, cell.p_adjusted)
        assert (line["verdict"], line["verdict_holm"]) == (cell.verdict, cell.corrected)
        assert (line["cases"], line["units"], line["unit"]) == (80, 40, "patients")
        assert line["difference"] == pytest.approx(line["adapted_score"] - line["base_score"], abs=1e-15)


def test_the_json_has_rates_with_and_without_correction_beside_what_is_expected(found):
    written = json.loads(json.dumps(to_json(found), allow_nan=False))
    assert written["schema_version"] == 1
    assert written["false_rate"] == pytest.approx(0.025)
    assert written["smallest_p"] == 2 / 301
    for pair, told in zip(found.pairs, written["pairs"], strict=True):
        for name in ("rates", "corrected"):
            rates = told[name]
            assert rates["win"] + rates["tie"] + rates["loss"] == pytest.approx(1)
            assert rates["cells"] == len(pair.cells) == len(told["cells"])
    assert written["rates"]["cells"] == 9
    assert len(written["pairs"][1]["left_out"]) == 3


def test_the_table_of_rates_ends_with_those_of_equal_methods(found):
    rows = rate_rows(found)
    assert [row["pair"] for row in rows[::2]] == [
        "mrm against gloria", "biovil against gloria", "mean of pairs", "expected of equal methods",
    ]  # fmt: skip
    assert rows[-1] == {
        "pair": "expected of equal methods", "correction": "none", "win": "2.5 %", "tie": "95.0 %", "loss": "2.5 %",
        "cells": "9",
    }  # fmt: skip
    alone = replace(found, pairs=found.pairs[:1])
    assert [row["pair"] for row in rate_rows(alone)] == ["mrm against gloria"] * 2 + ["expected of equal methods"]


def test_the_rules_count_the_false_verdicts_to_expect(found):
    text = " ".join(rules(found))
    assert "2.5 % of the cells are expected as wins and as many as losses: about 0.45 of 9 cells in all" in text
    assert "draws (seeds), which are held fixed" in text
    assert "at most 5 %" in text


def test_few_clusters_and_too_few_replicates_are_said(found):
    assert "Fewer than" not in " ".join(rules(found))
    few = " ".join(rules(edited(found, units=FEW_UNITS - 1)))
    assert f"Fewer than {FEW_UNITS} units are resampled in nih / classification / frozen / 1 %" in few
    assert "no first p value can pass" not in few
    text = " ".join(rules(replace(found, replicates=100)))
    assert "mrm against gloria: over 6 cells no first p value can pass Holm's correction" in text


def test_prompts_have_columns_where_a_search_was_made(found):
    assert "prompts of adapted" not in cell_rows(found.pairs[0])[0]
    side = replace(found.pairs[0].cells[0].adapted, prompts=(Prompts("pairs/1", 0.712, 4), Prompts("x/0", None, 4)))
    rows = cell_rows(edited(found, adapted=side).pairs[0])
    assert rows[0]["prompts of adapted"] == "pairs/1 (0.712), x/0 (none)"
    assert {row["prompts of base"] for row in rows} == {""}


def test_what_was_seen_is_marked_and_said(found):
    side = replace(found.pairs[0].cells[0].base, saw=("images", "labels"))
    text = to_markdown(edited(found, base=side))
    assert "nih / classification / frozen / 1 % †" in text
    assert "base saw images, labels" in text
    assert "Seen in pretraining" not in to_markdown(found)


def test_names_are_no_markup_and_phantom_results_say_so(found):
    first = replace(found.pairs[0], adapted="a|b<i>", left_out=("x | <script>",))
    text = to_markdown(replace(found, pairs=(first,), notes=("<b>note</b>",)))
    assert "<script>" not in text
    assert "<i>" not in text
    assert "<b>" not in text
    assert "says nothing about patients" in text
    assert "says nothing about patients" not in to_markdown(replace(found, data="real"))
    assert to_csv(replace(found, pairs=(replace(first, adapted="=1+1"),))).splitlines()[1].split(",")[3] == "'=1+1"


def test_no_form_names_a_patient_or_a_case(found):
    for text in (to_markdown(found), to_csv(found), json.dumps(to_json(found))):
        assert "p0001" not in text
        assert "nih-00001" not in text


def test_all_forms_are_written_into_one_folder(found, tmp_path):
    files = write_head_to_head(found, tmp_path / "new")
    assert [file.name for file in files] == ["head-to-head.md", "head-to-head.csv", "head-to-head.json"]
    assert files[0].read_text() == to_markdown(found)
    assert files[1].read_text() == to_csv(found)
    assert json.loads(files[2].read_text()) == json.loads(json.dumps(to_json(found)))
    with pytest.raises(UsageError, match="is a file"):
        check_folder(files[0])
    check_folder(tmp_path / "not-there")
