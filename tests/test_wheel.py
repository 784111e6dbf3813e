"""A wheel installed elsewhere works on its own: suites, cards, certificates, published scores, templates are inside."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.parametrize(
    ("files", "inside"),
    [
        ("suites/*.yaml", "benchx/_resources/suites"),
        ("baselines/*.yaml", "benchx/_resources/baselines"),
        ("tests/certificates/*.json", "benchx/_resources/certificates"),
        ("leaderboards/published/*.csv", "benchx/_resources/published"),
        ("benchx/reporting/written/templates/*", "benchx/reporting/written/templates"),
        ("benchx/reporting/method/templates/*", "benchx/reporting/method/templates"),
    ],
)
def test_all_that_is_no_code_is_inside(wheel, files, inside):
    expected = {f"{inside}/{path.name}" for path in REPOSITORY.glob(files)}
    assert expected
    assert expected <= set(zipfile.ZipFile(wheel).namelist())


def test_no_test_is_inside(wheel):
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("tests")]


def test_it_works_in_a_new_environment_from_another_folder(wheel, tmp_path):
    """The dependencies are those of this environment, by a path file; benchx itself is only in the new one."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", str(wheel)], check=True
    )

    def run(*arguments: str) -> str:
        command = [str(venv / "bin" / "benchx"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    where = subprocess.run(
        [python, "-c", "import benchx; print(benchx.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert str(site) in where.stdout
    suites = {row["suite"] for row in json.loads(run("list", "suites", "--json"))}
    assert suites == {"benchx-2024", "chestxray", "medvl-2d", "phantom"}
    assert "medklip" in run("list", "methods")
    run("data", "phantom", "rsna", "--out", "data/rsna", "--patients", "40", "--size", "192")
    run("run", "--suite", "phantom", "--dataset", "rsna", "--fraction", "1", "--data-root", "data",
        "--method", "random-efficientnet-lite0")  # fmt: skip
    assert "random-efficientnet-lite0" in run("leaderboard", "--suite", "phantom")
    run("report", "random-efficientnet-lite0", "--suite", "phantom", "--format", "html", "--out", "r.html")
    assert "random-efficientnet-lite0: report on suite phantom" in (tmp_path / "r.html").read_text(encoding="utf-8")
