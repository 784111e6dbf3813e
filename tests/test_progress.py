from __future__ import annotations

import io

from rich.console import Console

from benchx.progress import Bars


def test_without_a_terminal_a_finished_stage_is_one_line():
    console = Console(file=io.StringIO(), width=80)
    bars = Bars(console)
    with bars.running():
        advance = bars.stage("nih: pixels")
        for done in (0, 5, 10, 10):
            advance(done, 10)
        bars.say("[bold] stays as it is")
    assert console.file.getvalue() == "nih: pixels: 10\n[bold] stays as it is\n"


def test_on_a_terminal_the_bar_shows_and_leaves():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    bars = Bars(console)
    with bars.running():
        advance = bars.stage("features")
        advance(3, 10)
        bars._bars.refresh()
        advance(10, 10)
        advance(10, 10)
    assert "3/10" in console.file.getvalue()
    assert not bars._bars.task_ids
