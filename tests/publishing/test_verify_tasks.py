"""What verification finds in results of segmentation, retrieval, report generation and zero-shot classification."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_results import errors, forge
from made_tasks import NEW, editing, file_of

from benchx.methods.cards.reading import card_names, read_card
from benchx.publishing.records import has_unknown_key
from benchx.publishing.verify import verify
from benchx.results.store import Store


@pytest.mark.parametrize(
    ("task", "score", "says"),
    [
        ("segmentation", "hd95", "hd95 is recorded as 0.5, the predictions give"),
        ("segmentation", "dice", "dice is recorded as 0.5"),
        ("report_generation", "bleu_4", "bleu_4 is recorded as 0.5"),
        ("report_generation", "meteor", "meteor is recorded as 0.5"),
        ("retrieval", "t2i_median_rank", "t2i_median_rank is recorded as 0.5"),
        ("retrieval", "i2t_recall_at_10", "i2t_recall_at_10 is recorded as 0.5"),
        ("zero_shot", "macro_f1", "macro_f1 is not the mean of the classes"),
        ("zero_shot", "pointing_game", "pointing_game is not the mean of the classes"),
        ("few_shot", "macro_auroc_at_16", "macro_auroc_at_16 is not the mean of the classes"),
    ],
)
def test_an_edited_score_is_found_also_where_data_is_hidden(hidden_bundle, tmp_path, task, score, says):
    forged = forge(hidden_bundle, editing(task, record=lambda r: r["scores"].update({score: 0.5})), tmp_path / "f.zip")
    assert [what for check, what in errors(verify(forged)) if check == "scores" and says in what]


def test_a_score_needs_its_columns_where_nothing_is_hidden(open_bundle, tmp_path):
    """Whoever leaves out what CheXbert read may not keep its scores."""

    def drop(table):
        return table[[name for name in table.columns if not name.startswith("chexbert_")]]

    found = errors(verify(forge(open_bundle, editing("report_generation", table=drop), tmp_path / "f.zip")))
    assert len(found) == 4
    assert all("chexbert_" in what and "does not follow" in what for _, what in found)


def test_an_attested_score_lies_where_it_can(hidden_bundle, tmp_path):
    forged = editing("report_generation", record=lambda r: r["scores"].update(chexbert_micro_14=1.5))
    assert errors(verify(forge(hidden_bundle, forged, tmp_path / "f.zip"))) == [
        ("values", "scores.chexbert_micro_14 is 1.5, outside 0 to 1")
    ]


def assign(**columns):
    return lambda table: table.assign(**{name.replace("__", ":"): value for name, value in columns.items()})


@pytest.mark.parametrize(
    ("task", "change", "check", "says"),
    [
        ("segmentation", assign(tp__Pneumonia=np.int64(-1)), "values", "a count is no whole number"),
        ("segmentation", assign(tp__Pneumonia=np.float32(1)), "predictions", "'tp:Pneumonia' is of type float"),
        ("segmentation", assign(hd95__Pneumonia=np.float32("nan")), "values", "40 of 40 values of 'hd95:Pneumonia'"),
        ("segmentation", lambda t: t.drop(columns="nsd:Pneumonia"), "predictions", "it lacks 1 column"),
        ("retrieval", assign(i2t_rank=np.float32(0)), "values", "its i2t ranks are not those of images"),
        ("retrieval", assign(i2t_ndcg=np.float32("inf")), "values", "60 of 60 values of 'i2t_ndcg' are infinite"),
        ("retrieval", assign(top="patient Smith"), "values", "'top' lists more than 10 cases"),
        ("retrieval", assign(top="i001|i001"), "values", "one twice"),
        ("retrieval", assign(top="a" * 3000), "predictions", "holds an id of 3000 characters"),
        ("retrieval", lambda t: t.drop(columns="top"), "predictions", "it lacks 1 column, first 'top'"),
        (
            "retrieval",
            lambda t: t.drop(columns="t2i_class_hit_at_5"),
            "predictions",
            "it lacks 1 column, first 't2i_class_hit_at_5'",
        ),
        ("report_generation", assign(generated="Lungs clear."), "predictions", "1 column too many, first 'generated'"),
        ("report_generation", assign(bleu_match_1=np.int64(99)), "values", "more n-grams match than there are"),
        ("report_generation", assign(rouge_l=np.float32(2)), "values", "rouge_l is above its highest value"),
        ("report_generation", lambda t: t.drop(columns="meteor"), "predictions", "it lacks 1 column, first 'meteor'"),
        ("zero_shot", assign(call__Pneumonia=np.float32(2)), "values", "'call:Pneumonia' holds other values"),
        ("zero_shot", assign(call__Pneumonia=np.float32(1)), "details", "calls of 'Pneumonia' in fold 0 do not follow"),
        ("zero_shot", assign(label__Pneumonia=np.float32(1)), "values", "no class has both values"),
        ("few_shot", assign(**{"placement:1:Pneumonia": np.float32(1)}), "values", "do not sum to 0"),
        ("few_shot", assign(**{"placement:1:Pneumonia": np.float32("inf")}), "values", "are infinite"),
        (
            "few_shot",
            lambda t: t.drop(columns="placement:16:Pneumonia"),
            "scores",
            "macro_auroc_at_16 is recorded, but",
        ),
    ],
)
def test_edited_tables_are_found(open_bundle, tmp_path, task, change, check, says):
    found = errors(verify(forge(open_bundle, editing(task, table=change), tmp_path / "f.zip")))
    assert [what for name, what in found if name == check and says in what], found


@pytest.mark.parametrize(
    ("task", "change", "says"),
    [
        ("report_generation", lambda f: f["studies"].update(test=1), "details count 1 test studies in fold 0"),
        ("report_generation", lambda f: f.pop("studies"), "details of fold 0 do not count its studies"),
        ("retrieval", lambda f: f["images"].update(test=60), "details count 60 test images in fold 0, the predictions"),
        ("zero_shot", lambda f: f["f1_thresholds"].update(Pneumonia=9.0), "calls of 'Pneumonia' in fold 0 do not"),
        ("zero_shot", lambda f: f["f1_thresholds"].pop("Pneumonia"), "calls of 'Pneumonia' in fold 0 do not"),
        ("zero_shot", lambda f: f["f1_thresholds"].update(Other=0.1), "name 'Other', which is no class"),
        ("retrieval", lambda f: f.update(untrained_classes=["Edema"]), "name 'Edema', which is no class"),
    ],
)
def test_details_of_the_tasks_are_compared_with_their_tables(open_bundle, tmp_path, task, change, says):
    edit = editing(task, record=lambda r: change(r["details"]["folds"][0]))
    found = errors(verify(forge(open_bundle, edit, tmp_path / "f.zip")))
    assert [what for check, what in found if check == "details" and says in what], found


def edited(index, **fields):
    return lambda rows: [row | fields if number == index else row for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[1:], "5 trials, not the 6 of the declared grid"),
        (lambda rows: rows[::-1], "not the 6 of the declared grid in their order"),
        (edited(2, settings={"head_lr": 1.0}), "trial 2 has other settings than the declared grid"),
        (edited(0, score=0.99), "trial 4 was chosen, the best that finished is 0"),
        (edited(1, score=None), "the course of the best score does not follow"),
        (edited(1, score="0.9"), "its trials do not read: score"),
        (edited(1, note="Mr Smith"), "its trials do not read: note: Extra inputs"),
        (edited(1, state="a\nb"), "its trials do not read: state"),
        (edited(1, fold=3), "there are trials of fold 3"),
        (lambda rows: [row | {"state": "halved"} for row in rows], "no trial finished"),
    ],
)
def test_the_choice_of_a_search_follows_from_its_trials(open_bundle, tmp_path, change, says):
    found = errors(verify(forge(open_bundle, editing("segmentation", trials=change), tmp_path / "f.zip")))
    assert [what for check, what in found if check == "trials" and says in what], found


def renamed(table):
    kinds = np.where(table["sample"].str.startswith("text:"), "text:", "")
    return table.assign(sample=[f"{kind}{number:016x}" for number, kind in enumerate(kinds)])


@pytest.mark.parametrize("task", NEW)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.iloc[1:], "without a prediction: 1 of"),
        (lambda t: t.assign(cluster=t["sample"].iloc[0]), "another cluster than in your files"),
        (renamed, "not in your files"),
    ],
)
def test_hidden_cases_of_every_task_are_compared_with_ones_own_files(
    hidden_bundle, real_data, tmp_path, task, change, says
):
    def edit(table):
        changed = change(table)
        if "top" in changed:
            changed = changed.assign(top="")
        return changed

    found = errors(verify(forge(hidden_bundle, editing(task, table=edit), tmp_path / "f.zip"), data_root=real_data))
    assert [what for check, what in found if check == "truth" and says in what], found


def test_a_segmentation_may_not_find_what_nobody_outlined(hidden_bundle, real_data, tmp_path):
    def everywhere(table):
        more = np.where(table["tp:Pneumonia"] + table["fn:Pneumonia"] == 0, 1, 0)
        return table.assign(
            **{"tp:Pneumonia": table["tp:Pneumonia"] + more, "tn:Pneumonia": table["tn:Pneumonia"] - more}
        )

    forged = forge(hidden_bundle, editing("segmentation", table=everywhere), tmp_path / "f.zip")
    assert [what for _, what in errors(verify(forged, data_root=real_data)) if "is not outlined in your files" in what]


def test_two_versions_of_the_same_part_are_found(open_bundle, tmp_path):
    edit = editing("retrieval", record=lambda r: r["provenance"].update(images="5" * 64))
    found = errors(verify(forge(open_bundle, edit, tmp_path / "f.zip")))
    assert ("split", "its cells are on 2 versions of data or split") in found


@pytest.mark.parametrize("task", ["retrieval", "zero_shot", "segmentation", "report_generation", "few_shot"])
def test_what_does_not_apply_is_explained_by_the_card_or_left_to_judge(open_bundle, tmp_path, task):
    """The method reads no text by its card, so that retrieval and prompts do not apply to it."""

    def hide(files, manifest):
        name = file_of(files, task, "record.json")
        value = json.loads(files[name])
        value.update(state="not-applicable", scores=None, details={}, reason="it does not apply")
        files[name] = (json.dumps(value, indent=1) + "\n").encode()
        for other in ("predictions.parquet", "trials.jsonl"):
            files.pop(name.replace("record.json", other), None)

    verdict = verify(forge(open_bundle, hide, tmp_path / "f.zip"))
    assert verdict.sound, verdict.findings
    (told,) = [one for one in verdict.findings if one.check == "not applicable"]
    if task in ("retrieval", "zero_shot"):
        assert (told.severity, told.what) == ("note", "the method reads no text, by its card")
    else:
        how = "your own copy of the data can tell, see --data-root" if task == "few_shot" else "running it can tell"
        assert (told.severity, told.what) == ("warning", f"said not to be applicable: only {how}")


def test_ranks_of_another_method_are_found_and_equal_reports_are_none(tasks, open_store, open_bundle, tmp_path):
    """Everything of the store is under the name of another method; what two decoders write may well be the same."""
    other = Store(tmp_path / "other")
    for record in open_store.records():
        value = record.model_copy(update={"cell": record.cell | {"method": "random-resnet50"}})
        other.put(value, open_store.predictions(record.key))
    found = [one for one in verify(open_bundle, against=[other.path]).findings if one.check == "duplicates"]
    assert {one.severity for one in found} == {"error"}
    assert {next(task for task in NEW if task in one.where) for one in found} == {
        "few_shot",
        "retrieval",
        "segmentation",
        "zero_shot",
    }


def test_keys_of_tasks_that_read_text_hold_the_text_side(open_bundle, tmp_path):
    edit = editing("retrieval", record=lambda r: r["card"].update(scorer={"name": "cosine"}))
    found = errors(verify(forge(open_bundle, edit, tmp_path / "f.zip")))
    assert next(what for check, what in found if check == "key").startswith("its key is not that of its cell, card")
    other = editing("segmentation", record=lambda r: r["card"].update(scorer={"name": "cosine"}))
    assert verify(forge(open_bundle, other, tmp_path / "f.zip")).sound


def test_a_key_with_text_weights_of_their_own_is_said_not_to_be_computed(task_cells, open_store):
    """Their file's digest is in no record."""
    (record,) = [one for one in open_store.records() if one.cell["task"] == "retrieval"]
    names = [name for name in card_names() if (card := read_card(name)).text is not None and card.text.weights]
    assert names
    own = record.model_copy(update={"card": read_card(names[0]).model_dump(mode="json")})
    assert has_unknown_key(own, task_cells["retrieval"])
    assert not has_unknown_key(own, task_cells["segmentation"])
    assert not has_unknown_key(record, task_cells["retrieval"])
