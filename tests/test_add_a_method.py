"""The walk-through of docs/add-a-method.md runs as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "add-a-method.md"


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    script = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "BENCHX_DATA": "", "BENCHX_WEIGHTS": ""}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prefix 'module.encoder.' in container ['model']" in done.stderr
    assert "1 passed" in done.stdout
    (board,) = (tmp_path / "benchx-store" / "leaderboards" / "phantom").glob("*.md")
    assert "mymethod" in board.read_text()
