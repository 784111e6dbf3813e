"""The suite `benchx-2024` is the protocol of BenchX's code: its cells, and its settings per method and dataset."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from benchx.planning import plan
from benchx.protocols import resolved
from benchx.reporting.building.published import read_published
from benchx.resources import resource_dir
from benchx.suites import read_suite

SHARED = Path(__file__).resolve().parents[2] / "shared"
SUITE = read_suite("benchx-2024")

METHODS = {
    "CONVIRT": "convirt-benchx",
    "GLORIA": "gloria",
    "MEDCLIP-R50": "medclip-resnet50",
    "MEDCLIP-VIT": "medclip-vit",
    "MEDKLIP": "medklip",
    "MFLAG": "mflag",
    "M-FLAG": "mflag",
    "MGCA-R50": "mgca-resnet50",
    "MGCA-VIT": "mgca-vit",
    "MRM": "mrm",
    "REFERS": "refers",
    "PTUNIFIER": "ptunifier",
}
DATASETS = {"object_cxr": "object-cxr", "iuxray": "iu-xray"}


def _configurations(task: str, count: int) -> list[tuple[str, str, dict[str, str]]]:
    """Return dataset, method and fields of every collected configuration of a task that BenchX's scripts run."""
    path = SHARED / "reference" / "benchx-configs.csv"
    if not path.is_file():
        pytest.skip("the collected configurations are not here")
    rows = [row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if row["task"] == task]
    found = [
        (DATASETS.get(row["dataset"].lower(), row["dataset"].lower()), METHODS[name], row)
        for row in rows
        if (name := row["method"].upper().replace("_", "-")) in METHODS
    ]
    assert len(found) == count
    return found


def _settings(dataset: str, task: str, method: str):
    (protocol,) = SUITE.datasets[dataset].tasks[task].protocols
    return resolved(SUITE.protocols[protocol], dataset, method)


def test_a_method_has_the_cells_of_the_paper():
    cells = plan(SUITE, ["mrm"])
    assert Counter((cell.dataset, cell.task) for cell in cells) == {
        **{(name, "classification"): 9 for name in ("nih", "vindr", "covidx", "siim", "rsna")},
        **{(name, "segmentation"): 3 for name in ("object-cxr", "rsna", "siim", "tbx11k")},
        ("iu-xray", "report_generation"): 3,
        ("mimic-cxr", "retrieval"): 1,
    }
    trained = [cell for cell in cells if cell.task != "retrieval"]
    assert Counter(cell.seed for cell in trained) == {0: 20, 1: 20, 42: 20}
    assert Counter(cell.fraction for cell in trained) == {0.01: 15, 0.1: 15, 1.0: 30}
    assert not any(cell.settings["cut_validation"] for cell in trained if cell.fraction < 1)


def test_every_column_finds_what_the_paper_prints_of_every_method():
    scores = read_published(resource_dir("published") / "benchx-2024.csv")
    for method in {score.method for _, score in scores}:
        columns = {
            (cell.dataset, cell.task, cell.settings["protocol"]["kind"], cell.fraction): cell.primary
            for cell in plan(SUITE, [method])
        }
        of_method = {place for place, score in scores if score.method == method}
        assert {place[:4] for place in of_method} <= set(columns)
        assert all((*place[:4], columns[place[:4]]) in of_method for place in of_method)


def test_classification_has_fourteen_classes_or_one():
    cells = [cell for cell in plan(SUITE, ["mrm"]) if cell.task == "classification"]
    assert {cell.dataset: len(cell.settings["classes"]) for cell in cells} == {
        "nih": 14, "vindr": 14, "covidx": 1, "siim": 1, "rsna": 1,
    }  # fmt: skip


def test_overrides_name_methods_and_datasets_that_exist():
    cards = {path.stem for path in resource_dir("baselines").glob("*.yaml")}
    for name, protocol in SUITE.protocols.items():
        tasks = {
            dataset for dataset, entry in SUITE.datasets.items() for of in entry.tasks.values() if name in of.protocols
        }
        overrides = getattr(protocol, "overrides", {})
        assert set(overrides) <= tasks
        assert {method for of_dataset in overrides.values() for method in of_dataset} <= cards | {"all"}


def test_another_method_gets_the_protocol_without_overrides():
    settings = _settings("nih", "classification", "random-resnet50")
    assert (settings.optimizer, settings.lr, settings.head_lr, settings.batch_size) == ("adam", 1e-5, 1e-4, 64)
    assert _settings("rsna", "classification", "random-resnet50").head.loss == "softmax"
    assert _settings("rsna", "segmentation", "random-resnet50").head_lr == 1e-4


def test_some_settings_as_the_code_has_them():
    convirt = _settings("vindr", "classification", "convirt-benchx")
    assert (convirt.head_lr, convirt.lr, convirt.batch_size) == (5e-5, pytest.approx(5e-6), 32)
    assert (convirt.schedule, convirt.warmup_steps, convirt.total_steps) == ("cosine-unclamped", 10, 200)
    mrm = _settings("nih", "classification", "mrm")
    assert (mrm.optimizer, mrm.momentum, mrm.head_lr, mrm.lr) == ("sgd", 0.9, 3e-2, pytest.approx(3e-3))
    medclip = _settings("siim", "classification", "medclip-vit")
    assert (medclip.head.layer_norm, medclip.head.weight_std, medclip.selection) == (False, None, "f1")
    gloria = _settings("siim", "classification", "gloria")
    assert (gloria.head.layer_norm, gloria.head.weight_std) == (True, None)
    assert _settings("iu-xray", "report_generation", "gloria").patience == 50
    assert _settings("iu-xray", "report_generation", "mrm").patience == 10
    assert _settings("iu-xray", "report_generation", "medclip-vit").encoder == "trained"


def test_classification_is_configured_as_in_the_code():
    for dataset, method, row in _configurations("classification", 50):
        settings = _settings(dataset, "classification", method)
        schedule = dict(pair.split("=") for pair in row["sched_params"].split(";"))
        rate = float(row["lr"])
        binary = row["loss"] == "CrossEntropyLoss"
        assert settings.optimizer == row["optimizer"].lower()
        assert settings.head_lr == rate
        assert settings.lr == pytest.approx(rate * float(row["encoder_lr_mult"]), rel=1e-12)
        assert settings.batch_size == int(row["batch_size"])
        assert settings.head.layer_norm == (row["LN"] == "True")
        assert settings.head.weight_std == (2e-5 if row["TNI"] == "True" else None)
        assert settings.head.loss == ("softmax" if binary else "sigmoid")
        assert settings.selection == ("f1" if binary else "macro_auroc")
        assert settings.warmup_steps == int(schedule["warmup_steps"])
        assert settings.total_steps == int(schedule["t_total"])
        assert settings.weight_decay == float(row["weight_decay"])
        assert settings.clip_norm == float(row["clip_grad_norm"])
        assert settings.epochs == int(row["max_epochs"]) + 1
        assert settings.patience == int(row["early_stop"])
        assert settings.first_evaluation == int(row["eval_start"])
        assert settings.evaluate_every == int(row["eval_interval"])
        assert settings.momentum == float(row["momentum"] or 0.9)
        assert settings.precision == ("fp16" if row["amp"] == "True" else "fp32")


def test_segmentation_is_configured_as_in_the_code():
    for dataset, method, row in _configurations("segmentation", 44):
        settings = _settings(dataset, "segmentation", method)
        every = int(row["eval_interval"].removesuffix(" iters"))
        assert (settings.optimizer, settings.head_lr) == (row["optimizer"].lower(), float(row["lr"]))
        assert (settings.batch_size, settings.weight_decay) == (int(row["batch_size"]), float(row["weight_decay"]))
        assert (settings.steps_per_epoch, settings.epochs * settings.steps_per_epoch) == (every, settings.total_steps)
        assert f"max_iters={settings.total_steps}" == row["sched_params"]
        assert settings.patience >= settings.epochs
        assert settings.decoder.width == (768 if "ViT-B" in row["backbone"] else 512)
        assert settings.clip_norm is None


def test_report_generation_is_configured_as_in_the_code():
    for dataset, method, row in _configurations("report_generation", 11):
        settings = _settings(dataset, "report_generation", method)
        assert settings.encoder == ("frozen" if row["freeze_encoder"] == "True" and method != "refers" else "trained")
        assert (settings.optimizer, settings.amsgrad) == (row["optimizer"].lower(), row["amsgrad"] == "True")
        assert settings.head_lr == float(row["lr"])
        assert settings.lr == pytest.approx(float(row["lr"]) * float(row["encoder_lr_mult"]), rel=1e-12)
        assert (settings.batch_size, settings.weight_decay) == (int(row["batch_size"]), float(row["weight_decay"]))
        assert (settings.epochs, settings.patience) == (int(row["max_epochs"]) + 1, int(row["early_stop"]))
        assert settings.clip_norm == float(row["clip_grad_norm"])
        assert settings.precision == ("fp16" if row["amp"] == "True" else "fp32")
