"""Results that are left out, and suites that were made to fit what is there."""

from __future__ import annotations

import json
import shutil

import pytest
from made_results import METHOD, cases, contents, errors, fill_from, forge, hide_result, record_of
from made_tasks import images_of, put, some_cases

from benchx.datasets.readers import nih
from benchx.planning import is_meant, plan
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.verify import verify
from benchx.results.store import Store
from benchx.suites import read_suite

NIH = """
extends: phantom
only: [nih, rsna]
name: s
fractions: [0.5, 1.0]
seeds: [0, 1]
datasets:
  rsna: null
  nih: {tasks: {classification: {classes: [Effusion]}}}
"""


def warnings(verdict):
    return [(one.check, one.what) for one in verdict.findings if one.severity == "warning"]


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
    assert errors(verify(untrue))[0][1].startswith("listed as missing, though there or not in the suite: 1 cell")


def not_applicable(suite, store, *without):
    """Put results of a suite into a store, those of some cells (by number) not applicable."""
    for number, cell in enumerate(plan(suite, [METHOD])):
        table = None if number in without else cases(cell, 1)
        store.put(record_of(cell, table, data="phantom"), table)
    return store


def test_a_result_may_not_apply_where_nothing_speaks_against_it(suite, tmp_path):
    """Of cells on 10 % (twice) and on 100 % of the labels, the first two do not apply."""
    write_bundle(make_bundle(suite, not_applicable(suite, Store(tmp_path / "s"), 0, 1), METHOD), tmp_path / "b.zip")
    verdict = verify(tmp_path / "b.zip")
    assert verdict.sound
    assert sorted(cell.state for cell in verdict.cells) == ["not-applicable", "not-applicable", "re-scored"]
    assert [what for check, what in warnings(verdict) if check == "not applicable"] == [
        "said not to be applicable: only your own copy of the data can tell, see --data-root"
    ] * 2


@pytest.mark.parametrize("without", [0, 2])
def test_another_draw_and_a_smaller_fraction_speak_against_a_result_that_does_not_apply(suite, tmp_path, without):
    write_bundle(make_bundle(suite, not_applicable(suite, Store(tmp_path / "s"), without), METHOD), tmp_path / "b.zip")
    verdict = verify(tmp_path / "b.zip")
    assert [check for check, _ in errors(verdict)] == ["not applicable"]
    assert "though there is a result of random-efficientnet-lite0 / nih / frozen / 10 %" in errors(verdict)[0][1]
    assert sorted(cell.state for cell in verdict.cells) == ["re-scored", "re-scored", "unsound"]


@pytest.mark.parametrize("index", range(3))
def test_a_bad_result_cannot_be_hidden_as_not_applicable(bundle, tmp_path, index):
    hidden = verify(forge(bundle, hide_result(index), tmp_path / "f.zip"))
    assert [check for check, _ in errors(hidden)] == ["not applicable"]


def test_a_result_that_does_not_apply_needs_a_reason_and_no_predictions(bundle, tmp_path):
    def unexplained(files, manifest):
        hide_result(0)(files, manifest)
        name = min(name for name in files if name.endswith("record.json"))
        record = json.loads(files[name]) | {"reason": None}
        files[name] = (json.dumps(record, indent=1) + "\n").encode()

    assert ("values", "state not-applicable does not go with its scores, predictions or reason") in errors(
        verify(forge(bundle, unexplained, tmp_path / "f.zip"))
    )


def test_ones_own_files_decide_what_applies(write_nih, tmp_path):
    """They teach and score the class, so no cell may be left out; then they lose all positives, and every cell may."""
    rows = [(patient, 0, "Effusion" if patient % 2 else "No Finding") for patient in range(1, 41)]
    root = write_nih(rows, test=range(1, 21))
    (tmp_path / "s.yaml").write_text(NIH)
    suite = read_suite(str(tmp_path / "s.yaml"))
    store = Store(tmp_path / "store")
    fill_from(store, suite, nih.read(root).sorted())
    write_bundle(make_bundle(suite, store, METHOD), tmp_path / "b.zip")
    half = next(
        number
        for number, record in enumerate(sorted(store.records(), key=lambda one: one.key))
        if record.cell["fraction"] == 0.5 and record.cell["seed"] == 0
    )

    def without(*indices):
        def edit(files, manifest):
            for index in indices:
                hide_result(index)(files, manifest)

        return forge(tmp_path / "b.zip", edit, tmp_path / "f.zip")

    all_hidden = without(0, 1, 2)
    assert verify(all_hidden).sound
    assert len([check for check, _ in warnings(verify(all_hidden)) if check == "not applicable"]) == 3
    shown = errors(verify(all_hidden, data_root=tmp_path))
    assert (
        shown
        == [("not applicable", "said not to be applicable, though a class can be trained and scored on your files")] * 3
    )
    assert [check for check, _ in errors(verify(without(half)))] == ["not applicable"]
    table = root / "Data_Entry_2017_v2020.csv"
    table.write_text(table.read_text().replace("Effusion", "No Finding"))
    untaught = verify(without(half), data_root=tmp_path)
    assert "not applicable" not in {check for check, _ in errors(untaught)}
    assert [one.severity for one in untaught.findings if one.check == "not applicable"] == ["note"]


def test_the_suite_that_ships_is_compared_with_the_shipped_one(tmp_path):
    """What it does not mean for the method is not in the bundle, and does not lack."""

    def bundle_of(suite):
        store = Store(tmp_path / f"store-{suite.version}-{len(suite.seeds)}")
        for cell in plan(suite, [METHOD]):
            if is_meant(cell, suite):
                put(store, cell, some_cases(cell.task), data="phantom", images=images_of(cell))
        write_bundle(make_bundle(suite, store, METHOD), path := tmp_path / f"{store.path.name}.zip")
        return path

    shipped = read_suite("phantom")
    assert not all(is_meant(cell, shipped) for cell in plan(shipped, [METHOD]))
    honest = bundle_of(shipped)
    assert verify(honest).sound, verify(honest).findings
    assert verify(honest, suite=shipped).sound
    softer = shipped.model_copy(update={"seeds": (0,)})
    differs = f"it differs from suite phantom version {shipped.version} as shipped"
    assert ("suite", differs) in errors(verify(bundle_of(softer)))
    older = bundle_of(softer.model_copy(update={"version": 9}))
    assert verify(older).sound
    assert "version 9; benchx" in next(what for check, what in warnings(verify(older)) if check == "suite")
    (told,) = errors(verify(older, suite=shipped))
    assert told == ("suite", f"it is not suite phantom version {shipped.version}, which was asked for")


def test_a_suite_of_its_authors_own_is_a_warning_unless_it_was_asked_for(suite, bundle):
    assert ("suite", "it does not ship with benchx: compare with a file you know, by --suite FILE") in warnings(
        verify(bundle)
    )
    asked = verify(bundle, suite=suite)
    assert asked.sound
    assert warnings(asked) == []
    other = suite.model_copy(update={"seeds": (0, 1, 2)})
    assert errors(verify(bundle, suite=other)) == [("suite", "it is not suite tiny version 1, which was asked for")]


def test_the_description_of_a_suite_may_differ(suite, bundle):
    assert verify(bundle, suite=suite.model_copy(update={"description": "in other words"})).sound
