"""`benchx compare` as a user calls it: exit codes, files, and what is printed."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import pytest
from made_stores import made_store, predictions, record

from benchx import cli
from benchx.planning import plan
from benchx.suites import read_suite


@pytest.fixture
def benchx(capsys, monkeypatch, tmp_path):
    """Call the command line; returns exit code, standard output and standard error."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchx", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return call


def whole(cell):
    return cell.dataset == "rsna" and cell.fraction == 1


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """BASE; a worse one; one that fails; one that nobody can tell from BASE."""
    folder = tmp_path_factory.mktemp("stores")
    made_store(folder / "base", {"mrm": 1.5, "gloria": 0.6}, keep=whole)
    made_store(folder / "worse", {"mrm": 0.5, "gloria": 0.6}, keep=whole)
    failing = made_store(folder / "failing", {"mrm": 1.5}, keep=whole)
    (cell,) = filter(whole, plan(read_suite("phantom"), ["gloria"]))
    done = record(cell, predictions(cell, 1, 60, 2, 0.1), {})
    failing.put(done.model_copy(update={"state": "failed", "reason": "out of memory", "scores": None}))
    made_store(folder / "fewer", {"mrm": 1.5}, keep=whole)
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
    ("arguments", "says"),
    [
        (("base", "other"), "the dataset fingerprint is"),
        (("base", "nowhere"), "is no results store"),
        (("base", "base", "--suite", "chestxray"), "no cell of suite 'chestxray' in common"),
        (("base", "base", "--suite", "nowhere.yaml"), "no suite file"),
        (("base", "base", "--fail-on", "everything"), "--fail-on everything is not known"),
        (("base", "base", "--margin", "1.5"), "a margin of 1.5 cannot be"),
        (("base", "base", "--level", "0"), "a level of 0 cannot be"),
        (("base", "base", "--markdown", "one", "--junit", "./one"), "two of the files to write are one"),
        (("base", "base", "--sarif", "/proc/nothing/here"), "could not be written"),
    ],
)
def test_refusals_exit_with_two_and_write_nothing(benchx, stores, tmp_path, arguments, says):
    sides = [stores / name for name in arguments[:2]]
    files = () if "--junit" in arguments else ("--junit", "j.xml")
    refused = arguments[2:4] != ("--sarif", "/proc/nothing/here")
    code, out, err = benchx("compare", *sides, *arguments[2:], *(files if refused else ()))
    assert code == 2, out + err
    assert says in err
    assert list(tmp_path.iterdir()) == []


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
