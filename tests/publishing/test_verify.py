"""What verification finds, what it cannot check, and how it says so."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import typer
from made_results import (
    METHOD,
    bundle_of,
    cases,
    contents,
    edit_record,
    edit_table,
    errors,
    first,
    forge,
    record_of,
)
from typer.testing import CliRunner

from benchx.cli.publishing import register
from benchx.errors import UsageError
from benchx.planning import plan
from benchx.publishing.archive import pack
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.manifest import Manifest
from benchx.publishing.verify import verify
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks import classification


def test_a_sound_bundle_is_rescored_and_says_what_was_not_checked(bundle):
    verdict = verify(bundle)
    assert verdict.sound
    assert [cell.state for cell in verdict.cells] == ["re-scored"] * 3
    assert {(finding.severity, finding.check) for finding in verdict.findings} == {("note", "suite"), ("note", "truth")}
    assert verdict.bundle == json.loads(contents(bundle)["manifest.json"])["id"]


def test_the_suite_that_ships_is_compared_with_the_shipped_one(tmp_path):
    shipped = read_suite("phantom")
    assert verify(bundle_of(shipped, tmp_path)).sound
    softer = shipped.model_copy(update={"seeds": (0,)})
    assert ("suite", "it differs from suite phantom version 1 as shipped") in errors(
        verify(bundle_of(softer, tmp_path))
    )
    older = verify(bundle_of(softer.model_copy(update={"version": 9}), tmp_path))
    assert older.sound
    assert "version 9; benchx" in next(one.what for one in older.findings if one.severity == "warning")


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        (
            lambda r: r["scores"].update(macro_auroc=0.99),
            "scores",
            "macro_auroc is recorded as 0.99, the predictions give",
        ),
        (
            lambda r: r["scores"]["per_class"]["Mass"].update(auroc=0.9),
            "scores",
            "per_class.Mass.auroc is recorded as 0.9",
        ),
        (lambda r: r["scores"]["per_class"]["Mass"].update(positives=1), "scores", "per_class.Mass.positives"),
        (lambda r: r["scores"].update(n=10**400), "values", "scores.n is no finite number"),
        (lambda r: r["scores"].update(extra=1.0), "scores", "extra is recorded, but does not follow"),
        (lambda r: r["scores"].pop("macro_auroc"), "scores", "holds no macro_auroc"),
        (lambda r: r["scores"].update(macro_auroc=1.5), "values", "scores.macro_auroc is 1.5, outside 0 to 1"),
        (lambda r: r["scores"].update(macro_auroc=float("nan")), "values", "scores.macro_auroc is no finite number"),
        (
            lambda r: r["scores"].update(excluded_classes={"Mass": "no positive in test"}),
            "scores",
            "excluded_classes.Mass",
        ),
        (lambda r: r.update(scores=None), "values", "state done does not go with"),
        (lambda r: r.update(state="failed"), "values", "its state is failed"),
        (lambda r: r.update(key="0" * 64), "key", "under another key than its own"),
        (lambda r: r["provenance"].update(weights="4" * 64), "key", "its key is not that of"),
        (lambda r: r["provenance"].update(method="4" * 64), "key", "the digest of its method"),
        (lambda r: r["provenance"].update(images=None), "key", "names no weights, images or split"),
        (lambda r: r["card"].update(pooling="cls"), "key", "its key is not that of"),
        (lambda r: r["card"].update(pooling="<b>"), "key", "its card does not read"),
        (lambda r: r["card"].update(name="<script>"), "key", "is not of method"),
        (lambda r: r["cell"].update(seed=7), "key", "not the one that its cell digest names"),
        (lambda r: r["cell"].update(dataset=[]), "key", "not the one that its cell digest names"),
        (lambda r: r.update(cell_digest="0" * 64), "key", "none of the suite's"),
        (lambda r: r["provenance"].update(data="real"), "key", "its images are real"),
        (lambda r: r["provenance"].update(split="5" * 64), "split", "on 2 versions of data or split"),
        (lambda r: r["provenance"].update(wall_seconds=-1.0), "values", "its wall time cannot be"),
        (lambda r: r["provenance"].update(peak_memory_bytes=-1), "values", "its peak memory cannot be"),
        (lambda r: r["provenance"].update(created="soon"), "values", "its date is not one"),
        (lambda r: r["provenance"].update(created="2026-01-01T00:00:00"), "values", "no time zone"),
        (
            lambda r: r["provenance"].update(created=(datetime.now(UTC) + timedelta(days=9)).isoformat()),
            "values",
            "made in the future",
        ),
        (lambda r: r.update(schema_version=2), "record", "schema_version"),
        (lambda r: r.pop("provenance"), "record", "provenance"),
    ],
)
def test_an_edited_record_is_found_though_all_hashes_were_mended(bundle, tmp_path, change, check, says):
    found = errors(verify(forge(bundle, edit_record(change), tmp_path / "forged.zip")))
    assert [what for name, what in found if name == check and says in what], found


def set_value(column: str, row: int, value: object):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        (lambda t: t.assign(**{"score:Mass": -t["score:Mass"]}), "scores", "per_class.Mass.auroc is recorded"),
        (lambda t: t.iloc[1:], "scores", "n is recorded as 60, the predictions give 59"),
        (lambda t: t.iloc[:0], "values", "it holds no test case"),
        (lambda t: pd.concat([t, t.iloc[:2]]), "values", "2 test cases stand in it twice"),
        (set_value("score:Mass", 0, np.nan), "values", "1 of 60 values of 'score:Mass' are not finite"),
        (set_value("score:Mass", 3, np.inf), "values", "1 of 60 values of 'score:Mass' are not finite"),
        (set_value("label:Mass", 0, 0.5), "values", "'label:Mass' holds other values"),
        (set_value("cluster", 0, ""), "values", "column 'cluster' is empty on 1 rows"),
        (set_value("cluster", 0, None), "predictions", "column 'cluster' is empty on a row"),
        (set_value("fold", 0, 3), "values", "fold 3 does not exist"),
        (set_value("sample", 0, "other"), "test cases", "its test cases are not those of"),
        (set_value("cluster", 0, "other"), "test cases", "its test cases are not those of"),
        (lambda t: t.drop(columns="label:Mass"), "predictions", "it lacks 1 columns, first 'label:Mass'"),
        (lambda t: t.assign(report="text"), "predictions", "do not belong there, first 'report'"),
        (lambda t: t.astype({"score:Mass": "float64"}), "predictions", "is of type double"),
    ],
)
def test_edited_predictions_are_found_though_all_hashes_were_mended(bundle, tmp_path, change, check, says):
    found = errors(verify(forge(bundle, edit_table(change), tmp_path / "forged.zip")))
    assert [what for name, what in found if name == check and says in what], found


def test_every_reason_is_listed_not_only_the_first(bundle, tmp_path):
    def edit(files, manifest):
        edit_record(lambda r: r["provenance"].update(wall_seconds=-1.0))(files, manifest)
        edit_table(set_value("fold", 0, 3))(files, manifest)
        del files[sorted(files)[-1]], files[sorted(files)[-1]]

    verdict = verify(forge(bundle, edit, tmp_path / "forged.zip"))
    assert {check for check, _ in errors(verdict)} == {"values", "missing cells"}
    assert sum(cell.state == "unsound" for cell in verdict.cells) == 1


def test_predictions_that_are_cut_short_compressed_otherwise_or_claim_too_much_are_not_read(
    bundle, tmp_path, monkeypatch
):
    def cut(files, manifest):
        name = first(files, "predictions.parquet")
        files[name] = files[name][:100]

    assert "not a readable parquet" in errors(verify(forge(bundle, cut, tmp_path / "f.zip")))[0][1]
    gzip = verify(forge(bundle, edit_table(lambda table: table, compression="gzip"), tmp_path / "f.zip"))
    assert "compressed by GZIP" in errors(gzip)[0][1]
    monkeypatch.setattr("benchx.publishing.tables.MAX_VALUES", 100)
    assert "claims 60 rows" in errors(verify(bundle))[0][1]


def test_a_forger_who_computes_everything_anew_cannot_be_found(bundle, tmp_path):
    """As the documentation says: only running the method again would show it."""

    def edit(files, manifest):
        name = first(files, "predictions.parquet")
        table = pd.read_parquet(io.BytesIO(files[name]))
        table["score:Mass"] = table["label:Mass"].fillna(0) + np.linspace(0, 0.1, len(table), dtype=np.float32)
        edit_table(lambda _: table)(files, manifest)
        edit_record(lambda record: record.update(scores=classification.score(table)))(files, manifest)

    forged = verify(forge(bundle, edit, tmp_path / "forged.zip"))
    assert forged.sound
    assert forged.bundle != verify(bundle).bundle


def test_missing_cells_are_found_whether_the_manifest_admits_them_or_not(suite, store, bundle, tmp_path):
    shutil.copytree(store.path, tmp_path / "partial")
    partial = Store(tmp_path / "partial")
    shutil.rmtree(partial.cells / next(partial.records()).key)
    write_bundle(make_bundle(suite, partial, METHOD), tmp_path / "b.zip")
    assert errors(verify(tmp_path / "b.zip")) == [("missing cells", "not in the bundle (not run)")]
    silent = forge(tmp_path / "b.zip", lambda files, manifest: manifest.update(missing=[]), tmp_path / "s.zip")
    assert errors(verify(silent)) == [("missing cells", "not in the bundle (not admitted)")]
    missing = json.loads(contents(tmp_path / "b.zip")["manifest.json"])["missing"]
    untrue = forge(bundle, lambda files, manifest: manifest.update(missing=missing), tmp_path / "u.zip")
    assert errors(verify(untrue))[0][1].startswith("1 cells are listed as missing that are there")


def test_a_result_that_does_not_apply_needs_its_reason_and_no_predictions(suite, tmp_path):
    store = Store(tmp_path / "store")
    whole, *others = plan(suite, [METHOD])
    store.put(record_of(whole, None, data="phantom"))
    for cell in others:
        store.put(record_of(cell, cases(cell, 1), data="phantom"), cases(cell, 1))
    write_bundle(make_bundle(suite, store, METHOD), tmp_path / "b.zip")
    verdict = verify(tmp_path / "b.zip")
    assert verdict.sound
    assert sorted(cell.state for cell in verdict.cells) == ["not-applicable", "re-scored", "re-scored"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(suite_digest="0" * 64), "the suite's digest is not that of the suite"),
        (lambda m: m["suite"].update(short_side=999), "the suite's digest is not that of the suite"),
        (lambda m: m.update(suite_version=7), "the suite itself says tiny, version 1"),
        (lambda m: m["suite"]["datasets"].update(mine=m["suite"]["datasets"]["nih"]), "unknown dataset 'mine'"),
        (lambda m: m["suite"].update(seeds=list(range(200_000))), "at most 100000 are planned"),
        (lambda m: m["suite"].update(protocols={}), "protocols"),
        (lambda m: m.update(pseudonymous=["nih"]), "though it is open to everybody"),
        (lambda m: m.update(salt="x"), "the salt is not the digest"),
        (lambda m: m.update(data="real"), "its images are phantom, those of the bundle real"),
    ],
)
def test_an_edited_manifest_is_found(bundle, tmp_path, change, says):
    found = errors(verify(forge(bundle, lambda files, manifest: change(manifest), tmp_path / "forged.zip")))
    assert [what for _, what in found if says in what], found


def test_a_dataset_of_the_authors_own_is_never_opened(bundle, tmp_path):
    (tmp_path / "bait.yaml").write_text("name: nih\n")

    def edit(files, manifest):
        manifest["suite"]["datasets"]["nih"]["file"] = str(tmp_path / "bait.yaml")

    verdict = verify(forge(bundle, edit, tmp_path / "forged.zip"), data_root=tmp_path)
    assert errors(verdict) == [("suite", "the suite's digest is not that of the suite")]
    assert [one.what for one in verdict.findings if one.check == "truth"] == [
        "split and labels not checked: a dataset of the author's own"
    ]


def test_files_outside_the_manifest_and_listed_ones_that_are_gone_are_found(bundle, tmp_path):
    files = contents(bundle)
    gone = first(files, "predictions.parquet")
    spare = f"cells/{'0' * 64}/record.json"
    changed = {name: content for name, content in files.items() if name != gone} | {spare: b"{}"}
    (tmp_path / "b.zip").write_bytes(pack(changed))
    found = errors(verify(tmp_path / "b.zip"))
    assert ("manifest", "it is listed but not there") in found
    assert ("manifest", "it is not listed in the manifest") in found
    del files["manifest.json"]
    (tmp_path / "b.zip").write_bytes(pack(files))
    assert errors(verify(tmp_path / "b.zip")) == [("manifest", "the bundle has none")]


def test_paths_that_lead_nowhere_are_usage_errors(bundle, tmp_path):
    with pytest.raises(UsageError, match="there is no bundle"):
        verify(tmp_path / "none.zip")
    with pytest.raises(UsageError, match="there is no"):
        verify(bundle, against=[tmp_path / "none.zip"])
    with pytest.raises(UsageError, match="neither a bundle nor a store"):
        verify(bundle, against=[tmp_path])
    (tmp_path / "x.zip").write_bytes(b"x")
    with pytest.raises(UsageError, match="cannot be compared with"):
        verify(bundle, against=[tmp_path / "x.zip"])


@pytest.fixture
def benchx(monkeypatch, tmp_path):
    app = typer.Typer()
    register(app)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_commands_bundle_and_verify(benchx, suite, store, tmp_path):
    suite_file = tmp_path / "tiny.yaml"
    suite_file.write_text(
        "extends: phantom\nname: tiny\nfractions: [0.1, 1.0]\nseeds: [0, 1]\ndatasets:\n  rsna: null\n"
        "  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}\n"
    )
    made = benchx("bundle", "--suite", suite_file, "--method", METHOD, "--store", store.path)
    assert made.exit_code == 0, made.output
    path = tmp_path / f"tiny-{METHOD}.benchx.zip"
    assert f"3 cells of '{METHOD}', 0 missing" in made.output
    assert Manifest.model_validate_json(contents(path)["manifest.json"]).id in made.output
    table = benchx("verify", path)
    assert (table.exit_code, table.output.count("re-scored")) == (0, 3)
    assert f"sound: {path.name}" in table.output
    path.write_bytes(path.read_bytes() + b" ")
    failed = benchx("verify", path, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.output)["sound"] is False


def test_hostile_names_are_printed_harmlessly(benchx, bundle, tmp_path):
    name = "[/red]\x1b[2J<script>"
    path = forge(bundle, lambda files, manifest: manifest.update(method=name, suite_name=name), tmp_path / "f.zip")
    shown = benchx("verify", path)
    assert shown.exit_code == 1, shown.output
    assert "\x1b[2J" not in shown.output
    assert "[/red]" in shown.output


def test_verification_needs_no_torch():
    code = "import sys, benchx.publishing.verify; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
