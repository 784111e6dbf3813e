"""Time the page of 30 methods on 12 datasets at 3 fractions: written here, rendered by Chromium.

python benchmarks/page_speed.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchx.reporting.written.page import to_html

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "reporting"))
from made_boards import made_board

TIMES = """() => {
  const loaded = performance.getEntriesByType("navigation")[0];
  const paints = performance.getEntriesByType("paint");
  const painted = paints.map((entry) => `${entry.name} ${entry.startTime.toFixed(0)} ms`);
  return [`scripts done ${loaded.domContentLoadedEventEnd.toFixed(0)} ms`, ...painted].join(", ");
}"""
SORT = """() => new Promise((done) => {
  const started = performance.now();
  document.querySelector("#score-table thead tr:nth-child(2) button").click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));
})"""


def main() -> None:
    board = made_board(30, 12, 3)
    started = time.perf_counter()
    html = to_html(board)
    print(f"written in {time.perf_counter() - started:.2f} s, {len(html.encode()) / 1e6:.2f} MB")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no chromium on this machine")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started_playwright:
        path = Path(folder) / "index.html"
        path.write_text(html, encoding="utf-8")
        browser = started_playwright.chromium.launch(
            executable_path=chromium,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(path.as_uri())
            print(f"{page.evaluate(TIMES)}; a sort {page.evaluate(SORT):.0f} ms")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
