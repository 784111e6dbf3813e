"""Run a page of docs as a reader would, command by command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def run_page(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run every bash block of a page in a folder, without data or weights of one's own."""
    script = "\n".join(re.findall(r"```bash\n(.*?)```", (DOCS / name).read_text(), re.DOTALL))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "BENCHX_DATA": "", "BENCHX_WEIGHTS": ""}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
