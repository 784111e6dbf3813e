"""The written forms of a method's report, and the command: nothing in them is markup, and the page prints on paper."""

from __future__ import annotations

import dataclasses
import html
import re
import shutil
from html.parser import HTMLParser

import pytest
import typer
from made_boards import AWKWARD, made_board
from made_stores import CLASSIFICATION, made_store
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from benchx.cli.reports import report as command
from benchx.errors import UsageError, printable
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.method.forms import report_html, report_markdown
from benchx.reporting.method.report import method_report
from benchx.suites import read_suite

VOID = {"meta", "link"}


class Page(HTMLParser):
    """Reads a page into tags, attributes and text; fails on tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += "" if "style" in self._open else data


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("store"), {"mrm": 2.0, "gloria": 0.9, "random-resnet50": 0.0})


@pytest.fixture(scope="module")
def board(store):
    return build_board(read_suite(CLASSIFICATION), [store], Rules(replicates=300), lambda card: None, lambda *_: None)


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 1), (7, 4, 3)])
def test_every_report_is_a_page_that_nests_and_holds_all_its_texts(size):
    made = made_board(*size)
    for method in made.methods:
        report = method_report(made, method.name)
        text = Page(report_html(report)).text.replace("\xa0", " ")
        for said in (report.title, *report.methods_section, *report.references, *sum(report.facts, ())):
            assert printable(said) in text
        for section in (*report.scores, *report.findings):
            cells = [cell for row in section.table.rows for cell in row] if section.table else []
            assert all(printable(said) in text for said in (section.heading, *section.lines, *cells))


@pytest.mark.parametrize("name", AWKWARD)
def test_names_are_shown_as_they_are_and_obeyed_nowhere(name):
    made = made_board(25, 3, 2)
    report = method_report(made, name)
    page = Page(report_html(report))
    assert printable(name) in page.text
    shown = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(report_markdown(report))
    assert printable(name) in html.unescape(re.sub("<[^>]+>", "", shown))
    for tag in ("img", "script", "a", "code", "del", "b", "iframe"):
        assert not [found for found, _ in page.tags if found == tag]
        assert not re.search(rf"<{tag}\b", shown)
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


@pytest.mark.parametrize(
    "name", ["[0.1, 0.2](javascript:x)", "[95 %]: https://x.org", "[0.1, 0.2][95 %]", "p < 0.001<b>"]
)
def test_what_looks_like_an_interval_is_no_link(name):
    made = made_board(2, 1, 1)
    column = dataclasses.replace(made.columns[0], published=(), dataset=name)
    shown = MarkdownIt("commonmark").render(
        report_markdown(method_report(dataclasses.replace(made, columns=(column,), notes=(name, "[95 %]")), "medklip"))
    )
    assert html.unescape(shown).count(name) > 1
    assert not re.search("<(a|b)\\b", shown)


def test_the_page_asks_for_nothing_and_is_made_for_a4(board):
    text = report_html(method_report(board, "gloria"))
    page = Page(text)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    assert "@page { size: A4;" in text
    assert "url(" not in text
    assert not [a for tag, a in page.tags if "src" in a or (a.get("href") or "data:,") != "data:,"]
    spaced = page.text.replace("\xa0", " ")
    for paragraph in method_report(board, "gloria").methods_section:
        assert paragraph in spaced


def test_the_command_prints_or_writes(store, tmp_path):
    app = typer.Typer()
    app.command()(command)
    call = ["gloria", "--suite", CLASSIFICATION, "--store", str(store.path), "--baseline", "mrm"]
    printed = CliRunner().invoke(app, call)
    assert printed.exit_code == 0
    assert "# gloria: report on suite phantom, version 1" in printed.output
    assert "Differences are to mrm" in printed.output
    file = tmp_path / "new" / "gloria.html"
    written = CliRunner().invoke(app, [*call, "--format", "html", "--out", str(file)])
    assert f"written: {file}" in written.output
    assert "<!doctype html>" not in written.output
    assert "Differences are to mrm" in Page(file.read_text(encoding="utf-8")).text
    unknown = CliRunner().invoke(app, [*call, "--format", "pdf"])
    assert isinstance(unknown.exception, UsageError)
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "file" / "report.md")])
    assert isinstance(refused.exception, UsageError)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 1, 1), (10, 8, 3)])
def test_a_report_prints_on_two_pages_at_most(size):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here")
    made = made_board(*size)
    pages = [report_html(method_report(made, method.name)) for method in made.methods]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        for html_ in pages:
            page.set_content(html_)
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            pdf = page.pdf(prefer_css_page_size=True)
            assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", pdf)) <= 2
            assert re.search(rb"/MediaBox \[0 0 59[45]", pdf)  # A4 is 595 x 842 points
        browser.close()
