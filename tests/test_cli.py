from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("what", ["suites", "methods", "datasets"])
def test_list_prints_a_table_and_json(benchx, what):
    code, table, _ = benchx("list", what)
    assert code == 0
    rows = json.loads(benchx("list", what, "--json")[1])
    assert len(rows) >= 2
    assert all(next(iter(row.values())) in table for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "suits"], "did you mean 'suites'"),
        (["run", "--suite", "chestxrey", "--method", "medklip"], "did you mean 'chestxray'"),
        (["run", "--suite", "phantom", "--method", "medklipp"], "did you mean 'medklip'"),
        (["run", "--suite", "phantom", "--method", "medklip", "--dataset", "nhi"], "did you mean 'nih'"),
        (
            ["run", "--suite", "phantom", "--method", "medklip", "--fraction", "few"],
            "--fraction few is not a number",
        ),
        (["run", "--suite", "phantom", "--method", "medklip", "--shard", "2"], "--shard 2 is not I/N"),
        (["run", "--suite", "phantom", "--method", "medklip", "--shard", "²/2"], "--shard ²/2 is not I/N"),
        (
            ["run", "--suite", "phantom", "--method", "medklip", "--root", "nih"],
            "--root nih is not NAME=PATH",
        ),
        (["run", "--suite", "phantom", "--method", "medklip", "--root", "mimic=."], "does not use"),
        (["run", "--suite", "phantom", "--method", "medklip", "--device", "tpu"], "unknown device 'tpu'"),
        (["data", "status", "--suite", "chestxrey"], "did you mean 'chestxray'"),
        (["list", "suites", "--long"], "has no --long"),
        (["new", "suite", "mine"], "unknown thing to make 'suite'"),
        (["new", "method", "medklip"], "medklip"),
        (["new", "dataset", "nih"], "nih"),
        (["data", "phantom", "nhi", "--out", "x", "--patients", "1"], "did you mean 'nih'"),
        (["data", "check", "chexprt"], "did you mean 'chexpert'"),
    ],
)
def test_a_wrong_name_is_one_error_with_the_nearest_right_one(benchx, arguments, says):
    code, out, err = benchx(*arguments)
    assert code == 2
    assert says in err
    assert "Traceback" not in out + err


def test_a_missing_data_root_names_source_and_licence(benchx):
    code, _, err = benchx("data", "check", "nih", "--data-root", "nowhere")
    assert code == 1
    assert "nihcc.app.box.com" in err
    assert "--data-root" in err


def test_an_unforeseen_fault_shows_no_traceback_unless_asked(benchx, monkeypatch):
    monkeypatch.setattr("benchx.listing.LISTINGS", {"suites": lambda: 1 / 0})
    code, out, err = benchx("list", "suites")
    assert code == 1
    assert "unforeseen ZeroDivisionError" in err
    assert "Traceback" not in out + err
    with pytest.raises(ZeroDivisionError):
        benchx("--debug", "list", "suites")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["list", "suits"], 2), (["data", "check", "nih", "--data-root", "nowhere"], 1), (["compare", "a", "b"], 2)],
)
def test_debug_adds_a_traceback_and_keeps_the_exit_code(benchx, arguments, code):
    plain, _, short = benchx(*arguments)
    debugged, _, long = benchx(*arguments, "--debug")
    assert (plain, debugged) == (code, code)
    assert "Traceback" not in short
    assert "Traceback" in long
    assert short.removeprefix("error: ").strip() in long


def test_data_check_reports_what_is_wrong(benchx, write_nih):
    root = write_nih([(1, 0, "Mass"), (2, 0, "No Finding"), (2, 1, "Mass"), (3, 0, "Edema")], test=[3])
    code, out, _ = benchx("data", "check", "nih", "--root", f"nih={root}")
    assert code == 0
    assert "sound" in out
    (root / "images" / "00000001_000.png").write_bytes(b"\x89PNG\r\n")
    (root / "images" / "00000002_000.png").unlink()
    with (root / "test_list.txt").open("a") as file:
        file.write("00000002_001.png\n")
    (root / "train_val_list.txt").write_text("00000001_000.png\n00000002_000.png\n")
    code, out, _ = benchx("data", "check", "nih", "--root", f"nih={root}", "--json")
    report = json.loads(out)
    assert code == 1
    assert report["missing"] == ["00000002_000.png"]
    assert list(report["unreadable"]) == ["00000001_000.png"]
    assert report["shared"] == ["2"]
    assert report["counts"]["test"] == {"images": 2, "patients": 2} | {
        name: int(name in ("Mass", "Edema")) for name in report["counts"]["all"] if name not in ("images", "patients")
    }


def test_from_phantom_to_leaderboard(benchx, tmp_path):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        "extends: phantom\nname: tiny\nonly: [rsna]\nshort_side: 80\nfractions: [1.0]\n"
        "protocols: {frozen: {input: {size: 64}, strengths: [0.1]}}\n"
    )
    run = [
        "run",
        "--suite",
        suite,
        "--method",
        "random-efficientnet-lite0",
        "--data-root",
        "data",
        "--store",
        "store",
    ]
    code, out, _ = benchx("data", "phantom", "rsna", "--out", "data/rsna", "--patients", 60, "--size", 64)
    assert code == 0
    code, out, _ = benchx(*run, "--dry-run", "--json")
    (cell,) = json.loads(out)["cells"]
    assert code == 0
    assert (cell["state"], cell["key"], cell["cached"]) == ("to run", None, [])
    assert not list(Path("store").rglob("*"))

    code, out, _ = benchx(*run)
    assert code == 0
    assert "1 cells: 1 run" in out
    code, out, _ = benchx(*run, "--dry-run", "--json")
    (cell,) = json.loads(out)["cells"]
    assert (cell["state"], cell["cached"]) == ("done", ["pixels", "features"])
    assert (Path("store/cells") / cell["key"]).is_dir()

    code, out, _ = benchx("leaderboard", "--suite", suite, "--store", "store", "--out", "board")
    assert code == 0
    assert "random-efficientnet-lite0" in out
    assert "random-efficientnet-lite0" in Path("board/README.md").read_text()
    assert json.loads(Path("board/board.json").read_text())["data"] == "phantom"
    code, out, _ = benchx("store", "status", "--store", "store", "--json")
    assert json.loads(out)[0]["cells"] == 1
    code, out, _ = benchx("store", "gc", "--store", "store", "--caches")
    assert code == 0
    assert "MB freed" in out


def test_an_incomplete_run_exits_3(benchx, tmp_path):
    benchx("data", "phantom", "rsna", "--out", "data/rsna", "--patients", 40, "--size", 64)
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        "extends: phantom\nname: tiny\nonly: [nih, rsna]\nshort_side: 80\nfractions: [1.0]\n"
        "protocols: {frozen: {input: {size: 64}, strengths: [0.1]}}\n"
    )
    code, out, err = benchx("run", "--suite", suite, "--method", "random-efficientnet-lite0", "--data-root", "data")
    assert code == 3
    assert "1 data-missing" in out
    assert "nihcc.app.box.com" in err


def test_doctor_shows_versions_and_places(benchx):
    code, out, _ = benchx("doctor")
    assert code == 0
    for said in ("torch", "dataset nih", "method medklip", "weights not there", "random initialisation"):
        assert said in out


def test_merging_a_folder_that_is_no_store_is_refused(benchx):
    code, _, err = benchx("store", "merge", "nowhere")
    assert code == 1
    assert "is no results store" in err


def test_a_whole_phantom_root_is_seen_and_checked(benchx):
    code, _, _ = benchx("data", "phantom", "all", "--out", "data", "--patients", 20, "--size", 64)
    assert code == 0
    code, out, _ = benchx("data", "status", "--data-root", "data", "--json")
    states = {row["dataset"]: row["state"] for row in json.loads(out)}
    assert code == 0
    assert states == dict.fromkeys(states, "verified")
    assert {"nih", "vindr", "mimic-cxr", "shenzhen"} <= set(states)
    code, out, _ = benchx("data", "check", "siim", "--data-root", "data")
    assert code == 0
    assert "outlines: images outlined 20" in out
    code, out, err = benchx("data", "check", "mimic-cxr", "--data-root", "data", "--json")
    report = json.loads(out)
    assert report["reports"]["findings"] <= report["reports"]["images with a report"]
    assert "silhouette" not in out + err


def test_lists_in_full_and_exposure(benchx):
    code, out, _ = benchx("list", "datasets", "--long", "--json")
    assert code == 0
    assert {row["access"] for row in json.loads(out)} == {"open", "registration", "credentialed"}
    code, out, _ = benchx("list", "exposure", "--json")
    assert {row["method"]: row["mimic-cxr"] for row in json.loads(out)}["mrm"] == "images, reports"


def test_a_dataset_of_ones_own_is_made_and_not_overwritten(benchx):
    code, out, _ = benchx("new", "dataset", "mine")
    assert code == 0
    assert Path("mine.yaml").is_file()
    assert "mine.yaml" in out
    code, _, err = benchx("new", "dataset", "mine")
    assert code != 0
    assert "mine.yaml" in err


def test_split_lists_that_cannot_be_fetched_are_one_error(benchx, monkeypatch):
    monkeypatch.setattr("benchx.datasets.fetching.REPOSITORY", "http://127.0.0.1:9")
    code, out, err = benchx("data", "splits", "fetch", "--out", "lists")
    assert code == 1
    assert "could not be fetched" in err
    assert "Traceback" not in out + err
    assert not list(Path("lists").rglob("*.txt"))


def test_an_audit_finds_what_two_datasets_share_and_exits_1(benchx):
    for layout in ("nih", "rsna"):
        benchx("data", "phantom", layout, "--out", f"data/{layout}", "--patients", 16, "--size", 64)
    code, out, err = benchx("data", "audit", "nih", "--data-root", "data")
    assert code == 0, out
    code, out, err = benchx("data", "audit", "--data-root", "data", "--out", "reports/audit.json")
    assert code == 1
    assert "pictures shared with a test part" in out
    assert "Traceback" not in out + err
    report = json.loads(Path("reports/audit.json").read_text())
    assert report["leaks"]
    (leak,) = [finding for finding in report["findings"] if finding["severity"] == "leak"]
    assert any(direction.endswith("-> rsna test") for direction in leak["detail"]["directions"])
    code, _, err = benchx("data", "audit", "siim", "--data-root", "data")
    assert code == 1
    assert "dataset 'siim' is not there" in err
    code, _, err = benchx("data", "audit")
    assert code == 1
    assert "there is no dataset to audit" in err


def test_an_audit_goes_on_past_unreadable_images(benchx):
    benchx("data", "phantom", "rsna", "--out", "data/rsna", "--patients", 12, "--size", 64)
    sorted(Path("data/rsna/stage_2_train_images").iterdir())[0].write_bytes(b"")
    Path("data/siim").mkdir()
    _, out, _ = benchx("data", "audit", "--data-root", "data", "--json")
    kinds = {finding["kind"]: finding["count"] for finding in json.loads(out)["findings"]}
    assert kinds["unreadable images"] == 1
    assert kinds["datasets that cannot be read"] == 1
