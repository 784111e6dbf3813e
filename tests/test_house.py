"""The rules of the house: what may import what, how long a file may be, and that importing is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import benchx

PACKAGE = Path(benchx.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
AFTER_RESULTS = ("statistics", "reporting", "publishing", "engines")
FORBIDDEN = {
    "datasets": ("methods", "tasks", "training", "results", *AFTER_RESULTS),
    "images": ("datasets", "methods", "tasks", "training", "results", *AFTER_RESULTS),
    "methods": ("datasets", "tasks", "training", "results", *AFTER_RESULTS),
    "prompts": ("datasets", "images", "methods", "tasks", "training", "results", *AFTER_RESULTS),
    "decoders": ("datasets", "images", "tasks", "training", "results", *AFTER_RESULTS),
    "annotators": ("datasets", "images", "tasks", "training", "results", *AFTER_RESULTS),
    "training": ("datasets", "methods", "tasks", "results", *AFTER_RESULTS),
    "metrics": ("datasets", "images", "methods", "tasks", "training", "results", *AFTER_RESULTS),
    "tasks": ("results", *AFTER_RESULTS),
    "results": ("images", "methods", "tasks", "training", *AFTER_RESULTS),
    "statistics": (
        "datasets",
        "images",
        "methods",
        "tasks",
        "training",
        "results",
        "reporting",
        "publishing",
        "engines",
    ),
    "reporting": ("images", "methods", "training", "publishing", "engines"),
    "publishing": ("images", "training", "statistics", "reporting", "engines"),
    "phantom": ("methods", "tasks", "training", "results", *AFTER_RESULTS),
}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("benchx."):
            names.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("benchx.")}
    return names


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_data_flows_one_way(room):
    backwards = {
        f"{path.relative_to(PACKAGE)} imports benchx.{name}"
        for path in (PACKAGE / room).rglob("*.py")
        for name in _imports(path) & set(FORBIDDEN[room])
    }
    assert not backwards


@pytest.mark.parametrize("room", ["written", "method", "pair", "compare", "head_to_head"])
def test_what_is_made_of_a_board_knows_nothing_of_the_others(room):
    others = {"written", "method", "pair", "compare", "head_to_head"} - {room}
    found = {
        f"{path.relative_to(PACKAGE)} imports {node.module}"
        for path in (PACKAGE / "reporting" / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("benchx.reporting.")
        and (node.module or "").split(".")[2] in others
    }
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


def test_no_room_for_odds_and_ends():
    assert not {path.name for path in MODULES} & {"utils.py", "common.py", "helpers.py", "misc.py"}


def test_importing_benchx_and_its_command_line_loads_nothing_heavy():
    heavy = "{'torch', 'pandas', 'cv2', 'timm', 'sklearn', 'scipy', 'pyarrow', 'numba', 'matplotlib', 'jinja2'}"
    code = f"import sys, benchx, benchx.cli; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_public_names_are_there():
    assert sorted(benchx.__all__) == ["Store", "run"]
    for name in benchx.__all__:
        assert callable(getattr(benchx, name))
    with pytest.raises(AttributeError):
        benchx.nothing  # noqa: B018
