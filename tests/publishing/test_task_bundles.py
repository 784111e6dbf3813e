"""Bundles of segmentation, retrieval, report generation and zero-shot classification: made, hidden, described."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results
from made_results import METHOD, contents, errors, forge
from made_tasks import NEW, file_of, images_of, real_cases, some_cases, table_of

from benchx.datasets.splits import make_folds
from benchx.errors import StoreError
from benchx.publishing.bundle import make_bundle, write_bundle
from benchx.publishing.cases import expected_cases, same_cases
from benchx.publishing.columns import COLUMNS, columns_of
from benchx.publishing.model_index import METRICS, model_index, to_yaml
from benchx.publishing.model_index import TASKS as HUB_TASKS
from benchx.publishing.selection import select
from benchx.publishing.tables import read_table, write_table
from benchx.publishing.verify import verify
from benchx.results.store import Store
from benchx.tasks.kinds import FOREGROUND, KINDS
from benchx.tasks.scoring import FAULTS, SCORERS
from benchx.tasks.zero_shot.scores import HEAT


def states(verdict):
    return {next((task for task in NEW if f" / {task} / " in one.label), one.label): one.state for one in verdict.cells}


def test_every_task_declares_its_columns_metrics_and_scorer():
    assert set(COLUMNS) == set(KINDS) == set(SCORERS) == set(METRICS) == set(HUB_TASKS)
    for task, kind in KINDS.items():
        assert set(kind.primaries) <= set(METRICS[task])


@pytest.mark.parametrize("task", NEW)
def test_made_tables_are_ones_of_their_task_and_survive_writing(task_cells, task):
    table = table_of(task_cells[task], some_cases(task))
    assert FAULTS[task](table) is None
    columns = columns_of(task_cells[task])
    assert set(columns.needed) < set(table.columns) <= {*columns.kinds, "group:sex"}
    again = read_table(write_table(table, columns), columns, labelled=True)
    assert SCORERS[task](again) == SCORERS[task](table)
    own = table[list(again)].astype(dict.fromkeys(set(again) & {"sample", "cluster", "top"}, object))
    pd.testing.assert_frame_equal(again, own)


def test_heat_maps_of_any_version_are_read_and_no_part_of_them(task_cells):
    """Tables of earlier versions have four columns of a class's heat maps; later ones have four more."""
    cell, (name,) = task_cells["zero_shot"], task_cells["zero_shot"].settings["classes"]
    old = table_of(cell, some_cases("zero_shot"))
    later = ("pointing_cell", "heat_ap", "heat_dice", "heat_dice_chosen")
    new = old.assign(**{f"{column}:{name}": old[f"heat_iou:{name}"] for column in later})
    assert {f"{column}:{name}" for column in HEAT.values()} <= set(new.columns)
    for table in (old, new):
        again = read_table(write_table(table, columns_of(cell)), columns_of(cell), labelled=True)
        assert SCORERS["zero_shot"](again) == SCORERS["zero_shot"](table)
    part = new.drop(columns=f"heat_dice:{name}")
    with pytest.raises(ValueError, match=f"it lacks 1 column, first 'heat_dice:{name}'"):
        read_table(write_table(part, columns_of(cell)), columns_of(cell), labelled=True)
    hidden = columns_of(cell).without_truth()
    assert not any("heat" in column or "pointing" in column for column in hidden.kinds)


def test_paired_cases_are_images_with_a_text(real_samples, task_cells):
    samples = real_samples["mimic-cxr"]
    retrieve = task_cells["retrieval"]
    protocol = {"kind": "paired", "text": ["impression"]}
    cell = replace(retrieve, task="classification", settings=retrieve.settings | {"protocol": protocol})
    folds = make_folds(samples, "official")
    found = expected_cases(cell, samples, folds)
    tested = set(found.loc[found["fold"] == 0, "sample"])
    own = samples.table.iloc[folds[0].test]["sample"]
    assert tested == {name for name in own if (samples.reports[name].impression or "").strip()}
    frozen = replace(cell, settings=cell.settings | {"protocol": {"kind": "frozen"}})
    assert set(expected_cases(frozen, samples, folds).query("fold == 0")["sample"]) == set(own)
    assert same_cases(frozen) != same_cases(cell)


def test_the_union_of_classes_is_called_as_the_task_calls_it(task_cells):
    cell = task_cells["segmentation"]
    protocol = cell.settings["protocol"] | {"output": "softmax"}
    needed = columns_of(replace(cell, settings=cell.settings | {"protocol": protocol})).needed
    assert f"tp:{FOREGROUND}" in needed
    assert not any(name in column for column in needed for name in cell.settings["classes"])


def test_an_open_bundle_of_all_tasks_is_rescored(open_bundle, open_store, tasks):
    verdict = verify(open_bundle, suite=tasks)
    assert verdict.sound, verdict.findings
    assert states(verdict) == dict.fromkeys(NEW, "re-scored")
    assert [one.attested for one in verdict.cells] == [()] * 5
    notes = {(one.where, one.what.partition(":")[0]) for one in verdict.findings if one.check == "cases"}
    assert notes == {
        ("rsna", "pixels and lesions are taken as they were counted"),
        ("rsna", "placements are taken as they were found"),
        ("mimic-cxr", "ranks are taken as they were found"),
        ("mimic-cxr", "words are taken as they were counted"),
    }
    assert {one.score for one in verdict.cells} == {
        record.scores[record.cell["primary"]] for record in open_store.records()
    }


def test_a_hidden_bundle_tells_no_id_no_label_and_no_text(hidden_bundle, hidden_store, real_samples, task_cells):
    content, files = hidden_bundle.read_bytes(), contents(hidden_bundle)
    for samples in real_samples.values():
        for column in ("sample", "patient", "study"):
            names = {str(name) for name in samples.table[column].dropna() if len(str(name)) > 5}
            assert not [name for name in names if name.encode() in content], column
    assert b"Heart enlarged" not in content
    told = {}
    for task in NEW:
        table = pd.read_parquet(io.BytesIO(files[file_of(files, task, "predictions.parquet")]))
        told[task] = {name.partition(":")[0] for name in table.columns}
        assert len(table) == len(real_cases(task_cells[task], real_samples[task_cells[task].dataset]))
    assert told["zero_shot"] == {"sample", "cluster", "fold", "score", "call"}
    assert told["few_shot"] == {"sample", "cluster", "fold"}
    assert not told["segmentation"] & {"label", "group"}
    assert "chexbert_hypothesis" in told["report_generation"]
    assert "chexbert_reference" not in told["report_generation"]


def test_lists_of_first_items_are_pseudonymised_with_their_cases(hidden_bundle, hidden_store):
    files = contents(hidden_bundle)
    name = file_of(files, "retrieval", "predictions.parquet")
    bundled = pd.read_parquet(io.BytesIO(files[name]))
    own = hidden_store.predictions(name.split("/")[1])
    assert bundled["sample"].str.startswith("text:").sum() == own["sample"].str.startswith("text:").sum()
    keys = ["i2t_ndcg", "t2i_ndcg", "i2t_class_precision_at_10", "t2i_class_precision_at_10", "i2t_rank", "t2i_rank"]
    both = own.merge(bundled, on=keys, suffixes=("", "_hidden"))
    alone = both[~both.duplicated("sample", keep=False) & ~both.duplicated("sample_hidden", keep=False)]
    name_of = dict(zip(alone["sample"], alone["sample_hidden"], strict=True))
    pairs = [
        (name_of[one], other)
        for line, hidden in zip(alone["top"], alone["top_hidden"], strict=True)
        for one, other in zip(line.split("|"), hidden.split("|"), strict=True)
        if one in name_of
    ]
    assert len(pairs) > 10
    assert all(one == other for one, other in pairs)


def test_hidden_scores_are_rescored_from_counts_and_attested_where_they_need_the_truth(hidden_bundle, real_data):
    alone = verify(hidden_bundle)
    assert alone.sound, alone.findings
    assert states(alone) == {
        "segmentation": "re-scored",
        "retrieval": "re-scored",
        "report_generation": "re-scored",
        "zero_shot": "attested",
        "few_shot": "attested",
    }
    attested = {one.state: one.attested for one in alone.cells if one.attested and "few_shot" not in one.label}
    assert attested["re-scored"] == ("chexbert_macro_14", "chexbert_macro_5", "chexbert_micro_14", "chexbert_micro_5")
    assert {"macro_auroc", "pointing_game", "per_class", "n"} <= set(attested["attested"])
    joined = verify(hidden_bundle, data_root=real_data)
    assert joined.sound, joined.findings
    assert states(joined) == dict.fromkeys(NEW, "re-scored") | {"few_shot": "attested"}
    shots = next(one.attested for one in joined.cells if "few_shot" in one.label)
    assert shots == ("excluded_classes", "macro_auroc_at_1", "macro_auroc_at_16")
    heat = next(one.attested for one in joined.cells if "zero_shot" in one.label)
    assert heat == ("heat_cnr", "heat_iou", "heat_iou_chosen", "pointing_game")
    assert "not computed here" in next(one.what for one in joined.findings if "pointing_game" in one.what)


def test_trials_are_bundled_as_they_are_and_may_neither_lack_nor_stand_alone(open_bundle, open_store, tmp_path):
    files = contents(open_bundle)
    searched = [name for name in files if name.endswith("trials.jsonl")]
    assert len(searched) == 2
    for name in searched:
        assert files[name] == (open_store.cells / name.split("/")[1] / "trials.jsonl").read_bytes()

    def without(files, manifest):
        del files[file_of(files, "segmentation", "trials.jsonl")]

    assert errors(verify(forge(open_bundle, without, tmp_path / "f.zip"))) == [
        ("trials", "its protocol declares a search, and there is no trials.jsonl")
    ]

    def surplus(files, manifest):
        files[file_of(files, "retrieval", "trials.jsonl")] = b"{}\n"
        files[f"cells/{'0' * 64}/trials.jsonl"] = b"{}\n"

    found = errors(verify(forge(open_bundle, surplus, tmp_path / "f.zip")))
    assert ("trials", "there is a trials.jsonl, though its protocol declares no search") in found
    assert ("record", "predictions or trials without a record") in found


def test_a_store_whose_trials_were_edited_is_not_published(tasks, open_store, tmp_path):
    shutil.copytree(open_store.path, tmp_path / "copy")
    store = Store(tmp_path / "copy")
    path = next(store.cells.glob("*/trials.jsonl"))
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(StoreError, match="cannot be published") as caught:
        make_bundle(tasks, store, METHOD)
    assert "trials, not the" in caught.value.why


def test_reports_go_along_when_asked_for_and_never_those_of_data_that_is_not_open(
    tasks, open_store, hidden_store, hidden_bundle, tmp_path
):
    assert b"reports.parquet" not in make_bundle(tasks, open_store, METHOD).content
    with_reports = make_bundle(tasks, open_store, METHOD, with_reports=True)
    write_bundle(with_reports, tmp_path / "b.zip")
    verdict = verify(tmp_path / "b.zip")
    assert verdict.sound, verdict.findings
    assert [one.what for one in verdict.findings if one.check == "reports"] == ["report text is not checked"]
    with pytest.raises(StoreError, match="report text of 'mimic-cxr' cannot be bundled"):
        make_bundle(tasks, hidden_store, METHOD, with_reports=True)

    def smuggle(files, manifest):
        files[file_of(files, "report_generation", "reports.parquet")] = b"Heart enlarged."

    assert errors(verify(forge(hidden_bundle, smuggle, tmp_path / "f.zip"))) == [
        ("reports", "report text of data that is not open stands in the bundle: do not pass it on")
    ]


def test_cells_of_one_dataset_may_read_different_parts_of_it(tasks, open_store, task_cells):
    """The digest of images, outlines and reports differs between tasks, and none is another version of the data."""
    selected = select(tasks, open_store, METHOD)
    assert len(selected.done) == 5
    assert not selected.missing
    assert len({images_of(cell) for cell in task_cells.values()}) == 3
    assert task_cells["segmentation"].content != task_cells["zero_shot"].content
    assert task_cells["retrieval"].content == task_cells["report_generation"].content


def test_the_hub_reads_the_results_of_every_task(tasks, open_store):
    index = yaml.safe_load(to_yaml(model_index(select(tasks, open_store, METHOD), open_store)))["model-index"]
    _, results = model_index_to_eval_results(index)
    of_task = {}
    for one in results:
        of_task.setdefault(one.task_type, {})[one.metric_name] = one
    assert set(of_task) == {
        "image-segmentation",
        "image-classification",
        "zero-shot-image-classification",
        "image-to-text",
        "other",
    }
    few = of_task["image-classification"][
        "AUROC after 16 cases with and as many without a class, mean over draws and classes"
    ]
    assert few.dataset_config == "few-shot, a few labels"
    bleu = of_task["image-to-text"]["BLEU-4 of the test set"]
    (record,) = [one for one in open_store.records() if one.cell["task"] == "report_generation"]
    assert bleu.metric_value == pytest.approx(record.scores["bleu_4"], abs=1e-15)
    assert bleu.metric_args["test_cases"] == 40
    assert of_task["other"]["Recall at 10, image to report"].dataset_config == "retrieve, no labels"
    assert of_task["image-segmentation"]["F1 of lesions, mean over classes"].dataset_config.endswith(
        "100 % of the labels"
    )
