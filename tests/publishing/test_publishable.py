"""One's own results are checked before they are published: bundles and model cards say nothing untrue."""

from __future__ import annotations

import pytest
from made_results import METHOD, fill

from benchx.errors import StoreError
from benchx.publishing.bundle import make_bundle
from benchx.publishing.model_index import model_index
from benchx.publishing.selection import select
from benchx.results.record import Record
from benchx.results.store import Store


def spoilt(suite, path, change) -> tuple[Store, str]:
    """A finished store of which one result was changed."""
    store = Store(path)
    fill(store, suite)
    record = next(store.records())
    value = record.model_dump(mode="json")
    table = change(value, store.predictions(record.key))
    store.put(Record.model_validate(value), table)
    return store, record.key


def scores(**changes):
    return lambda record, table: (record["scores"].update(changes), table)[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (scores(macro_auroc=0.99), "macro_auroc is recorded as 0.99, the predictions give"),
        (scores(n=59), "n is recorded as 59, the predictions give 60"),
        (scores(extra=0.5), "extra is recorded, but does not follow"),
        (lambda r, t: (r.update(scores=None), t)[1], "does not go with its scores"),
        (lambda r, t: (r["scores"].clear(), t)[1], "the record holds no"),
        (lambda r, t: (r["scores"].pop("macro_auprc"), t)[1], "the record holds no macro_auprc"),
        (lambda r, t: (r["scores"]["per_class"].pop("Mass"), t)[1], "per_class.Mass follows from the predictions"),
        (lambda r, t: (r["details"].clear(), t)[1], "details.folds"),
        (lambda r, t: t.assign(**{"score:Mass": float("nan")}).astype({"score:Mass": "float32"}), "not finite"),
        (lambda r, t: t.assign(**{"score:Mass": float("inf")}).astype({"score:Mass": "float32"}), "not finite"),
        (lambda r, t: t.assign(**{"score:Mass": -t["score:Mass"]}), "the predictions give"),
        (lambda r, t: t.drop(columns="sample"), "it lacks 1 column, first 'sample'"),
        (lambda r, t: t.drop(columns=["score:Mass", "label:Mass"]), "it lacks 2 columns, first 'score:Mass'"),
    ],
)
def test_a_result_that_does_not_follow_from_its_predictions_is_not_published(suite, tmp_path, change, why):
    store, key = spoilt(suite, tmp_path, change)
    for publish in (
        lambda: make_bundle(suite, store, METHOD),
        lambda: model_index(select(suite, store, METHOD), store),
    ):
        with pytest.raises(StoreError, match=key[:12]) as caught:
            publish()
        assert why in caught.value.why


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_scores_that_are_no_number_are_not_published(suite, tmp_path, word):
    store, key = spoilt(suite, tmp_path, scores(macro_auroc=0.125))
    file = store.cells / key / "record.json"
    file.write_text(file.read_text().replace("0.125", word))
    with pytest.raises(StoreError, match=key[:12]) as caught:
        model_index(select(suite, store, METHOD), store)
    assert caught.value.why == "scores.macro_auroc is no finite number"
