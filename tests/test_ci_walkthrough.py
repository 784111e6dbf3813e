"""The page docs/ci.md runs as it is written, and so do the steps of the workflow that it offers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from walkthrough import DOCS, run_page


def workflow() -> dict:
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "ci.md").read_text(), re.DOTALL)
    return yaml.safe_load(text)


def steps(*names: str) -> str:
    scripts = {step.get("name"): step["run"] for step in workflow()["jobs"]["compare"]["steps"] if "run" in step}
    return "\n".join(scripts[name] for name in names)


def run_steps(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "BENCHX_DATA": "", "BENCHX_WEIGHTS": ""} | variables
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]  # as GitHub runs a step
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_workflow_names_files_that_its_steps_write():
    found = workflow()
    listed = found["jobs"]["compare"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in listed)
    (compare,) = (step["run"] for step in listed if step.get("name") == "Compare")
    written = set(re.findall(r"--(?:markdown|junit|sarif) (\S+)", compare))
    assert written == {"comment.md", "junit.xml", "benchx.sarif"}
    kept = next(step["with"]["path"] for step in listed if step.get("uses", "").startswith("actions/upload-artifact"))
    assert set(kept.split()) == written
    paths = {step["with"]["path"] for step in listed if step.get("uses", "").startswith("actions/cache/")}
    assert paths == {"base-store"}


@pytest.mark.parametrize(("code", "passes"), [(0, True), (3, True), (1, False), (2, False)])
def test_an_incomplete_run_goes_on_to_the_comparison_and_no_other_failure_does(tmp_path, code, passes):
    program = tmp_path / "benchx"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run_steps(steps("Run the suite"), tmp_path, STORE="store", PATH=path)
    assert (done.returncode == 0) == passes, done.stderr


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    done = run_page("ci.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed: 1 same" in done.stdout
    assert "FAILED: 1 regressed" in done.stdout
    assert "### benchx compare FAILED: 1 regressed" in done.stdout
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().attrib["failures"] == "1"


@pytest.mark.slow
def test_the_workflow_passes_when_nothing_changed_and_annotates(tmp_path):
    base, head = tmp_path / "base", tmp_path / "head"
    for folder in (base, head):
        folder.mkdir()
    pushed = run_steps(steps("Data", "Run the suite"), base, STORE="base-store")
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    asked = run_steps(steps("Data", "Run the suite"), head, STORE="head-store")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    shutil.copytree(base / "base-store", head / "base-store")
    summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_ACTIONS": "true"}
    done = run_steps(steps("Compare", "Show"), head, **summary)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed: 1 same" in done.stdout
    assert (tmp_path / "summary.md").read_text().startswith("### benchx compare passed: 1 same")
    assert json.loads((head / "benchx.sarif").read_text())["runs"][0]["results"] == []
