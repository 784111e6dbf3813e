"""The report of one method: every number is the board's, nothing in it is markup, and it says what it cannot say."""

from __future__ import annotations

import dataclasses
import re
from math import sqrt

import pytest
from made_boards import made_board
from made_stores import CLASSIFICATION, made_store
from scipy import stats

from benchx.errors import UsageError
from benchx.reporting.board import Board
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.method.forms import report_html, report_markdown
from benchx.reporting.method.methods_section import REFERENCES
from benchx.reporting.method.report import method_report
from benchx.suites import read_suite

SKILLS = {"mrm": 2.0, "gloria": 0.9, "random-resnet50": 0.0}
VOID = {"meta", "link"}


def markdown(board: Board, method: str) -> str:
    """The report with the padding of its tables taken out."""
    return re.sub(" +", " ", report_markdown(method_report(board, method)))


def prose(board: Board, method: str) -> str:
    return " ".join(method_report(board, method).methods_section)


def section(board: Board, method: str, heading: str) -> str:
    return next(
        ("\n".join(one.lines) for one in method_report(board, method).findings if one.heading.startswith(heading)), ""
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("store"), SKILLS)


@pytest.fixture(scope="module")
def board(store):
    return build_board(read_suite(CLASSIFICATION), [store], Rules(replicates=300), lambda card: None, lambda *_: None)


def test_every_column_of_the_board_has_its_line(board):
    text = markdown(board, "gloria")
    for column in board.columns:
        row = column.row("gloria")
        (pair,) = [pair for pair in column.pairs if (pair.a, pair.b) == ("gloria", "random-resnet50")]
        ahead, told = pair.difference, column.discriminability
        p = "p < 0.001" if pair.p_adjusted < 0.001 else f"p = {pair.p_adjusted:.3f}"
        assert (
            f"| {column.dataset} {100 * column.fraction:g} % | "
            f"{row.score.value:.3f} [{row.score.low:.3f}, {row.score.high:.3f}] | "
            f"2 [{row.rank.low}, {row.rank.high}] of 3 | {row.letters} | "
            f"{ahead.value:+.3f} [{ahead.low:+.3f}, {ahead.high:+.3f}] {p} | ● yes, {told.detectable:.3f} |"
        ) in text


def test_what_was_run_is_summed_up_over_cells(board):
    text = markdown(board, "gloria")
    for said in (
        "# gloria: report on suite phantom, version 1",
        "> **Simulated images (phantom): says nothing about patients.**",
        "**Done**: 6 of 6 columns; 14 of the 14 draws planned in them",
        "**Label fractions**: 1 %, 10 %, 100 %",
        "**Wall time, all draws**: 28 s",  # 14 cells of 2 s
        "**Peak memory**: 1.0 GB",
        "**Device**: cpu, fp32",
        "**Certificate**: none",
        f"**Weights (sha256)**: {board.methods[0].weights[:12]}\n",
        "place 2 of 3; mean rank 2.00",
        "in the columns 6 wins, 0 ties, 6 losses.",
    ):
        assert said in text
    assert "phantom)" not in markdown(dataclasses.replace(board, data="real"), "gloria")


def test_strong_and_weak_columns_are_those_of_the_corrected_tests(board):
    everywhere = "nih 1 %, 10 %, 100 %; rsna 1 %, 10 %, 100 %: "
    assert section(board, "mrm", "Strong") == everywhere + "beats 2 of 2 others"
    assert section(board, "random-resnet50", "Weak") == everywhere + "beaten by mrm and gloria"
    assert section(board, "gloria", "Between") == everywhere + "beats 1 of 2 others; beaten by mrm"
    for name in SKILLS:
        assert not section(board, name, "Undecided")


def test_every_compared_column_is_counted_once_and_in_the_right_place():
    made = made_board(10, 4, 3)
    for name in (method.name for method in made.methods):
        report = {one.heading.split(":")[0]: "\n".join(one.lines) for one in method_report(made, name).findings}
        for column in made.columns:
            if column.row(name) is None:
                continue
            others = [pair for pair in column.pairs if name in (pair.a, pair.b)]
            won = sum(pair.different and (pair.a == name) for pair in others)
            lost = sum(pair.different and (pair.b == name) for pair in others)
            expected = "Strong" if 2 * won > len(others) else "Weak" if 2 * lost > len(others) else "Between"
            if won == lost == 0:
                blind = column.discriminability.verdict == "cannot"
                expected = "What the data could not tell" if blind else "Undecided"
            share = f"{100 * column.fraction:g} %"
            found = rf"{column.dataset} \({column.protocol}\) [^;:]*(?<!\d){re.escape(share)}"
            assert re.search(found, report[expected]), (name, column.name, expected)
            for other in {"Strong", "Weak", "Between", "Undecided"} - {expected}:
                assert not re.search(found, report.get(other, "")), (name, column.name, other)


def tied_board(draws: int) -> tuple[Board, str]:
    """A board of one column in which three methods are not told apart; nothing is drawn, or three draws are."""
    made = made_board(3, 1, 3) if draws > 1 else made_board(4, 1, 1)
    column = made.columns[0]
    pairs = tuple(dataclasses.replace(pair, different=False, p_adjusted=0.4) for pair in column.pairs)
    verdict = dataclasses.replace(column.discriminability, verdict="weakly")
    column = dataclasses.replace(column, pairs=pairs, discriminability=verdict)
    return dataclasses.replace(made, columns=(column,)), column.rows[2].method


def test_an_undecided_column_says_how_many_patients_would_decide():
    made, method = tied_board(1)
    (column,) = made.columns
    pair = next(pair for pair in column.pairs if {pair.a, pair.b} == {column.rows[0].method, method})
    text = section(made, method, "Undecided")
    assert "nor are any two others" in text
    assert f"detectable {column.discriminability.detectable:.3f}" in text
    assert f"{-pair.difference.value:+.3f} [{-pair.difference.high:+.3f}, " in text
    assert f"p = 0.400 to the leader {column.rows[0].method}" in text
    units, now = map(int, re.search(r"would take about (\d+) patients \(now (\d+)\)", text).groups())
    assert now == column.units == 800

    def found(patients: int) -> bool:
        """Whether that many find the difference with 80 % power by the first of three Holm tests."""
        se = sqrt(pair.difference.case_variance * now / patients)
        quantiles = stats.t.ppf([1 - 0.05 / 3 / 2, 0.8], patients - 1)
        return quantiles.sum() * se <= pair.difference.value

    assert found(units)
    assert not found(units - 1)


def test_where_draws_are_few_more_draws_are_a_way_too():
    made, method = tied_board(3)
    text = section(made, method, "Undecided")
    draws = int(re.search(r"(\d+) draws \(now 3\) with these patients", text).group(1))
    assert draws > 3
    whole_board = dataclasses.replace(made, family="board", columns=made.columns * 4)
    stricter = section(whole_board, method, "Undecided")
    assert int(re.search(r"(\d+) draws \(now 3\)", stricter).group(1)) > draws


def test_without_an_observed_difference_nothing_is_promised():
    made, method = tied_board(1)
    (column,) = made.columns
    pairs = tuple(
        dataclasses.replace(pair, difference=dataclasses.replace(pair.difference, value=0.0)) for pair in column.pairs
    )
    level = dataclasses.replace(made, columns=(dataclasses.replace(column, pairs=pairs),))
    assert "none was observed, so what one would take is not known" in section(level, method, "Undecided")


def test_what_the_data_could_not_tell_is_said():
    made = made_board(7, 2, 2)
    lines = section(made, made.methods[-2].name, "What the data")
    for said in (
        "nih 10 %; rsna 10 %: 2 of 3 draws",
        "rsna 10 %, 100 %: the test set cannot separate the methods",
        "nih 10 %, 100 %: classes that could not be scored: Hernia (no positive in test)",
        "rsna 10 %, 100 %: classes without an interval: Hernia (no positive in test)",
        "nih 100 %: nothing is drawn, so there is one result: its interval covers the choice of test patients",
        "rsna 10 %, 100 %: 3 images stand in two parts of the published split",
        "no method has a result: iu-xray / classification / frozen / 1 %: data-missing <no root>",
        "2 results of suite version 2 <left out>",
    ):
        assert said in lines
    lacking = section(made, made.methods[-1].name, "What the data")
    assert "rsna 100 %: no result (out of <memory> & time)" in lacking
    assert "not ranked, it lacks rsna / classification / frozen / 100 %" in markdown(made, made.methods[-1].name)


def test_one_draw_of_several_covers_patients_only(tmp_path):
    suite = read_suite(CLASSIFICATION)
    some = made_store(tmp_path, {"mrm": 2.0, "gloria": 0.5}, keep=lambda cell: cell.seed in (0, None))
    single = build_board(suite, [some], Rules(replicates=200), lambda card: None, lambda *_: None)
    text = section(single, "gloria", "What the data")
    assert "nih 1 %, 10 %; rsna 1 %, 10 %: 1 draw of 3: the interval covers the test patients only" in text
    assert "In 4 columns fewer draws of gloria than planned were available." in prose(single, "gloria")
    assert "(method of moments)" not in prose(single, "gloria")


def test_robustness_is_the_range_of_places_over_scenarios():
    made = made_board(6, 4, 2)
    for standing in made.standings:
        for method in standing.scenarios[0].ranks:
            known = [one for one in standing.scenarios if method in one.ranks]
            places = [sorted(one.ranks.values()).index(one.ranks[method]) + 1 for one in known]
            furthest = max(
                range(len(known)),
                key=lambda i: (abs(places[i] - places[0]), abs(known[i].ranks[method] - known[0].ranks[method])),
            )
            lines = section(made, method, "If something").splitlines()
            line = next(line for line in lines if line.startswith(f"classification, {standing.protocol}:"))
            assert f"place {places[0]} of {len(known[0].ranks)} as run, {min(places)} to {max(places)} over" in line
            stays = all(one.ranks[method] == known[0].ranks[method] for one in known)
            assert f"'{known[furthest].name}'" in line or (stays and "moves it most" not in line)
            assert ("not ranked without contaminated <methods>" in line) == (len(known) < len(standing.scenarios))


def test_contamination_certificate_subgroups_and_published_figures(board):
    made = made_board(2, 1, 1)
    first, second = (row.method for row in made.columns[0].rows)
    assert section(made, second, "Seen in pretraining") == "nih 100 %: pretraining saw labels of <train>"
    assert not section(made, first, "Seen in pretraining")
    assert f"commit {made.columns[0].rows[0].certificate[:12]}" in markdown(made, first)
    assert "age 40-59 above 0-17 on 1 of 14 classes by 0.052 [" in section(made, first, "Subgroups")
    assert "sex" not in section(made, first, "Subgroups")
    assert "no significant gap (sex; Holm within each)" in section(board, "gloria", "Subgroups")
    paper, code, _ = made.columns[0].published
    score = made.columns[0].row("medklip").score
    line = f"| nih 100 % | {paper.value:.3f} ± 0.004 | {code.value:.3f} | {score.value:.3f} ["
    assert line in markdown(made, "medklip")
    assert "Table 2 of &lt;the paper&gt;" in markdown(made, "medklip")
    assert "| 0.55 at 0.89 | 0.41 at 0.95 |" in markdown(made, "medklip")


def test_the_methods_section_states_the_settings_of_the_board(board):
    text = prose(board, "gloria")
    for said in (
        "benchx (version 0.1.0) on simulated images of suite phantom, version 1",
        "nih (n = 120 images of 60 patients, official split) and rsna (n = 120 images of 60 patients, official split)",
        "with 1 % and 10 % of the training data (3 draws, which differ in the labelled subset) and with 100 % of the "
        "training data (one result, since nothing is drawn)",
        "95 % t intervals",
        "300 bootstrap replicates, in which whole patients were drawn",
        "There were 18 comparisons in 6 columns (3 each); p values were corrected by Holm (1979) within one column",
        "3 methods, 6 columns and 1 block; with so few, no test across datasets was made",
        "nothing was filled in for missing results",
    ):
        assert said in text
    assert "Friedman" not in text
    assert "moderated (Smyth 2004)" in text
    rows = [dataclasses.replace(column, rows=column.rows[:2]) for column in board.columns]
    of_two = prose(dataclasses.replace(board, columns=tuple(rows)), "gloria")
    assert "paired by draw; otherwise" in of_two
    assert "Smyth" not in of_two
    other = dataclasses.replace(board, correction="benjamini-hochberg", family="board", margin=0.02, level=0.9)
    text = prose(other, "gloria")
    for said in ("90 % t intervals", "Benjamini and Hochberg (1995) over all columns", "within ±0.02", "at most 0.1"):
        assert said in text


def test_tests_across_datasets_are_reported_where_they_were_made():
    text = prose(made_board(6, 4, 2), "medklip")
    assert "Iman and Davenport (1980) (F = 3.69, p = 0.020)" in text
    assert "Nemenyi's critical difference (1.20 at 0.05)" in text
    assert "3 columns" not in text
    assert "2 columns and 1 block; 1 method lacked some and had no rank; with so few, no test" in text


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 1, 1), (6, 4, 2)])
def test_what_is_cited_is_listed_and_nothing_else(size):
    made = made_board(*size)
    report = method_report(made, made.methods[0].name)
    text = " ".join(report.methods_section).replace("(", "").replace(")", "")
    cited = {
        re.sub(r"\s+", " ", found) for found in re.findall(r"[A-Z]\w+(?: and [A-Z]\w+| et al\.)? (?:19|20)\d\d", text)
    }
    assert cited <= set(REFERENCES)
    assert set(report.references) == {REFERENCES[key] for key in cited}


def test_a_board_of_one_method_compares_nothing(tmp_path):
    alone = made_store(tmp_path, {"mrm": 1.0})
    single = build_board(read_suite(CLASSIFICATION), [alone], Rules(replicates=200), lambda card: None, lambda *_: None)
    text = markdown(single, "mrm")
    assert "It is the only method with a result, so nothing was compared." in text
    assert "one method only" in text
    assert "Holm" not in prose(single, "mrm")
    assert not [one for one in method_report(single, "mrm").findings if one.heading.split(":")[0] in ("Strong", "Weak")]


def test_a_method_that_only_failed_is_told_why(board):
    columns = tuple(
        dataclasses.replace(column, absent={"medklip": "failed: out of memory"} if column.dataset == "nih" else {})
        for column in board.columns
    )
    failed = method_report(dataclasses.replace(board, columns=columns), "medklip")
    (only,) = failed.findings
    assert only.heading == "No finished result"
    assert only.lines == ("nih 1 %, 10 %, 100 %: failed: out of memory", "rsna 1 %, 10 %, 100 %: not run")
    assert failed.scores == failed.methods_section == failed.references == ()
    assert "For the methods section" not in report_markdown(failed) + report_html(failed)


def test_an_unknown_method_is_an_error_with_the_nearest_name(board):
    with pytest.raises(UsageError) as error:
        method_report(board, "glorai")
    assert "did you mean 'gloria'?" in str(error.value)
