"""What a bundle holds, and what it must not."""

from __future__ import annotations

import hashlib
import io
import json
import shutil

import pandas as pd
import pytest
from made_results import METHOD, cases, contents, fill, record_of

from benchx.errors import StoreError, UsageError
from benchx.planning import plan
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.columns import COLUMNS
from benchx.publishing.manifest import PublishedSuite, published_suite
from benchx.publishing.pseudonyms import cluster_names, is_hidden, pseudonyms
from benchx.publishing.tables import read_table
from benchx.results.store import Store
from benchx.suites import read_suite


def test_a_bundle_lists_records_and_predictions_with_their_hashes(suite, store, bundle):
    files = contents(bundle)
    manifest = json.loads(files.pop("manifest.json"))
    keys = sorted(record.key for record in store.records())
    assert sorted(files) == sorted(
        f"cells/{key}/{name}" for key in keys for name in ("predictions.parquet", "record.json")
    )
    for entry in manifest["files"]:
        content = files[entry["path"]]
        assert (entry["sha256"], entry["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    for key in keys:
        assert json.loads(files[f"cells/{key}/record.json"])["scores"] == store.get(key).scores
        bundled = read_table(
            files[f"cells/{key}/predictions.parquet"],
            COLUMNS["classification"](("Effusion", "Cardiomegaly", "Mass")),
            labelled=True,
        )
        kept = store.predictions(key)
        pd.testing.assert_frame_equal(bundled[list(kept)], kept.astype({"sample": object, "cluster": object}))
    assert (manifest["suite_name"], manifest["method"], manifest["data"]) == ("tiny", METHOD, "phantom")
    assert (manifest["missing"], manifest["pseudonymous"], manifest["salt"]) == ([], [], None)


def test_the_same_store_gives_the_same_bytes_wherever_it_lies(suite, store, bundle, tmp_path):
    shutil.copytree(store.path, tmp_path / "elsewhere")
    again = make_bundle(suite, Store(tmp_path / "elsewhere"), METHOD)
    assert again.content == bundle.read_bytes()
    assert str(tmp_path).encode() not in again.content
    assert again.file_name == f"tiny-{METHOD}.benchx.zip"


def test_columns_that_no_prediction_table_has_are_left_out(suite, tmp_path):
    store = Store(tmp_path)
    for cell in plan(suite, [METHOD]):
        table = cases(cell, 1)
        store.put(record_of(cell, table, data="phantom"), table.assign(report="Heart enlarged.", **{"group:sex": "F"}))
    content = make_bundle(suite, store, METHOD).content
    assert b"Heart enlarged" not in content
    assert b"group:sex" in content


def test_missing_cells_are_listed_with_their_state(suite, tmp_path):
    store = Store(tmp_path)
    whole, small, failed = plan(suite, [METHOD])[::-1]
    store.put(record_of(whole, None, data="phantom"))
    store.put(record_of(small, cases(small, 1), data="phantom"), cases(small, 1))
    store.put(record_of(failed, None, data="phantom").model_copy(update={"state": "failed", "reason": "/home/x"}))
    made = make_bundle(suite, store, METHOD)
    assert [(one.cell, one.state) for one in made.manifest.missing] == [(failed.digest, "failed")]
    assert len(made.manifest.files) == 3
    assert b"/home/x" not in made.content


def test_only_the_newest_version_of_data_and_method_is_taken(suite, tmp_path):
    store = Store(tmp_path)
    fill(store, suite)
    cell = plan(suite, [METHOD])[0]
    newer = record_of(cell, cases(cell, 2), data="phantom", images="9" * 64, created="2026-02-01T00:00:00+00:00")
    store.put(newer, cases(cell, 2))
    made = make_bundle(suite, store, METHOD)
    assert {entry.path.split("/")[1] for entry in made.manifest.files} == {newer.key}
    assert [one.state for one in made.manifest.missing] == ["other version", "other version"]


def test_nothing_done_and_mixed_data_are_refused(suite, store, tmp_path):
    with pytest.raises(StoreError, match="no finished result of 'medklip'") as caught:
        make_bundle(suite, store, "medklip")
    assert METHOD in caught.value.why
    mixed = Store(tmp_path / "mixed")
    for cell, data in zip(plan(suite, [METHOD]), ("real", "phantom", "phantom"), strict=True):
        mixed.put(record_of(cell, cases(cell, 1), data=data), cases(cell, 1))
    with pytest.raises(StoreError, match="phantom and real"):
        make_bundle(suite, mixed, METHOD)


def test_report_text_goes_along_only_when_asked_for(suite, tmp_path):
    store = Store(tmp_path)
    fill(store, suite)
    with pytest.raises(StoreError, match="no report text in this store"):
        make_bundle(suite, store, METHOD, with_reports=True)
    key = next(store.records()).key
    (store.cells / key / "reports.parquet").write_bytes(b"Clear lungs.")
    assert b"Clear lungs." not in make_bundle(suite, store, METHOD).content
    assert b"Clear lungs." in make_bundle(suite, store, METHOD, with_reports=True).content


def test_report_text_of_credentialed_data_never_goes_along(private_suite, private_store, tmp_path):
    shutil.copytree(private_store.path, tmp_path / "copy")
    store = Store(tmp_path / "copy")
    (store.cells / next(store.records()).key / "reports.parquet").write_bytes(b"Clear lungs.")
    with pytest.raises(StoreError, match="report text of 'vindr' cannot be bundled"):
        make_bundle(private_suite, store, METHOD, with_reports=True)


def test_credentialed_predictions_hold_pseudonyms_and_no_labels(private_bundle, private_store, vindr_samples):
    content, files = private_bundle.read_bytes(), contents(private_bundle)
    manifest = json.loads(files["manifest.json"])
    assert manifest["pseudonymous"] == ["vindr"]
    assert not [name for name in vindr_samples.table["sample"] if name.encode() in content]
    for key in (record.key for record in private_store.records()):
        bundled = pd.read_parquet(io.BytesIO(files[f"cells/{key}/predictions.parquet"]))
        assert list(bundled) == ["sample", "cluster", "fold", "score:Lung Opacity", "score:Cardiomegaly"]
        assert bundled["sample"].is_monotonic_increasing
        original = private_store.predictions(key).set_index("sample")["score:Cardiomegaly"]
        names = dict(zip(pseudonyms(manifest["salt"], "vindr", list(original.index)), original, strict=True))
        assert bundled.set_index("sample")["score:Cardiomegaly"].to_dict() == names


def test_pseudonyms_follow_their_definition_and_clusters_tell_only_who_belongs_together():
    expected = hashlib.sha256(b"salt\0nih\0a.png").hexdigest()[:16]
    assert pseudonyms("salt", "nih", ["a.png"]) == [expected]
    assert list(cluster_names(["d", "a", "c", "b"], ["p", "q", "p", "q"])) == ["c", "a", "c", "a"]


def test_only_real_data_that_is_not_open_is_hidden(private_suite, suite):
    vindr, nih = private_suite.dataset("vindr"), suite.dataset("nih")
    assert is_hidden(vindr, "real")
    assert not is_hidden(vindr, "phantom")
    assert not is_hidden(nih, "real")


def test_a_published_suite_plans_the_same_cells_without_the_files_of_its_author(tmp_path):
    (tmp_path / "secret-place").mkdir()
    (tmp_path / "secret-place" / "ours.yaml").write_text(
        "name: ours\ntitle: Ours\nlicence: none\nsource: here\ncitation: we\nsize: small\n"
        "tasks: [classification]\ntable: {file: labels.csv, images: images}\nclasses: [Mass, Nodule]\n"
        "columns: {sample: id, image: file, label: finding}\n"
    )
    (tmp_path / "s.yaml").write_text(
        "extends: phantom\nonly: [nih, rsna]\nname: s\ndatasets:\n  nih: null\n  rsna: null\n  ours:\n    split: cv5\n"
        "    file: secret-place/ours.yaml\n"
        "    tasks: {classification: {protocols: [frozen], primary: macro_auroc}}\n"
    )
    suite = read_suite(str(tmp_path / "s.yaml"))
    value = json.loads(json.dumps(published_suite(suite)))
    assert "secret-place" not in json.dumps(value)
    expected = [cell.digest for cell in plan(suite, ["m"])]
    shutil.rmtree(tmp_path / "secret-place")
    assert [cell.digest for cell in plan(PublishedSuite.model_validate(value), ["m"])] == expected


def test_a_bundle_is_written_whole_or_not_at_all(suite, store, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="could not be written"):
        write_bundle(make_bundle(suite, store, METHOD), tmp_path / "file" / "b.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
