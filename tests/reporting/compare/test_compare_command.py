"""`benchx compare` as a user calls it: exit codes, files, and what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_stores import CLASSIFICATION, made_store, predictions, record

from benchx.errors import DatasetError
from benchx.planning import plan
from benchx.suites import read_suite


def whole(cell):
    return cell.dataset == "rsna" and cell.fraction == 1


def tenth(cell):
    return cell.dataset == "rsna" and cell.fraction == 0.1


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """BASE; a worse one; one that fails; those that lack a cell, or a draw."""
    folder = tmp_path_factory.mktemp("stores")
    made_store(folder / "base", {"mrm": 1.5, "gloria": 0.6}, keep=whole)
    made_store(folder / "worse", {"mrm": 0.5, "gloria": 0.6}, keep=whole)
    failing = made_store(folder / "failing", {"mrm": 1.5}, keep=whole)
    (cell,) = filter(whole, plan(read_suite(CLASSIFICATION), ["gloria"]))
    done = record(cell, predictions(cell, 1, 60, 2, 0.1), {})
    failing.put(done.model_copy(update={"state": "failed", "reason": "out of memory", "scores": None}))
    made_store(folder / "fewer", {"mrm": 1.5}, keep=whole)
    for name, seeds in (("drawn", (0, 1, 2)), ("killed", (0, 1))):
        made_store(folder / name, {"mrm": 1.5}, keep=lambda cell, seeds=seeds: tenth(cell) and cell.seed in seeds)
    made_store(folder / "other", {"mrm": 1.5}, keep=whole, provenance={"images": "f" * 64})
    return folder


@pytest.mark.parametrize(
    ("head", "options", "code", "says"),
    [
        ("base", (), 0, "passed: 2 same"),
        ("base", ("--fail-on", "any"), 0, "passed: 2 same"),
        ("worse", (), 1, "FAILED: 1 regressed, 1 same"),
        ("failing", (), 1, "FAILED: 1 missing, 1 same (1 of the missing failed in HEAD)"),
        ("fewer", (), 0, "passed: 1 missing, 1 same"),
        ("fewer", ("--fail-on", "any"), 1, "FAILED: 1 missing, 1 same"),
    ],
)
def test_exit_codes(benchx, stores, head, options, code, says):
    found, out, _ = benchx("compare", stores / "base", stores / head, *options)
    assert (found, says in out) == (code, True), out
    assert "Traceback" not in out
    assert "::error" not in out


@pytest.mark.parametrize(
    ("fail_on", "code", "verdict"), [("regression", 0, "passed: 1 same"), ("any", 1, "FAILED: 1 missing")]
)
def test_a_draw_that_is_missing_fails_any_and_is_named(benchx, stores, tmp_path, fail_on, code, verdict):
    reports = ("--markdown", "c.md", "--junit", "j.xml")
    found, out, _ = benchx("compare", stores / "drawn", stores / "killed", "--fail-on", fail_on, *reports)
    assert (found, verdict in out) == (code, True), out
    assert "only BASE has draw 2, left out" in " ".join(out.split())
    assert verdict in (tmp_path / "c.md").read_text()
    assert ElementTree.parse(tmp_path / "j.xml").getroot().attrib["failures"] == str(code)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            DatasetError("the dataset is not there", "a disk is gone", "mount it"),
            "error: the dataset is not there\nwhy: a",
        ),
        (KeyError("method"), "error: unforeseen KeyError\nwhy: 'method'\ndo:  run again with --debug"),
        (EOFError(), "error: unforeseen EOFError\ndo:  run again with --debug"),
        (BrokenPipeError(32, "Broken pipe"), "error: unforeseen BrokenPipeError\nwhy: [Errno 32] Broken pipe"),
        (RuntimeError("two\nlines"), "error: unforeseen RuntimeError\nwhy: two lines\n"),
    ],
)
def test_no_error_exits_as_a_regression_does(benchx, stores, monkeypatch, error, says):
    def failing(*arguments, **options):
        raise error

    monkeypatch.setattr("benchx.reporting.compare.stores.compare", failing)
    code, _, err = benchx("compare", stores / "base", stores / "worse")
    assert code == 2, err
    assert says in err
    assert "Traceback" not in err


def test_progress_that_nobody_reads_is_no_regression(benchx, stores, monkeypatch):
    """rich stops with exit 1 when its stream is closed."""

    def closed(*arguments, **options):
        raise SystemExit(1)

    monkeypatch.setattr("benchx.reporting.compare.stores.compare", closed)
    assert benchx("compare", stores / "base", stores / "base")[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("head", "code"), [("base", 0), ("worse", 1)])
def test_a_reader_that_leaves_does_not_change_the_verdict(stores, tmp_path, head, code):
    program = Path(sys.executable).parent / "benchx"
    script = f"{program} compare {stores / 'base'} {stores / head} --markdown c.md | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "c.md").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("base", "other"), "the dataset fingerprint is"),
        (("base", "nowhere"), "is no results store"),
        (("base", "base", "--suite", "phantoms"), "did you mean 'phantom'?"),
        (("base", "base", "--suite", "nowhere.yaml"), "no suite file"),
        (("base", "base", "--fail-on", "everything"), "--fail-on everything is not known"),
        (("base", "base", "--margin", "1.5"), "a margin of 1.5 cannot be"),
        (("base", "base", "--level", "0"), "a level of 0 cannot be"),
        (("base", "base", "--markdown", "one", "--junit", "./one"), "two of the files to write are one"),
        (("base", "base", "--sarif", "/proc/nothing/here"), "--sarif /proc/nothing/here could not be written"),
        (("base", "base", "--sarif", "."), "it is there and is no file"),
        (("base", "base", "--sarif", __file__ + "/x"), "Not a directory"),
    ],
)
def test_refusals_exit_with_two_and_write_nothing(benchx, stores, tmp_path, arguments, says):
    sides = [stores / name for name in arguments[:2]]
    files = () if "--junit" in arguments else ("--junit", "new/j.xml")
    code, out, err = benchx("compare", *sides, *arguments[2:], *files)
    assert code == 2, out + err
    assert says in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_device_or_pipe_is_never_replaced_by_a_file(benchx, stores, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, _, err = benchx("compare", stores / "base", stores / "base", "--sarif", pipe)
    assert (code, "it is there and is no file" in " ".join(err.split())) == (2, True)
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_found_before_anything_is_computed(benchx, stores, monkeypatch):
    monkeypatch.setattr("benchx.reporting.compare.stores.compare", None)
    code, _, err = benchx("compare", stores / "base", stores / "base", "--junit", "j.xml", "--sarif", "/proc/x.sarif")
    assert (code, "--sarif /proc/x.sarif could not be written" in err) == (2, True)


def test_the_verdict_is_printed_before_a_disk_turns_out_full(benchx, stores, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchx.writing.write_whole", full)
    code, out, err = benchx("compare", stores / "base", stores / "worse", "--junit", "j.xml")
    assert (code, "FAILED: 1 regressed, 1 same" in out) == (2, True)
    assert "No space left on device" in err


def test_a_damaged_store_is_no_regression(benchx, stores, tmp_path):
    store = made_store(tmp_path / "damaged", {"mrm": 1.5}, keep=whole)
    (file,) = store.cells.glob("*/predictions.parquet")
    file.write_bytes(b"nothing")
    code, _, err = benchx("compare", stores / "base", store.path)
    assert code == 2
    assert "predictions.parquet cannot be read" in err


def test_files_and_annotations(benchx, stores, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    files = {option: tmp_path / "out" / name for option, name in (("--markdown", "c.md"), ("--junit", "j.xml"))}
    files["--sarif"] = tmp_path / "s.sarif"
    options = [part for pair in files.items() for part in pair]
    code, out, _ = benchx("compare", stores / "base", stores / "worse", "--suite", "phantom", *options)
    assert code == 1
    assert "### benchx compare FAILED" in files["--markdown"].read_text()
    assert ElementTree.parse(files["--junit"]).getroot().attrib["failures"] == "1"
    assert len(json.loads(files["--sarif"].read_text())["runs"][0]["results"]) == 1
    (line,) = [line for line in out.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=benchx%3A regressed::mrm / rsna")


def test_json_is_one_document(benchx, stores, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    code, out, _ = benchx("compare", stores / "worse", stores / "base", "--json", "--fail-on", "any")
    found = json.loads(out)
    assert (code, found["failed"], found["counts"]) == (0, False, {"improved": 1, "same": 1})
