"""The spine, end to end on simulated radiographs and a small random encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchx
from benchx.engines import local
from benchx.errors import BenchxError, DataMissing, StoreError, UsageError, WeightsMissing
from benchx.phantom.writers import write
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.results.status import status_rows
from benchx.suites import read_suite

METHOD = "random-efficientnet-lite0"
SUITE = """
extends: phantom
only: [nih, rsna]
name: tiny
short_side: 80
fractions: [0.2, 1.0]
seeds: [0, 1]
datasets:
  rsna: null
  nih: {tasks: {classification: {classes: [Effusion, Cardiomegaly, Mass]}}}
protocols: {frozen: {input: {size: 64}, strengths: [0.01, 1.0]}}
"""
FINETUNE = (
    "{kind: finetune, input: {preprocessing: card, size: 64}, epochs: 1, batch_size: 16, lr: 0.001, head_lr: 0.01, "
    "augmentation: {scale: [0.6, 1.0], ratio: [0.8, 1.25], horizontal_flip: 0.5}, weight_decay: 0.0, "
    "warmup_fraction: 0.0, clip_norm: 1.0, patience: 1, precision: fp32, search: null}"
)


def board_of(suite, store):
    return build_board(suite, [store], Rules(), lambda card: None, lambda done, total: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write("nih", root / "nih", 80, 3, 64, lambda done, total: None)
    return root


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("suite") / "tiny.yaml"
    path.write_text(SUITE)
    return str(path)


@pytest.fixture(scope="module")
def finished(data, suite, tmp_path_factory) -> benchx.Store:
    store = tmp_path_factory.mktemp("store")
    summary = benchx.run(suite, [METHOD], data_root=data, store=store, device="cpu")
    assert summary.counts == {"run": 3}
    assert summary.complete
    return benchx.Store(store)


def test_every_cell_has_a_prediction_for_every_test_case(finished, data):
    listed = (data / "nih" / "test_list.txt").read_text().split()
    records = list(finished.records())
    assert sorted((record.cell["fraction"], record.cell["seed"]) for record in records) == sorted(
        [(0.2, 0), (0.2, 1), (1.0, None)], key=lambda pair: (pair[0], pair[1] or 0)
    )
    for record in records:
        table = finished.predictions(record.key)
        assert sorted(table["sample"]) == sorted(listed)
        assert list(table["cluster"]) == [str(int(name.split("_")[0])) for name in table["sample"]]
        assert np.isfinite(table["score:Mass"]).all()


def test_a_record_can_be_believed(finished):
    record = next(iter(finished.records()))
    assert record.provenance.data == "phantom"
    assert record.provenance.unit == "patient"
    assert record.provenance.checkpoint is None
    assert record.card["name"] == METHOD
    assert record.cell["settings"]["protocol"]["strengths"] == [0.01, 1.0]
    assert {"torch", "timm", "numpy"} <= set(record.provenance.packages)
    (fold,) = record.details["folds"]
    assert fold["strength"] in (0.01, 1.0)
    assert fold["images"]["train"] > 0
    assert set(record.scores["per_class"]) == {"Effusion", "Cardiomegaly", "Mass"}


def test_scores_are_those_of_the_stored_predictions(finished):
    from sklearn.metrics import roc_auc_score

    for record in finished.records():
        table = finished.predictions(record.key)
        for name, values in record.scores["per_class"].items():
            labels = table[f"label:{name}"]
            if labels.nunique() == 2:
                assert values["auroc"] == pytest.approx(roc_auc_score(labels, table[f"score:{name}"]), abs=1e-12)


def test_running_again_does_nothing(finished, data, suite, monkeypatch):
    monkeypatch.setattr(local, "execute", lambda *_: pytest.fail("a finished cell was run again"))
    summary = benchx.run(suite, [METHOD], data_root=data, store=finished.path, device="cpu")
    assert summary.counts == {"done": 3}
    assert all(one.score is not None for one in summary.finished)


def test_the_same_run_elsewhere_gives_the_same_keys_and_bits(finished, data, suite, tmp_path):
    moved = tmp_path / "moved"
    (tmp_path / "moved").symlink_to(data)
    benchx.run(suite, [METHOD], data_root=moved, store=tmp_path / "store", device="cpu")
    other = benchx.Store(tmp_path / "store")
    assert {record.key for record in other.records()} == {record.key for record in finished.records()}
    for record in other.records():
        pd.testing.assert_frame_equal(other.predictions(record.key), finished.predictions(record.key), check_exact=True)


def test_a_cache_too_small_for_a_method_is_refused(data, suite, tmp_path):
    small = tmp_path / "small.yaml"
    small.write_text(Path(suite).read_text().replace("short_side: 80", "short_side: 64"))
    with pytest.raises(UsageError, match="resizes to 73 px, but the suite keeps images at 64 px only"):
        benchx.run(str(small), [METHOD], data_root=data, store=tmp_path / "s", device="cpu")


@pytest.mark.parametrize("protocol", ["frozen", "finetune"])
def test_the_order_of_the_official_file_changes_nothing(data, suite, tmp_path, protocol):
    path = tmp_path / "both.yaml"
    path.write_text(
        f"extends: {suite}\nprotocols: {{finetune: {FINETUNE}}}\n"
        "datasets: {nih: {tasks: {classification: {protocols: [frozen, finetune]}}}}\n"
    )
    shuffled = tmp_path / "shuffled"
    shutil.copytree(data, shuffled)
    table = shuffled / "nih" / "Data_Entry_2017_v2020.csv"
    header, *rows = table.read_text().splitlines()
    np.random.default_rng(0).shuffle(rows)
    table.write_text("\n".join([header, *rows]) + "\n")
    narrowed = {"protocols": [protocol], "store": tmp_path / "s", "device": "cpu"}
    benchx.run(str(path), [METHOD], data_root=data, fractions=[0.2], seeds=[0], **narrowed)
    whole = {"fractions": [1.0], "seeds": [0], "protocols": [protocol], "device": "cpu"}
    benchx.run(str(path), [METHOD], roots={"nih": shuffled / "nih"}, store=tmp_path / "s", **whole)
    benchx.run(str(path), [METHOD], roots={"nih": data / "nih"}, store=tmp_path / "clean", **whole)
    clean = benchx.Store(tmp_path / "clean")
    for record in clean.records():
        assert benchx.Store(tmp_path / "s").get(record.key).scores == record.scores


def test_who_is_which_patient_is_part_of_the_key(data, suite, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(data, other)
    table = other / "nih" / "Data_Entry_2017_v2020.csv"
    frame = pd.read_csv(table, dtype=str, index_col=False)
    frame.loc[frame["Patient ID"] == "80", "Patient ID"] = "79"
    table.write_text(table.read_text().splitlines()[0] + "\n" + frame.to_csv(index=False, header=False))
    narrowed = {"fractions": [1.0], "device": "cpu"}
    first = benchx.run(suite, [METHOD], data_root=data, store=tmp_path / "a", **narrowed)
    second = benchx.run(suite, [METHOD], data_root=other, store=tmp_path / "b", **narrowed)
    assert first.finished[0].key != second.finished[0].key


def test_a_split_that_cannot_be_made_fails_its_cells_only(data, tmp_path):
    broken = tmp_path / "nih"
    shutil.copytree(data / "nih", broken)
    (broken / "test_list.txt").unlink()
    write("rsna", tmp_path / "rsna", 60, 0, 64, lambda done, total: None)
    suite = tmp_path / "both.yaml"
    suite.write_text(SUITE.replace("rsna: null", "rsna: {split: official}").replace("[0.2, 1.0]", "[1.0]"))
    summary = benchx.run(str(suite), [METHOD], data_root=tmp_path, store=tmp_path / "s", device="cpu")
    assert summary.counts == {"failed": 1, "run": 1}
    (line,) = summary.shortfalls()
    assert line.startswith("1 failed: the official split of 'nih' is incomplete")
    failed = [record for record in benchx.Store(tmp_path / "s").records() if record.state == "failed"]
    assert [record.provenance.data for record in failed] == ["phantom"]


def test_features_that_do_not_fit_into_memory_are_computed_in_halves(data, suite, finished, tmp_path, monkeypatch):
    from benchx.methods.encoders.base import Encoder

    real = Encoder.forward

    def small(self, images):
        if len(images) > 5:
            raise RuntimeError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Encoder, "forward", small)
    benchx.run(suite, [METHOD], data_root=data, store=tmp_path, device="cpu", fractions=[1.0])
    (record,) = benchx.Store(tmp_path).records()
    expected = finished.predictions(record.key)["score:Effusion"]
    assert np.allclose(benchx.Store(tmp_path).predictions(record.key)["score:Effusion"], expected, atol=1e-3)


def test_shards_share_the_work_out(suite, data, tmp_path):
    from benchx.request import request

    whole = request(suite, [METHOD, "random-resnet50"]).cells
    parts = [request(suite, [METHOD, "random-resnet50"], shard=(part, 2)).cells for part in (1, 2)]
    assert sorted(cell.digest for part in parts for cell in part) == sorted(cell.digest for cell in whole)
    assert {cell.method for cell in parts[0]} != {cell.method for cell in parts[1]}
    with pytest.raises(UsageError, match="shard 3/2"):
        request(suite, [METHOD], shard=(3, 2))


def test_a_failing_cell_is_recorded_and_the_others_go_on(data, suite, tmp_path, monkeypatch):
    real = local.execute

    def failing(cell, workspace):
        if cell.seed == 1:
            raise MemoryError("cannot allocate 8 GB")
        return real(cell, workspace)

    arguments = {"data_root": data, "store": tmp_path, "device": "cpu"}
    monkeypatch.setattr(local, "execute", failing)
    summary = benchx.run(suite, [METHOD], **arguments)
    assert summary.counts == {"run": 2, "failed": 1}
    assert not summary.complete
    failed = next(one for one in summary.finished if one.state == "failed")
    assert failed.reason == "out of memory (cannot allocate 8 GB)"
    with pytest.raises(BenchxError, match="out of memory"):
        benchx.run(suite, [METHOD], strict=True, retry_failed=True, **arguments)

    monkeypatch.setattr(local, "execute", real)
    again = benchx.run(suite, [METHOD], **arguments)
    assert again.counts == {"done": 2, "failed": 1}
    retried = benchx.run(suite, [METHOD], retry_failed=True, **arguments)
    assert retried.counts == {"done": 2, "run": 1}
    assert {record.state for record in benchx.Store(tmp_path).records()} == {"done"}


def test_missing_weights_and_data_are_states_beside_what_runs(data, tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHX_WEIGHTS", raising=False)
    suite = tmp_path / "both.yaml"
    suite.write_text(SUITE.replace("rsna: null", "rsna: {split: official}").replace("[0.2, 1.0]", "[1.0]"))
    summary = benchx.run(str(suite), [METHOD, "medklip"], data_root=data, store=tmp_path / "s", device="cpu")
    assert summary.counts == {"run": 1, "data-missing": 1, "weights-missing": 2}
    assert not summary.complete
    board = board_of(read_suite(str(suite)), benchx.Store(tmp_path / "s"))
    assert [line.split(": ", 1)[1].split(" (")[0] for line in board.empty] == ["dataset 'rsna' is not there"]
    assert "kaggle.com" in board.empty[0]
    assert str(tmp_path) not in board.empty[0]
    assert board.columns[0].absent["medklip"].startswith("no weights for 'medklip'")
    states = {(row["dataset"], row["method"]): row["state"] for row in status_rows(benchx.Store(tmp_path / "s"))}
    assert states[("nih", METHOD)] == "done"
    assert states[("rsna", METHOD)] == "data-missing"
    assert states[("nih", "medklip")] == "weights-missing"


def test_what_is_named_and_missing_is_an_error(data, suite, tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHX_WEIGHTS", raising=False)
    monkeypatch.delenv("BENCHX_DATA", raising=False)
    arguments = {"store": tmp_path, "device": "cpu"}
    with pytest.raises(DataMissing, match="dataset 'nih' is not there"):
        benchx.run(suite, [METHOD], datasets=["nih"], **arguments)
    with pytest.raises(WeightsMissing, match="medklip"):
        benchx.run(suite, ["medklip"], data_root=data, **arguments)
    with pytest.raises(UsageError, match="does not exist"):
        benchx.run(suite, ["medklip"], data_root=data, checkpoints={"medklip": "/nowhere.pth"}, **arguments)
    with pytest.raises(UsageError, match="did you mean 'random-resnet50'"):
        benchx.run(suite, ["random-resnet5"], data_root=data, **arguments)


def test_one_percent_of_few_patients_is_not_applicable_and_says_why(data, tmp_path):
    suite = tmp_path / "few.yaml"
    suite.write_text(SUITE.replace("[0.2, 1.0]", "[0.001, 1.0]"))
    summary = benchx.run(str(suite), [METHOD], data_root=data, store=tmp_path / "s", device="cpu", fractions=[0.001])
    assert set(summary.counts) == {"not-applicable"}
    assert summary.complete
    assert "fraction 0.1 % of nih cannot be trained" in summary.finished[0].reason
    assert "positives: Effusion" in summary.finished[0].reason


def test_the_board_ranks_and_refuses_to_mix(finished, suite):
    board = board_of(read_suite(suite), finished)
    assert board.data == "phantom"
    assert [column.fraction for column in board.columns] == [0.2, 1.0]
    small, whole = board.columns
    assert [draw.name for draw in small.rows[0].draws] == ["0", "1"]
    assert [draw.name for draw in whole.rows[0].draws] == ["deterministic"]
    assert small.rows[0].score.value == pytest.approx(np.mean([draw.score for draw in small.rows[0].draws]), abs=1e-12)
    assert small.rows[0].score.low < small.rows[0].score.value < small.rows[0].score.high
    with pytest.raises(StoreError, match="no finished result of suite 'chestxray'"):
        board_of(read_suite("chestxray"), finished)


def test_the_board_takes_one_version_of_a_method_and_gives_paired_gaps(finished, data, suite, tmp_path):
    store = benchx.Store(tmp_path / "s")
    store.merge(finished)
    card = (Path(__file__).parents[1] / "baselines" / f"{METHOD}.yaml").read_text()
    for name, seed in ((METHOD, 7), ("rival", 8)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(card.replace(f"name: {METHOD}", f"name: {name}").replace("seed: 0", f"seed: {seed}"))
        benchx.run(suite, [str(path)], data_root=data, store=store.path, device="cpu", fractions=[1.0])
    whole = next(c for c in board_of(read_suite(suite), store).columns if c.fraction == 1)
    assert {row.method for row in whole.rows} == {METHOD, "rival"}
    assert all(draw.name == "deterministic" for row in whole.rows for draw in row.draws)
    leader, second = whole.rows
    (pair,) = whole.pairs
    assert (pair.a, pair.b) == (leader.method, second.method)
    assert pair.difference.value == pytest.approx(leader.score.value - second.score.value, abs=1e-12)
    assert pair.difference.low <= pair.difference.value <= pair.difference.high


def test_phantom_and_real_results_never_share_a_board(finished, suite, tmp_path):
    mixed = benchx.Store(tmp_path)
    mixed.merge(finished)
    record = next(iter(finished.records()))
    real = record.provenance.model_copy(update={"data": "real"})
    mixed.put(record.model_copy(update={"provenance": real, "key": "0" * 64}), finished.predictions(record.key))
    with pytest.raises(StoreError, match="phantom and real"):
        board_of(read_suite(suite), mixed)


def test_a_card_file_is_a_method_under_its_own_name(data, suite, tmp_path):
    card = (Path(__file__).parents[1] / "baselines" / f"{METHOD}.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(card.replace(f"name: {METHOD}", "name: mine").replace("seed: 0", "seed: 7"))
    arguments = {"data_root": data, "store": tmp_path / "s", "device": "cpu", "fractions": [1.0]}
    summary = benchx.run(suite, [str(path), METHOD], **arguments)
    assert summary.counts == {"run": 2}
    scores = {record.cell["method"]: record.scores["macro_auroc"] for record in benchx.Store(tmp_path / "s").records()}
    assert set(scores) == {"mine", METHOD}
    assert scores["mine"] != scores[METHOD]
    path.write_text(card)
    with pytest.raises(UsageError, match="two cards are named"):
        benchx.run(suite, [str(path), METHOD], **arguments)
