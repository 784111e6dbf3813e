"""Bundles beside one's own data: labels, split and pseudonyms joined from the official files."""

from __future__ import annotations

import io
import shutil

import pandas as pd
import pytest
from made_results import METHOD, edit_record, edit_table, errors, fill_from, first, forge

from benchx.datasets.readers import nih
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.verify import verify
from benchx.results.store import Store
from benchx.suites import read_suite
from benchx.tasks.classification import problem as classification


def test_credentialed_scores_are_attested_without_the_data_and_rescored_with_it(private_bundle, data):
    without = verify(private_bundle)
    assert without.sound
    assert [cell.state for cell in without.cells] == ["attested"] * 3
    joined = verify(private_bundle, data_root=data)
    assert joined.sound, joined.findings
    assert [cell.state for cell in joined.cells] == ["re-scored"] * 3
    assert "truth" not in {finding.check for finding in joined.findings}


def test_attested_scores_must_at_least_agree_with_themselves(private_bundle, data, tmp_path):
    forged = forge(private_bundle, edit_record(lambda r: r["scores"].update(macro_auroc=0.99)), tmp_path / "f.zip")
    assert errors(verify(forged)) == [("scores", "macro_auroc is not the mean of the classes")]

    def consistent(record):
        for one in record["scores"]["per_class"].values():
            one["auroc"] = None if one["auroc"] is None else 0.99
        record["scores"]["macro_auroc"] = 0.99

    forged = forge(private_bundle, edit_record(consistent), tmp_path / "f.zip")
    assert verify(forged).sound
    assert ("scores", "macro_auroc is recorded as 0.99") in [
        (check, what.partition(",")[0]) for check, what in errors(verify(forged, data_root=data))
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.iloc[1:], "without a prediction: 1 of 12 test cases, with 0 images said to be unreadable"),
        (lambda t: t.assign(sample=[f"{n:016x}" for n in range(len(t))]), "not in your files: 12 of 12 test cases"),
        (lambda t: t.assign(cluster=t["sample"].iloc[0]), "another cluster than in your files: "),
    ],
)
def test_pseudonymous_test_cases_are_compared_with_the_data(private_bundle, data, tmp_path, change, says):
    found = errors(verify(forge(private_bundle, edit_table(change), tmp_path / "f.zip"), data_root=data))
    assert [what for check, what in found if check == "truth" and says in what], found


def test_open_labels_split_and_test_cases_are_compared_with_the_data(write_nih, tmp_path):
    rows = [(patient, 0, "Effusion" if patient % 2 else "No Finding") for patient in range(1, 31)]
    root = write_nih(rows, test=range(1, 21))
    (tmp_path / "s.yaml").write_text(
        "extends: phantom\nonly: [nih, rsna]\nname: s\nfractions: [1.0]\ndatasets:\n  rsna: null\n"
        "  nih: {tasks: {classification: {classes: [Effusion]}}}\n"
    )
    suite = read_suite(str(tmp_path / "s.yaml"))
    store = Store(tmp_path / "store")
    fill_from(store, suite, nih.read(root).sorted())
    write_bundle(make_bundle(suite, store, METHOD), tmp_path / "b.zip")
    sound = verify(tmp_path / "b.zip", data_root=tmp_path)
    assert sound.sound, sound.findings
    assert {(finding.severity, finding.check) for finding in sound.findings} == {("warning", "suite")}

    def relabel(files, manifest):
        name = first(files, "predictions.parquet")
        table = pd.read_parquet(io.BytesIO(files[name]))
        table["label:Effusion"] = 1 - table["label:Effusion"]
        edit_table(lambda _: table)(files, manifest)
        edit_record(lambda record: record.update(scores=classification.score(table)))(files, manifest)

    forged = forge(tmp_path / "b.zip", relabel, tmp_path / "f.zip")
    assert verify(forged).sound
    found = errors(verify(forged, data_root=tmp_path))
    assert found[0] == ("truth", "the labels of 'Effusion' are not those of your files")
    assert {check for check, _ in found[1:]} == {"scores"}
    (root / "test_list.txt").write_text((root / "test_list.txt").read_text().replace("00000001_000.png\n", ""))
    with (root / "train_val_list.txt").open("a") as file:
        file.write("00000001_000.png\n")
    assert errors(verify(tmp_path / "b.zip", data_root=tmp_path)) == [
        ("truth", "the sha256 of the split is not that of your files"),
        ("truth", "not on the test cases of fold 0: 1 prediction"),
    ]
    (root / "Data_Entry_2017_v2020.csv").write_text("no table")
    broken = verify(tmp_path / "b.zip", data_root=tmp_path)
    assert broken.sound
    assert "split and labels not checked" in broken.findings[-1].what


def test_real_ids_of_credentialed_data_in_a_bundle_are_an_error(private_bundle, tmp_path):
    forged = forge(
        private_bundle, lambda files, manifest: manifest.update(pseudonymous=[], salt=None), tmp_path / "f.zip"
    )
    assert ("pseudonyms", "ids and labels of data that is not open stand in the bundle: do not pass it on") in errors(
        verify(forged)
    )


@pytest.fixture
def with_left_out(private_suite, vindr_samples, tmp_path):
    """A bundle that lacks the first test cases and calls some images unreadable, right in all else."""

    def make(left_out, unreadable):
        store = Store(tmp_path / f"{left_out}-{unreadable}")
        fill_from(store, private_suite, vindr_samples, left_out=left_out, unreadable=unreadable)
        write_bundle(make_bundle(private_suite, store, METHOD), tmp_path / "b.zip")
        return tmp_path / "b.zip"

    return make


def unreadable(verdict):
    return {one.what for one in verdict.findings if (one.severity, one.check) == ("warning", "unreadable")}


def test_unreadable_images_may_be_left_out_of_the_test_cases_and_are_a_warning(with_left_out, data):
    bundle = with_left_out(1, 3)
    judge = "3 images left out as unreadable: a person has to judge that"
    alone, joined = verify(bundle), verify(bundle, data_root=data)
    assert alone.sound
    assert unreadable(alone) == {judge}
    assert joined.sound, joined.findings
    share = "without a prediction: 1 of 12 test cases; 3 images said to be unreadable"
    assert unreadable(joined) == {judge, share}


@pytest.mark.parametrize(("left_out", "said"), [(1, 0), (4, 3), (2, 10**6)])
def test_more_test_cases_left_out_than_can_have_been_unreadable_are_an_error(with_left_out, data, left_out, said):
    bundle = with_left_out(left_out, said)
    assert verify(bundle).sound
    found = errors(verify(bundle, data_root=data))
    assert {check for check, _ in found} == {"truth"}
    assert found[0][1].startswith(f"without a prediction: {left_out} of 12 test cases, with {said} images")


def test_simulated_files_are_no_truth_for_real_results(private_bundle, data, tmp_path):
    shutil.copytree(data / "vindr", tmp_path / "vindr")
    (tmp_path / "vindr" / "PHANTOM.json").write_text("{}")
    verdict = verify(private_bundle, data_root=tmp_path)
    assert [cell.state for cell in verdict.cells] == ["attested"] * 3
    assert "one is simulated, the other real" in verdict.findings[-1].what
