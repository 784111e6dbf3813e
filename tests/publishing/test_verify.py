"""What verification finds, what it cannot check, and how it says so."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import typer
from made_results import (
    METHOD,
    contents,
    edit_record,
    edit_table,
    errors,
    first,
    forge,
)
from typer.testing import CliRunner

from benchx.cli.publishing import register
from benchx.errors import UsageError
from benchx.publishing.archive import pack
from benchx.publishing.columns import COLUMNS
from benchx.publishing.manifest import Manifest
from benchx.publishing.opening import open_bundle
from benchx.publishing.tables import read_table
from benchx.publishing.verify import verify
from benchx.tasks.classification import problem as classification

COLUMNS_OF_THREE = COLUMNS["classification"](("Effusion", "Cardiomegaly", "Mass"))


class Deadly(bytes):
    """A table that ends the process that it is sent to."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_sound_bundle_is_rescored_and_says_what_was_not_checked(bundle):
    verdict = verify(bundle)
    assert verdict.sound
    assert [cell.state for cell in verdict.cells] == ["re-scored"] * 3
    assert {(finding.severity, finding.check) for finding in verdict.findings} == {
        ("warning", "suite"),
        ("note", "truth"),
    }
    assert verdict.bundle == json.loads(contents(bundle)["manifest.json"])["id"]


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
        (lambda r: r["cell"].update(dataset=[]), "record", "cell.dataset: Input should be a valid string"),
        (lambda r: r["cell"].update(fraction=0.5), "key", "not the one that its cell digest names"),
        (lambda r: r.update(cell_digest="0" * 64), "key", "none of the suite's"),
        (lambda r: r["provenance"].update(data="real"), "key", "its images are real"),
        (lambda r: r["provenance"].update(split="5" * 64), "split", "on 2 versions of data or split"),
        (lambda r: r["provenance"].update(wall_seconds=-1.0), "record", "provenance.wall_seconds"),
        (lambda r: r["provenance"].update(peak_memory_bytes=-1), "record", "provenance.peak_memory_bytes"),
        (lambda r: r["provenance"].update(threads=0), "values", "its number of threads cannot be"),
        (lambda r: r["provenance"].update(unreadable=-1), "values", "its number of unreadable images cannot be"),
        (lambda r: r["provenance"].update(unreadable=1), "unreadable", "do not agree on how many images"),
        (lambda r: r["provenance"].update(created="soon"), "record", "provenance.created"),
        (lambda r: r["provenance"].update(created="2026-01-01T00:00:00"), "record", "provenance.created"),
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
        (lambda t: pd.concat([t, t.iloc[:2]]), "values", "2 test cases in it twice"),
        (set_value("score:Mass", 0, np.nan), "values", "1 of 60 values of 'score:Mass' are not finite"),
        (set_value("score:Mass", 3, np.inf), "values", "1 of 60 values of 'score:Mass' are not finite"),
        (set_value("label:Mass", 0, 0.5), "values", "'label:Mass' holds other values"),
        (set_value("cluster", 0, ""), "values", "column 'cluster' is empty on 1 row"),
        (set_value("cluster", 0, None), "predictions", "column 'cluster' is empty on a row"),
        (set_value("fold", 0, 3), "values", "fold 3 does not exist"),
        (set_value("sample", 0, "other"), "test cases", "its test cases are not those of"),
        (set_value("cluster", 0, "other"), "test cases", "its test cases are not those of"),
        (lambda t: t.drop(columns="sample"), "predictions", "it lacks 1 column, first 'sample'"),
        (lambda t: t.drop(columns="label:Mass"), "predictions", "it lacks 1 column, first 'label:Mass'"),
        (lambda t: t.assign(report="text"), "predictions", "it has 1 column too many, first 'report'"),
        (lambda t: t.astype({"score:Mass": "float64"}), "predictions", "is of type double"),
    ],
)
def test_edited_predictions_are_found_though_all_hashes_were_mended(bundle, tmp_path, change, check, says):
    found = errors(verify(forge(bundle, edit_table(change), tmp_path / "forged.zip")))
    assert [what for name, what in found if name == check and says in what], found


def test_every_reason_is_listed_not_only_the_first(bundle, tmp_path):
    def edit(files, manifest):
        edit_record(lambda r: r["provenance"].update(threads=0))(files, manifest)
        edit_table(set_value("fold", 0, 3))(files, manifest)
        del files[sorted(files)[-1]], files[sorted(files)[-1]]

    verdict = verify(forge(bundle, edit, tmp_path / "forged.zip"))
    assert {what for _, what in errors(verdict)} == {
        "its number of threads cannot be",
        "fold 3 does not exist in split official",
        "a cluster stands in two folds",
        "not in the bundle (not admitted)",
    }
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
    with pytest.raises(ValueError, match="claims 60 rows"):
        read_table(contents(bundle)[first(contents(bundle), ".parquet")], COLUMNS_OF_THREE, labelled=True)


@pytest.mark.parametrize("column", ["sample", "cluster"])
def test_ids_of_absurd_length_are_not_read(bundle, tmp_path, column):
    long = forge(bundle, edit_table(set_value(column, 0, "a" * 257)), tmp_path / "f.zip")
    assert [what for check, what in errors(verify(long)) if check == "predictions"] == [
        f"column '{column}' holds an id of 257 characters, at most 256 are read"
    ]
    longest = forge(bundle, edit_table(set_value("sample", 0, "a" * 256)), tmp_path / "f.zip")
    assert "predictions" not in {check for check, _ in errors(verify(longest))}


def test_a_table_that_kills_its_reader_is_a_finding_and_the_others_are_read(bundle, monkeypatch):
    opened = open_bundle(bundle)
    key = min(opened.tables)
    deadly = replace(opened, tables={**opened.tables, key: Deadly(b"")})
    monkeypatch.setattr("benchx.publishing.verify.open_bundle", lambda path, suite: deadly)
    verdict = verify(bundle)
    assert errors(verdict) == [("predictions", "the table cannot be read: the reader died")]
    assert [cell.state for cell in verdict.cells] == ["unsound", "re-scored", "re-scored"]


def test_a_record_is_in_the_bundle_in_the_one_form_that_benchx_writes(bundle, tmp_path):
    """Which of two equal keys counts is up to the reader, so that a bundle could show two scores."""

    def rewritten(change):
        def edit(files, manifest):
            name = first(files, "record.json")
            files[name] = change(files[name])

        return errors(verify(forge(bundle, edit, tmp_path / "f.zip")))

    form = [("record", "it is not written as benchx writes it")]
    assert rewritten(lambda c: c.replace(b'"macro_auroc": ', b'"macro_auroc": 0.999,\n  "macro_auroc": ', 1)) == form
    assert rewritten(lambda c: c + b"\n") == form
    assert rewritten(lambda c: json.dumps(json.loads(c)).encode()) == form
    assert form[0] in rewritten(lambda c: c.replace(b'"strength": 1.0', b'"strength": 1e999'))
    assert rewritten(lambda c: c) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.clear(), "details.folds: Field required"),
        (lambda d: d.update(folds="x"), "details.folds: Input should be a valid list"),
        (lambda d: d.update(folds=["x"]), "details.folds.0"),
        (lambda d: d.update(folds=[]), "details list the folds [], the split has 1"),
        (lambda d: d["folds"][0].update(fold=1), "details list the folds [1], the split has 1"),
        (lambda d: d["folds"].append(d["folds"][0]), "details list the folds [0, 0], the split has 1"),
        (lambda d: d["folds"][0].pop("units"), "details.folds.0.units: Field required"),
        (lambda d: d["folds"][0]["images"].update(train=-1), "details.folds.0.images.train"),
        (
            lambda d: d["folds"][0]["images"].update(test=59),
            "details count 59 test images in fold 0, the predictions 60",
        ),
        (lambda d: d["folds"][0]["units"].update(test=1), "details count 1 test unit in fold 0, the predictions 30"),
        (lambda d: d["folds"][0].update(untrained_classes="Mass"), "details.folds.0.untrained_classes"),
        (lambda d: d["folds"][0].update(untrained_classes=["<b>"]), "details of fold 0 name '<b>', which is no class"),
        (lambda d: d["folds"][0]["thresholds"]["Mass"].update({"0.9": "x"}), "details.folds.0.thresholds.Mass.0.9"),
        (lambda d: d["folds"][0]["thresholds"]["Mass"].update({"0.9": 10**400}), "details.folds.0.thresholds.Mass.0.9"),
        (lambda d: d["folds"][0]["thresholds"].update({"<b>": {}}), "details of fold 0 name '<b>', which is no class"),
    ],
)
def test_details_of_another_shape_are_found(bundle, tmp_path, change, says):
    found = errors(verify(forge(bundle, edit_record(lambda r: change(r["details"])), tmp_path / "forged.zip")))
    assert [what for check, what in found if check == "details" and says in what], found


def test_thresholds_may_be_lacking(bundle, tmp_path):
    without = edit_record(lambda r: r["details"]["folds"][0].pop("thresholds"))
    assert verify(forge(bundle, without, tmp_path / "f.zip")).sound


def test_numbers_of_strangers_are_shown_in_a_sane_length(bundle, tmp_path):
    def absurd(record):
        record["scores"].update(n=10**100, macro_auroc=0.1234567891234)
        record["provenance"].update(unreadable=10**100)

    findings = verify(forge(bundle, edit_record(absurd), tmp_path / "f.zip")).findings
    assert "n is recorded as a number beyond 1e+15, the predictions give 60" in {one.what for one in findings}
    assert "0" * 16 not in str(findings)
    assert "1234567" not in str(findings)


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
    with pytest.raises(UsageError, match="the file does not exist"):
        verify(tmp_path / "none.zip")
    with pytest.raises(UsageError, match="it is a folder"):
        verify(tmp_path)
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
        "extends: phantom\nonly: [nih]\nname: tiny\nfractions: [0.1, 1.0]\nseeds: [0, 1]\ndatasets:\n"
        "  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}\n"
    )
    made = benchx("bundle", "--suite", suite_file, "--method", METHOD, "--store", store.path)
    assert made.exit_code == 0, made.output
    path = tmp_path / f"tiny-{METHOD}.benchx.zip"
    assert f"3 cells of '{METHOD}', 0 missing" in made.output
    assert Manifest.model_validate_json(contents(path)["manifest.json"]).id in made.output
    asked = benchx("verify", path, "--suite", suite_file)
    assert asked.exit_code == 0, asked.output
    other = benchx("verify", path, "--suite", "phantom")
    assert other.exit_code == 1
    assert "which was asked for" in other.output
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
