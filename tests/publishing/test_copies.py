"""Predictions that two methods, or two draws, have in common."""

from __future__ import annotations

import numpy as np
import pytest
from made_results import METHOD, OTHER, bundle_of, cases, errors, fill_from, record_of

from benchx.planning import plan
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.verify import verify
from benchx.results.store import Store


def test_the_same_predictions_of_two_methods_are_found_in_bundles_and_stores(suite, bundle, tmp_path):
    honest = bundle_of(suite, tmp_path / "honest", OTHER, seed=2)
    assert verify(bundle, against=[honest, tmp_path / "honest" / f"store-{OTHER}"]).sound
    copied = bundle_of(suite, tmp_path / "copied", OTHER, seed=1)
    for place in (copied, tmp_path / "copied" / f"store-{OTHER}"):
        found = errors(verify(bundle, against=[place]))
        assert found == [("duplicates", f"the same predictions as {OTHER} ({place.name})")] * 3
    assert verify(bundle, against=[bundle]).sound


@pytest.mark.parametrize(
    ("disguise", "found"),
    [
        (lambda x: 0.3 * x + 7, True),
        (lambda x: np.tanh(x / 4), True),
        (lambda x: -x, False),
        (lambda x: x + np.linspace(0, 1, len(x)), False),
    ],
)
def test_copies_are_found_under_maps_that_keep_the_order(suite, bundle, tmp_path, disguise, found):
    store = Store(tmp_path / "store")
    for cell in plan(suite, [OTHER]):
        table = cases(cell, 1)
        for name in cell.settings["classes"]:
            table[f"score:{name}"] = disguise(table[f"score:{name}"].astype(float)).astype(np.float32)
        store.put(record_of(cell, table, data="phantom"), table.sample(frac=1, random_state=0))
    assert verify(bundle, against=[store.path]).sound is not found


def test_constant_predictions_are_nobodys_copy(suite, tmp_path):
    for method in (METHOD, OTHER):
        store = Store(tmp_path / method)
        for cell in plan(suite, [method]):
            table = cases(cell, 1)
            table[[f"score:{name}" for name in cell.settings["classes"]]] = np.float32(0)
            store.put(record_of(cell, table, data="phantom"), table)
        write_bundle(make_bundle(suite, store, method), tmp_path / f"{method}.zip")
    assert verify(tmp_path / f"{METHOD}.zip", against=[tmp_path / f"{OTHER}.zip"]).sound


def test_draws_that_share_their_predictions_are_a_warning(suite, tmp_path):
    store = Store(tmp_path / "store")
    for cell in plan(suite, [METHOD]):
        table = cases(plan(suite, [METHOD])[0], 1)
        store.put(record_of(cell, table, data="phantom"), table)
    write_bundle(make_bundle(suite, store, METHOD), tmp_path / "b.zip")
    verdict = verify(tmp_path / "b.zip")
    assert verdict.sound
    warnings = [one for one in verdict.findings if (one.severity, one.check) == ("warning", "duplicates")]
    assert len(warnings) == 1


def test_copies_are_found_between_pseudonymous_bundles(private_suite, private_bundle, vindr_samples, tmp_path):
    for seed, sound in ((1, False), (2, True)):
        store = Store(tmp_path / f"store{seed}")
        fill_from(store, private_suite, vindr_samples, OTHER, seed=seed)
        write_bundle(make_bundle(private_suite, store, OTHER), tmp_path / f"{seed}.zip")
        assert verify(private_bundle, against=[tmp_path / f"{seed}.zip"]).sound is sound
        assert verify(private_bundle, against=[store.path]).sound is sound
