"""The page of a board in Chromium: what a reader can do with it, by mouse, keyboard and link."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_boards import made_board

from benchx.reporting.written.page import to_html

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
BOARD = made_board(6, 4, 2)
ROWS = "#score-table tbody tr:not([hidden])"
HEADS = "#score-table thead tr:nth-child(2) th:not([hidden])"

CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = channels(text).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest("script, style, .hide, .skip")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [x, y] = [light(ink), light(paper(element))].sort((a, b) => b - a);
    found.push([(x + 0.05) / (y + 0.05), element.tagName, text.slice(0, 30)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(to_html(BOARD), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Open the page; at the end, fail on any console message, error, alert, or request beyond the file."""
    complaints: list[str] = []
    opened = []

    def go(hash_: str = "", **options: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"alert {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.split("#")[0] == address or request.url == "data:,"
                else complaints.append(request.url))  # fmt: skip
        page.goto(address + hash_)
        opened.append(page)
        return page

    yield go
    for page in opened:
        page.close()
    assert complaints == []


def names(page: Any) -> list[str]:
    return page.locator(f"{ROWS} th").all_inner_texts()


def head(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=f"sort by {name}")


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("< ", ""))


def test_markup_in_names_stays_text(visit):
    page = visit()
    assert "<img src=x onerror=alert(1)>" in [name.replace("\n", " ") for name in names(page)]
    assert page.locator("img").count() == 0
    page.locator("tr", has_text="onerror").locator("td button").first.click()
    assert page.locator("dialog h2").inner_text().startswith("<img src=x onerror=alert(1)>")


def test_a_column_sorts_best_first_then_worst_first_then_as_it_was(visit):
    page = visit()
    column = BOARD.columns[1]
    before = names(page)
    best_first = [row.method for row in column.rows]
    header = page.locator(HEADS).nth(1)
    head(page, column.name).click()
    assert (names(page), header.get_attribute("aria-sort")) == (best_first, "descending")
    head(page, column.name).focus()
    page.keyboard.press("Enter")
    assert (names(page), header.get_attribute("aria-sort")) == (best_first[::-1], "ascending")
    head(page, column.name).click()
    assert (names(page), header.get_attribute("aria-sort")) == (before, "none")
    page.get_by_role("button", name="Method: sort by name").click()
    assert names(page) == page.evaluate("names => names.sort((x, y) => x.localeCompare(y))", before)


def test_methods_without_a_score_sort_last_both_ways(visit):
    page = visit()
    column = BOARD.columns[-1]
    missing = next(iter(column.absent))
    for _ in range(2):
        head(page, column.name).click()
        assert names(page)[-1] == missing


def test_filters_and_search_combine_are_counted_and_kept_in_the_link(visit):
    page = visit()
    page.get_by_role("checkbox", name="nih").uncheck()
    page.get_by_role("checkbox", name="10 %", exact=True).uncheck()
    page.get_by_label("Search methods").fill("  GLO")
    head(page, "rsna / classification / frozen / 100 %").click()
    page.locator("#pairs select").nth(1).select_option(label="mgca-vit")
    assert names(page) == ["gloria"]
    assert page.locator(HEADS).count() == 3
    assert page.locator("#score-table .group:not([hidden])").count() == 3
    assert page.locator("#shown").inner_text() == "Showing 1 of 6 methods and 3 of 8 columns."
    assert page.locator("#pairs tbody tr").count() == 3
    again = visit("#" + page.url.split("#")[1])
    assert names(again) == ["gloria"]
    assert again.locator(HEADS).count() == 3
    assert again.locator(HEADS).nth(0).get_attribute("aria-sort") == "descending"
    assert again.locator("#pairs select").nth(1).evaluate("s => s.selectedOptions[0].text") == "mgca-vit"
    assert not again.get_by_role("checkbox", name="nih").is_checked()
    again.get_by_role("button", name="Reset").click()
    assert (len(names(again)), again.locator(HEADS).count()) == (6, 8)


def test_methods_and_protocols_filter(visit):
    page = visit()
    page.get_by_role("checkbox", name="finetune").uncheck()
    page.get_by_text("Choose methods").click()
    page.get_by_role("checkbox", name="gloria").uncheck()
    assert "gloria" not in names(page)
    assert page.locator("#shown").inner_text() == "Showing 5 of 6 methods and 6 of 8 columns."


def test_a_link_with_nonsense_shows_the_whole_board(visit):
    page = visit("#sort=nothing&direction=up&a=nobody&without-dataset=none&published=maybe&search=")
    assert (len(names(page)), page.locator(HEADS).count()) == (6, 8)


def test_published_rows_appear_when_asked_for_and_stay_marked(visit):
    page = visit()
    page.get_by_label("Show published (not run here)").check()
    head(page, BOARD.columns[0].name).click()
    listed = names(page)
    assert sum("not run here" in name for name in listed) == 3
    assert "3 published rows that were not run here" in page.locator("#shown").inner_text()
    scores = page.locator(f"{ROWS} td:nth-child(2) b").all_inner_texts()
    assert [float(score) for score in scores] == sorted((float(score) for score in scores), reverse=True)
    assert "Showing 6 of 6 methods" in page.locator("#shown").inner_text()


@pytest.mark.parametrize(("a", "b"), [("medklip", "gloria"), ("chexzero", "medklip"), ("mgca-vit", "biovil-t")])
def test_paired_differences_are_those_of_the_board(visit, a, b):
    page = visit()
    page.locator("#pairs select").nth(0).select_option(label=a)
    page.locator("#pairs select").nth(1).select_option(label=b)
    for column, line in zip(BOARD.columns, page.locator("#pairs tbody tr").all(), strict=True):
        name, verdicts = line.locator("th").inner_text(), line.locator("td").all_inner_texts()
        assert name == column.name
        pair = next((pair for pair in column.pairs if {pair.a, pair.b} == {a, b}), None)
        if pair is None:
            assert "no result of both" in verdicts
            continue
        turn = 1 if pair.a == a else -1
        difference, interval, _, p, verdict, equivalence = verdicts
        ends = sorted(turn * end for end in (pair.difference.low, pair.difference.high))
        assert number(difference) == pytest.approx(turn * pair.difference.value, abs=0.51e-4)
        assert [number(end) for end in interval.split(" to ")] == pytest.approx(ends, abs=0.51e-4)
        assert number(p) == pytest.approx(pair.p_adjusted, abs=1.01e-4)
        assert verdict == (f"{pair.a} is better" if pair.different else "not told apart")
        assert equivalence == ("within ±0.01" if pair.equivalent else "not shown")


def test_a_cell_opens_and_closes_by_keyboard_and_gives_the_focus_back(visit):
    page = visit()
    page.locator("#score-table td button[tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    where = "[document.activeElement.closest('tr').rowIndex, document.activeElement.closest('td').cellIndex]"
    assert page.evaluate(where) == [3, 2]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate(where) == [3, 2]


def test_a_cell_tells_where_its_score_comes_from(visit):
    page = visit()
    column = next(c for c in BOARD.columns if c.published and c.rows[0].method == BOARD.methods[0].name)
    row = column.rows[0]
    at = BOARD.columns.index(column)
    page.locator("#score-table tbody tr", has_text=row.method).first.locator("td").nth(at).locator("button").click()
    text = re.sub(r"\s+", " ", page.locator("dialog").inner_text())
    for said in (
        column.name,
        f"{row.score.value:.4f}",
        f"{row.score.low:.4f} to {row.score.high:.4f}",
        f"{row.rank.low} to {row.rank.high} of 6",
        *(draw.key[:12] for draw in row.draws),
        *(f"{draw.score:.4f}" for draw in row.draws),
        *(draw.created[:16].replace("T", " ") for draw in row.draws),
        row.draws[0].device,
        f"brier {row.secondary['brier']:.4f}",
        f"{column.published[0].value:.4f}",
        column.published[0].source,
        "no positive in test",
        "too few: 2 cases",
        "male minus female",
        "40-59 minus 0-17",
        row.certificate[:12],
    ):
        assert said in text
    assert page.locator("dialog svg[role=img]").count() == 1


def test_a_missing_cell_says_why(visit):
    page = visit()
    missing, reason = next(iter(BOARD.columns[-1].absent.items()))
    page.locator("#score-table tr", has_text=missing).locator("td button").last.click()
    assert f"No result: {reason}." in page.locator("dialog").inner_text()
    page.get_by_role("button", name="Close").click()
    assert not page.get_by_role("dialog").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_four_and_a_half(visit, scheme):
    page = visit(color_scheme=scheme)
    page.get_by_label("Show published (not run here)").check()
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    found = page.evaluate(CONTRASTS)
    assert len(found) > 300
    assert [one for one in found if one[0] < 4.5] == []
    page.locator("#score-table td button").first.click()
    assert [one for one in page.evaluate(CONTRASTS) if one[0] < 4.5] == []


def test_the_theme_follows_the_system_until_the_reader_chooses(visit):
    page = visit(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Theme: system").click()
    light = page.evaluate(background)
    assert dark != light == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(background) == light
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(background) == dark


def test_a_phone_scrolls_the_table_and_not_the_page(visit):
    page = visit(viewport={"width": 390, "height": 844})
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".tall").evaluate("box => { box.scrollLeft = 400; }")
    boxes = [page.locator("#score-table tbody th").first.bounding_box(), page.locator(".tall").bounding_box()]
    assert boxes[0]["x"] == pytest.approx(boxes[1]["x"], abs=1)
    page.locator("#score-table td button").last.evaluate("button => button.click()")
    assert page.locator("dialog").bounding_box()["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_print_hides_the_controls_and_opens_what_is_folded(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    for hidden in ("#controls", "#theme", "#pairs .choice"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("#score-table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details[open]").count() == 0


def test_every_control_has_a_name_and_tab_reaches_the_table(visit):
    page = visit()
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if node.get("role", {}).get("value") in
                ("button", "checkbox", "combobox", "searchbox", "link", "table", "region", "dialog")]  # fmt: skip
    assert len(controls) > 60
    assert [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")] == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('#score-table td') !== null"))
    assert sum(reached) == 1


def test_without_scripts_all_tables_are_there_and_no_dead_control(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#score-table tbody tr:not([hidden]) td").count() == 48
    assert page.locator("button:visible, select:visible, input:visible").count() == 0
    assert page.get_by_text("need JavaScript").is_visible()
    context.close()


def test_a_board_of_one_method_shows_no_pairs(browser, tmp_path: Path):
    path = tmp_path / "one.html"
    path.write_text(to_html(made_board(1, 1, 1)), encoding="utf-8")
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    assert not page.locator("#pairs").is_visible()
    page.locator("#score-table td button").first.click()
    assert page.get_by_role("dialog").is_visible()
    assert errors == []
    page.close()
