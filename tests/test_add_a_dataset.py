"""The walk-through of docs/add-a-dataset.md runs as it is written."""

from __future__ import annotations

import pytest
from walkthrough import run_page


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    done = run_page("add-a-dataset.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("sound") == 2
    assert "NOT sound" not in done.stdout
    (board,) = (tmp_path / "benchx-store" / "leaderboards" / "mydata-suite").glob("README.md")
    assert "random-resnet50" in board.read_text()
