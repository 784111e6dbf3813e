"""A comparison in Markdown, JUnit XML, SARIF, JSON and GitHub's workflow commands, with the worst names there are."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from scipy import stats

from benchx.reporting.compare.comparison import Comparison, Cost, Row, fails, judged_by
from benchx.reporting.compare.junit import to_junit
from benchx.reporting.compare.matching import CellName
from benchx.reporting.compare.notes import what_would_do
from benchx.reporting.compare.rule import Need
from benchx.reporting.compare.sarif import to_sarif
from benchx.reporting.compare.texts import (
    difference_text,
    headline,
    rules_line,
    terminal_rows,
    to_json,
    to_markdown,
    workflow_commands,
)
from benchx.statistics.variance import Estimate

HOSTILE = "<img src=x>|`a` @octocat #12 \x00\x1b[31m\ud800\uffff\n::error::100%, a:b"
CHEAP = Cost(2.0, 3.5, 10**9, 13 * 10**8, comparable=True, slower=True, larger=True)


def name(method, dataset="nih", fraction=0.1):
    return CellName("phantom", method, dataset, "classification", "frozen", "official", fraction)


def estimate(value, se=0.01, df=100.0):
    half = float(stats.t.ppf(0.975, df)) * se
    return Estimate(
        value=value, low=value - half, high=value + half, se=se, df=df, level=0.95,
        p_value=float(2 * stats.t.sf(abs(value) / se, df)), case_variance=se**2,
        case_df=df, clusters=int(df) + 1, draw_variance=None, draws=1, draw_df=None,
        between_variance=None, interaction_variance=None, prior_df=0.0,
    )  # fmt: skip


def measured(verdict, value, method="mrm", **fields):
    difference = estimate(value)
    values = {"base": 0.8, "head": 0.8 + value, "difference": difference, "p_different": difference.p_value}
    return Row(name(method), verdict, "macro_auroc", data="phantom", unit="patients", units=60, **values | fields)


ROWS = (
    measured("regressed", -0.05, cost=CHEAP),
    Row(name("failing"), "missing", "macro_auroc", base=0.7, reason="0: failed: out of memory", broken=True),
    Row(name("absent"), "missing", "macro_auroc", base=0.7, reason="HEAD has no result"),
    measured("inconclusive", 0.002, "gloria", reason="about 900 test patients would find a difference of 0.01"),
    measured("improved", 0.06, "biovil"),
    Row(name("refers"), "new", "macro_auroc", head=0.6),
    Row(name("chexzero"), "same", "macro_auroc", data="phantom", base=0.7, head=0.7, identical=True),
)


def comparison(rows=ROWS, margin=0.01):
    return Comparison("base-store", "head-store", margin, 0.95, 2000, sum(r.difference is not None for r in rows), rows)


def hostile():
    return comparison((replace(ROWS[0], name=name(HOSTILE)), replace(ROWS[1], reason=HOSTILE)))


def test_the_headline_counts_and_says_what_failed():
    counts = "1 regressed, 2 missing, 1 inconclusive, 1 improved, 1 new, 1 same (1 of the missing failed in HEAD)"
    assert headline(comparison(), "regression") == f"FAILED: {counts}"
    assert headline(comparison(ROWS[2:]), "regression").startswith("passed: 1 missing, 1 inconclusive")
    assert headline(comparison(ROWS[2:]), "any").startswith("FAILED: 1 missing")
    assert headline(comparison(ROWS[4:]), "any") == "passed: 1 improved, 1 new, 1 same"


def test_the_rules_name_margin_level_and_family():
    line = rules_line(comparison())
    for part in ("95 % intervals", "p <= 0.05", "Holm over the 3 cells tested", "within ±0.01", "2000 replicates"):
        assert part in line
    assert "intervals" in line.split("not corrected for the number of cells")[0]
    assert "±" not in rules_line(comparison(margin=0.0))


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (-0.05, -0.07, -0.03, "-0.050 [-0.070, -0.030]"),
        (-0.0006, -0.0009, -0.0003, "-0.0006 [-0.0009, -0.0003]"),
        (0.01, -4e-5, 0.02, "+0.01000 [-0.00004, +0.02000]"),
        (0.01, 4e-5, 0.02, "+0.01000 [+0.00004, +0.02000]"),
        (0.01, 0.0, 0.02, "+0.010 [+0.000, +0.020]"),
        (0.0, 0.0, 0.0, "+0.000 [+0.000, +0.000]"),
        (-3e-9, -4e-9, -2e-9, "-0.000000003 [-0.000000004, -0.000000002]"),
    ],
)
def test_a_bound_that_is_not_0_does_not_look_like_it(value, low, high, text):
    found = replace(estimate(value), low=low, high=high)
    assert difference_text(replace(ROWS[0], difference=found)) == text


def test_with_any_a_cell_that_lacks_a_draw_is_missing_unless_it_regressed():
    rows = (
        replace(ROWS[0], lost=("1",), notes=("only BASE has draw 1, left out",)),
        *(replace(row, lost=("1",), notes=("only BASE has draw 1, left out",)) for row in (ROWS[3], ROWS[6])),
        ROWS[4],
    )
    found = comparison(rows)
    assert judged_by(found, "regression") == found
    assert [fails(row, "regression") for row in rows] == [True, False, False, False]
    strict = judged_by(found, "any")
    assert [row.verdict for row in strict.rows] == ["regressed", "missing", "missing", "improved"]
    for judged in (rows, strict.rows):
        assert [fails(row, "any") for row in judged] == [True, True, True, False]
    assert headline(strict, "any") == "FAILED: 1 regressed, 2 missing, 1 improved"
    notes = {row["cell"].split(" / ")[0]: row["note"] for row in terminal_rows(strict)}
    assert notes["chexzero"] == "same on the draws that both have; only BASE has draw 1, left out"
    assert notes["gloria"].startswith("inconclusive on the draws that both have: about 900 test patients")
    assert [one["ruleId"] for one in json.loads(to_sarif(strict, "any"))["runs"][0]["results"]] == [
        "regressed",
        "missing",
        "missing",
    ]
    assert ElementTree.fromstring(to_junit(strict, "any"))[0].attrib["failures"] == "3"


def test_a_table_for_the_terminal():
    rows = terminal_rows(comparison())
    assert rows[0] == {
        "verdict": "regressed",
        "cell": "mrm / nih / classification / frozen / 10 %",
        "base": "0.800",
        "head": "0.750",
        "head - base": "-0.050 [-0.070, -0.030]",
        "p (Holm)": "p < 0.001",
        "note": "wall time x 1.8 (2 s to 4 s); peak memory x 1.3 (1000 MB to 1300 MB)",
    }
    assert rows[1]["head"] == "none"
    assert rows[-1]["head - base"] == "0, identical"
    for row in terminal_rows(hostile()):
        for cell in row.values():
            assert cell.isprintable()
            assert "::" not in cell


def test_suites_and_splits_are_named_where_they_differ():
    second = replace(ROWS[0], name=replace(name("mrm"), suite="chestxray", split="benchx-2024"))
    cells = [row["cell"] for row in terminal_rows(comparison((ROWS[0], second)))]
    assert cells[0] == "phantom: mrm / nih / classification / frozen / 10 % / split official"
    assert cells[1] == "chestxray: mrm / nih / classification / frozen / 10 % / split benchx-2024"


def test_markdown_begins_with_the_verdict_and_folds_what_is_the_same():
    text = to_markdown(comparison(), "regression")
    assert text.startswith("### benchx compare FAILED: 1 regressed")
    assert text.index("mrm / nih") < text.index("<details><summary>1 the same</summary>") < text.index("chexzero")
    assert "Simulated images (phantom)" in text
    assert "chexzero" not in text.split("<details>")[0]
    assert "<details>" not in to_markdown(comparison(ROWS[:2]), "regression")


def test_markdown_holds_no_foreign_markup():
    text = to_markdown(hostile(), "regression")
    assert "<img" not in text
    assert "@octocat" not in text.replace("@\u200b", "")
    assert "#12" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {8}
    text.encode()


@pytest.mark.parametrize("same", [False, True])
def test_markdown_fits_a_comment_and_counts_what_it_leaves_out(same):
    one = ROWS[-1] if same else replace(ROWS[0], notes=("x" * 280,))
    many = tuple(replace(one, name=name(f"method-{number}")) for number in range(3000))
    text = to_markdown(comparison(many), "regression")
    assert 50_000 < len(text.encode()) < 65_536
    shown = sum("method-" in line for line in text.splitlines())
    assert f"{3000 - shown} more cells are left out" in text
    assert 100 < shown < 3000
    assert "corrected by Holm" in text


def test_junit_has_one_test_case_per_cell():
    root = ElementTree.fromstring(to_junit(comparison(), "regression"))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    cases = suite.findall("testcase")
    assert suite.attrib["tests"] == str(len(cases)) == "7"
    assert suite.attrib["failures"] == str(len(suite.findall("testcase/failure"))) == "2"
    assert suite.attrib["skipped"] == str(len(suite.findall("testcase/skipped"))) == "2"
    assert suite.attrib["errors"] == "0"
    assert cases[0].attrib == {
        "classname": "phantom.nih.classification.frozen.official",
        "name": "mrm at 10 %",
        "time": "3.500",
    }
    values = {one.attrib["name"]: one.attrib["value"] for one in cases[0].find("properties")}
    assert values["verdict"] == "regressed"
    assert float(values["difference"]) == -0.05
    assert cases[0].find("failure").attrib["type"] == "regressed"
    strict = ElementTree.fromstring(to_junit(comparison(), "any"))[0]
    assert (strict.attrib["failures"], strict.attrib["skipped"]) == ("4", "0")


def test_junit_survives_control_characters():
    root = ElementTree.fromstring(to_junit(hostile(), "regression"))
    first, second = root.iter("testcase")
    assert first.attrib["name"].startswith("<img src=x>|`a` @octocat #12 \\x00\\x1b[31m")
    assert "\\x00" in second.find("failure").text


def test_sarif_has_what_code_scanning_needs():
    """The properties that SARIF 2.1.0 requires, and those that GitHub requires beyond it."""
    log = json.loads(to_sarif(comparison(), "regression"))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], [rule["id"] for rule in driver["rules"]]) == (
        "benchx",
        ["regressed", "missing", "inconclusive"],
    )
    assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
        ("regressed", "error"),
        ("missing", "error"),
        ("missing", "warning"),
        ("inconclusive", "warning"),
    ]
    for one in run["results"]:
        assert driver["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["message"]["text"]
        (location,) = one["locations"]
        assert location["physicalLocation"]["region"]["startLine"] == 1
    files = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
    assert files[0] == "baselines/mrm.yaml"
    assert files[1] == "suites/phantom.yaml"


def test_fingerprints_are_of_the_cell_and_stay():
    first, second = (
        [one["partialFingerprints"]["benchxCell/v1"] for one in json.loads(text)["runs"][0]["results"]]
        for text in (
            to_sarif(comparison(), "regression"),
            to_sarif(comparison((measured("regressed", -0.09), *ROWS[1:])), "any"),
        )
    )
    assert first == second
    assert len(set(first)) == 4
    json.loads(to_sarif(hostile(), "any"))


def test_workflow_commands_are_one_line_each_and_escaped():
    lines = workflow_commands(comparison(), "regression")
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::warning"]
    assert lines[0].startswith(
        "::error title=benchx%3A regressed::mrm / nih / classification / frozen / 10 %25: macro_auroc"
    )
    for line in workflow_commands(hostile(), "regression"):
        assert line.isprintable()
        assert line.startswith("::error title=benchx%3A ")
        assert "100%25, a:b" in line


def test_more_workflow_commands_than_are_shown_are_counted():
    lines = workflow_commands(comparison(ROWS[:1] * 25), "regression")
    assert len(lines) == 10
    assert lines[-1] == "::error title=benchx::and 16 more cells; see the table"


def test_json_has_every_number():
    found = json.loads(json.dumps(to_json(comparison(), "regression"), allow_nan=False))
    assert (found["schema_version"], found["failed"], found["tests"]) == (1, True, 3)
    assert found["counts"]["missing"] == 2
    assert [row["fails"] for row in found["rows"]] == [True, True, *[False] * 5]
    assert found["rows"][0]["difference"]["value"] == -0.05
    assert found["rows"][0]["name"]["method"] == "mrm"


@pytest.mark.parametrize(
    ("need", "text"),
    [
        (Need(0.01, 7351, None), "about 7,400 test patients would find a difference of 0.01"),
        (Need(0.01, 7351, 9), "about 7,400 test patients would find a difference of 0.01, so would 9 draws on these"),
        (Need(0.005, None, 9), "9 draws would find a difference of 0.005; with 3 draws no number of patients does"),
        (Need(0.01, None, None), "more draws and more test patients are needed: with 3 draws no number of patients "
                                 "would find a difference of 0.01"),
    ],
)  # fmt: skip
def test_what_would_decide_in_words(need, text):
    assert what_would_do(need, "patients", 3) == text
