"""All forms of a board of every task: each column by its own name, none by the name of another one's metric."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib.text
import pytest
from measured_stores import measured_store, suite_of

from benchx.reporting.board import Published
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.method.forms import report_html, report_markdown
from benchx.reporting.method.report import method_report
from benchx.reporting.wording import METRICS
from benchx.reporting.written.csv_table import to_csv
from benchx.reporting.written.figures import draw_figures
from benchx.reporting.written.files import write_board
from benchx.reporting.written.json_board import to_json
from benchx.reporting.written.latex import to_latex
from benchx.reporting.written.markdown import to_markdown
from benchx.reporting.written.page import to_html

SKILLS = {"mrm": 0.8, "gloria": 0.5, "random-resnet50": 0.48}
COLUMNS = {
    ("rsna", "classification", "frozen", "f1"),
    ("siim", "classification", "frozen", "macro_auroc"),
    ("rsna", "segmentation", "segment", "dice"),
    ("rsna", "zero_shot", "zero-shot", "macro_auroc"),
    ("rsna", "few_shot", "few-shot", "macro_auroc_at_16"),
    ("vqa-rad", "vqa", "answer", "accuracy"),
    ("mimic-cxr", "retrieval", "retrieve", "i2t_recall_at_10"),
    ("mimic-cxr", "report_generation", "generate", "bleu_4"),
}
TWO_FRACTIONS = """
extends: chestxray
only: [rsna]
name: fractions
seeds: [0, 1]
fractions: [0.1, 1.0]
datasets:
  rsna:
    split: official
    tasks:
      classification: null
      zero_shot: null
      segmentation: {protocols: [segment], primary: dice}
"""


def built(suite, store):
    return build_board(suite, [store], Rules(replicates=200), lambda card: None, lambda *_: None)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    suite = suite_of(tmp_path_factory.mktemp("suite"))
    curve = {"fold": {"search": {"best_so_far": [0.1, 0.2, 0.2, 0.2, 0.2, 0.3]}}}
    store = measured_store(
        tmp_path_factory.mktemp("store"), suite, skills=SKILLS,
        details=lambda cell: dict(curve) if cell.task == "segmentation" else {"transductive": cell.task == "zero_shot"},
    )  # fmt: skip
    return built(suite, store)


@pytest.fixture(scope="module")
def folder(board, tmp_path_factory):
    out = tmp_path_factory.mktemp("board")
    write_board(board, out)
    return out


@pytest.fixture(scope="module")
def dice(tmp_path_factory):
    """A board of segmentation alone, at two label fractions."""
    suite = suite_of(tmp_path_factory.mktemp("suite"), TWO_FRACTIONS)
    return built(suite, measured_store(tmp_path_factory.mktemp("store"), suite, skills=SKILLS))


def alone(board, task):
    return replace(
        board,
        columns=tuple(one for one in board.columns if one.task == task),
        standings=tuple(one for one in board.standings if one.task == task),
    )


def texts(figure):
    return " ".join(one.get_text() for one in figure.findobj(matplotlib.text.Text))


class Visible(HTMLParser):
    """Collects what a reader without scripts sees, and of every header cell its text."""

    def __init__(self, html):
        super().__init__()
        self.text, self.heads, self._inside = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._inside.append(tag)
        if tag == "th":
            self.heads.append((dict(attrs), []))

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._inside):
            self.text.append(data)
        if "th" in self._inside:
            self.heads[-1][1].append(data)


def test_every_form_is_written_and_whole(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"index.html", "README.md", "board.csv", "board.json", "table.tex"} < names
    kinds = {name.split("/")[1].split("--")[0] for name in names if name.startswith("figures/")}
    assert {"tie-groups", "forest", "cost", "reliability"} <= kinds
    assert all((folder / name).stat().st_size > 500 for name in names)


def test_the_page_heads_every_group_with_dataset_task_protocol_and_metric(board, folder):
    page = Visible((folder / "index.html").read_text())
    groups = ["".join(text).split() for attributes, text in page.heads if attributes.get("class") == "group"]
    assert sorted(groups) == sorted(
        [dataset, *f"{task.replace('_', ' ')}, {protocol}, {metric}".split()]
        for dataset, task, protocol, metric in COLUMNS
    )
    spans = [int(attributes["colspan"]) for attributes, _ in page.heads if attributes.get("class") == "group"]
    assert sum(spans) == len(board.columns)


def test_two_tasks_of_one_dataset_are_two_groups_in_the_order_of_the_columns(board, folder):
    page = Visible((folder / "index.html").read_text())
    heads = [" ".join("".join(text).split()) for attributes, text in page.heads if attributes.get("class") == "group"]
    expected = [f"{one.dataset} {one.task.replace('_', ' ')}, {one.protocol}, {one.primary}" for one in board.columns]
    assert heads == list(dict.fromkeys(expected))


def test_csv_and_json_name_the_metric_of_every_row(board, folder):
    rows = list(csv.DictReader((folder / "board.csv").read_text().splitlines()))
    assert {(row["dataset"], row["task"], row["protocol"], row["metric"]) for row in rows} == COLUMNS
    for row in rows:
        (column,) = (one for one in board.columns if (one.dataset, one.task) == (row["dataset"], row["task"]))
        assert float(row["score"]) == column.row(row["method"]).score.value
        assert int(row["cases"]) == column.cases
        assert (row["trials"], row["late_trials"]) == (("6", "2") if row["task"] == "segmentation" else ("0", "0"))
        assert row["transductive"] == str(row["task"] == "zero_shot").lower()
    columns = json.loads((folder / "board.json").read_text())["columns"]
    assert {(one["dataset"], one["task"], one["protocol"], one["primary"]) for one in columns} == COLUMNS


def test_markdown_has_a_part_for_every_task_in_its_own_words(folder):
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (folder / "README.md").read_text(), re.M | re.S))
    assert "dice on 80 test images of 40 patients" in parts["segmentation, segment"]
    assert "in 2 of 2 searches of 6 trials the best was among the last third" in parts["segmentation, segment"]
    assert "i2t_recall_at_10 on 80 queries of 40 patients" in parts["retrieval, retrieve"]
    assert "bleu_4 on 80 test studies of 40 patients" in parts["report_generation, generate"]
    assert "accuracy on 80 test questions of 40 patients" in parts["vqa, answer"]
    assert "one result, the mean over its draws; the intervals" in parts["few_shot, few-shot"]
    assert "macro_auroc_at_16 on 80 test images of 40 patients" in parts["few_shot, few-shot"]
    assert "‡ scores are standardised over the test images" in parts["zero_shot, zero-shot"]
    for name in ("segmentation, segment", "retrieval, retrieve", "report_generation, generate"):
        assert not re.search("auroc|calibrat", parts[name], re.I), name


def test_latex_captions_every_table_with_its_metric(folder):
    captions = re.findall(r"\\caption\{.*?(\w[^:{}]*, [\w-]+): (.+?) of suite", (folder / "table.tex").read_text())
    found = {
        title.split("patients. ")[-1].replace("\\_", "_"): metric.replace("\\_", "_") for title, metric in captions
    }
    assert found == {
        "classification, frozen": "f1 and macro_auroc",
        "segmentation, segment": "dice",
        "zero_shot, zero-shot": "macro_auroc",
        "few_shot, few-shot": "macro_auroc_at_16",
        "vqa, answer": "accuracy",
        "retrieval, retrieve": "i2t_recall_at_10",
        "report_generation, generate": "bleu_4",
    }


@pytest.mark.parametrize("task", ["segmentation", "retrieval", "report_generation"])
def test_no_form_of_another_task_speaks_of_auroc_or_calibration(board, task):
    part = alone(board, task)
    (metric,) = {one.primary for one in part.columns}
    report = method_report(part, "mrm")
    forms = {
        "page": " ".join(Visible(to_html(part)).text),
        "page data": to_html(part).split('id="data">')[1].split("</script>")[0],
        "markdown": to_markdown(part),
        "latex": to_latex(part),
        "csv": to_csv(part),
        "json": json.dumps(to_json(part)),
        "report": report_markdown(report),
        "report page": report_html(report),
        **{name: texts(figure) for name, figure in draw_figures(part).items()},
    }
    for form, text in forms.items():
        plain = text.replace("\\", "").replace("image_auroc", "").replace("image auroc", "")
        # The page says what it leaves out of all boards, the JSON has fields that are empty here.
        plain = re.sub(
            '"(excluded|reliability|operating_points)": [^,]*|the classes, subgroups and calibration', "", plain
        )
        assert not re.search("auroc|calibrat|operating point|log-odds", plain, re.I), form
        named = metric in plain or METRICS[metric] in plain
        assert named or form.startswith(("critical", "rank", "robustness")), form


def test_axes_of_figures_say_the_metric(dice):
    figures = draw_figures(dice)
    said = {
        name.split("--")[0]: {(axis.get_xlabel(), axis.get_ylabel()) for axis in one.axes}
        for name, one in figures.items()
    }
    assert said["tie-groups"] == {("dice", "")}
    assert said["forest"] == {("difference in dice", "")}
    assert said["label-efficiency"] == {("", "dice")}
    assert said["cost"] == {("wall time per column", "mean dice")}
    assert said["robustness"] == {("mean rank, best on the left", "")}
    assert "reliability" not in said


def test_figures_of_columns_with_two_metrics_name_both_or_are_not_drawn(board):
    figures = draw_figures(alone(board, "classification"))
    (ties,) = (figure for name, figure in figures.items() if name.startswith("tie-groups"))
    assert {axis.get_xlabel() for axis in ties.axes} == {"f1", "macro_auroc"}
    assert "f1, macro_auroc" in texts(ties)
    assert not any(name.startswith("cost") for name in figures)


def test_calibration_is_drawn_for_classifiers_alone(board):
    names = [name for name in draw_figures(board) if name.startswith("reliability")]
    assert names == ["reliability--classification--frozen"]


def test_the_report_names_what_it_has_beside_the_metric(board, dice):
    (other,) = (one for one in method_report(dice, "mrm").scores if one.heading.startswith("Other scores"))
    assert other.heading == "Other scores, at each dataset's largest fraction"
    assert {"iou", "hd95", "mdice"} < set(other.table.headers)
    assert not other.lines
    first, *others = method_report(board, "mrm").scores
    assert [(row[0], row[1]) for row in first.table.rows] == [
        (f"{one.dataset} ({one.task}, {one.protocol}) 100 %", one.primary) for one in board.columns
    ]
    assert [one.heading.split(", at")[0] for one in others] == [
        "Calibration and operating points of classification",
        "Other scores of segmentation",
        "Other scores of zero_shot",
        "Other scores of few_shot",
        "Other scores of retrieval",
        "Other scores of report_generation",
        "Other scores of vqa",
    ]
    assert {"meteor", "cider"}.isdisjoint(others[1].table.headers)
    said = method_report(board, "mrm").methods_section[0]
    assert "of segmentation on rsna the Dice coefficient of the foreground, averaged over images; " in said
    assert "of report_generation on mimic-cxr BLEU-4 of the test set; of vqa on vqa-rad the share of" in said
    assert "questions answered exactly; it was computed" in said


@pytest.fixture(scope="module")
def known(dice):
    """A column whose first score is 0.80 with a standard error of 0.03, so that all can be followed by hand."""
    first = dice.columns[0]
    row = first.row("mrm")
    score = replace(row.score, value=0.80, low=0.74, high=0.86, se=0.03)
    rows = tuple(replace(one, score=score) if one is row else one for one in first.rows)
    return replace(first, rows=rows)


@pytest.mark.parametrize(
    ("value", "std", "gap", "sigmas"),
    [
        (0.77, None, 0.03, 1.0),
        (0.86, None, -0.06, -2.0),
        (0.75, 0.04 * 2**0.5, 0.05, 1.0),  # 0.03^2 + 0.04^2 = 0.05^2
        (0.80, 0.01, 0.0, 0.0),
        (0.77, 0.0, 0.03, 1.0),
    ],
)
def test_gap_over_the_root_of_both_squared_errors(known, value, std, gap, sigmas):
    found = known.against(Published("mrm", "paper", value, std, "Table 1"))
    assert found == pytest.approx((gap, sigmas), abs=1e-12)


def test_none_where_the_method_is_not_there_or_nothing_varies(known):
    assert known.against(Published("convirt", "paper", 0.7, 0.1, "Table 1")) is None
    row = known.row("mrm")
    sure = replace(known, rows=(replace(row, score=replace(row.score, se=0.0)),))
    assert sure.against(Published("mrm", "paper", 0.7, None, "Table 1")) is None
    assert sure.against(Published("mrm", "paper", 0.7, 0.1, "Table 1")) == pytest.approx((0.1, 2**0.5), rel=1e-9)


def test_every_form_shows_it(dice, known):
    cited = (
        Published("mrm", "paper", 0.75, 0.04 * 2**0.5, "Table 1"),
        Published("mrm", "authors-code", 0.86, None, "a run of the authors' code"),
        Published("convirt", "paper", 0.7, None, "Table 2"),
    )
    board = replace(dice, columns=(replace(known, published=cited),), standings=())
    for text in (to_markdown(board), to_html(board), report_markdown(method_report(board, "mrm"))):
        assert "+0.050 (1.0 σ)" in text
        assert "-0.060 (2.0 σ)" in text
    lines = [line for line in csv.DictReader(to_csv(board).splitlines()) if line["origin"] != "here"]
    assert [float(line["in_uncertainties"] or "nan") for line in lines] == pytest.approx(
        [1.0, -2.0, float("nan")], nan_ok=True, abs=1e-9
    )
    written = to_json(board)["columns"][0]["published"]
    assert [one["ours_minus_published"] for one in written] == [pytest.approx(0.05), pytest.approx(-0.06), None]
    assert [one["in_uncertainties"] for one in written] == [pytest.approx(1), pytest.approx(-2), None]
