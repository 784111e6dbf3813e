"""The walk-through of docs/add-a-method.md runs as it is written."""

from __future__ import annotations

import pytest
from walkthrough import run_page


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    done = run_page("add-a-method.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prefix 'module.encoder.' in container ['model']" in done.stderr
    assert "1 passed" in done.stdout
    (board,) = (tmp_path / "benchx-store" / "leaderboards" / "phantom").glob("README.md")
    assert "mymethod" in board.read_text()
