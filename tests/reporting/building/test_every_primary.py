"""Boards by every metric that a task may be ranked by, against metrics and a bootstrap written out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from made_stores import predictions, record
from measured_stores import PATIENTS, SUITE, measured_store, suite_of
from scipy import stats
from scipy.special import expit, logit
from scores_by_hand import by_hand, columns_of

from benchx.errors import StoreError
from benchx.planning import plan
from benchx.publishing import model_index
from benchx.publishing.columns import COLUMNS
from benchx.reporting import wording
from benchx.reporting.building import scenarios, secondary
from benchx.reporting.building.leaderboard import Rules, build_board
from benchx.reporting.method.methods_section import methods_section, references
from benchx.tasks.kinds import KINDS
from benchx.tasks.scoring import FAULTS, MEASURES, SCORERS

REPLICATES = 600
SKILLS = {"mrm": 0.8, "gloria": 0.3, "random-resnet50": 0.28}
PRIMARIES = [(task, primary) for task, kind in KINDS.items() for primary in kind.primaries]
AS_WRITTEN = {"classification": "f1", "segmentation": "dice", "zero_shot": "macro_auroc",
              "retrieval": "i2t_recall_at_10", "report_generation": "bleu_4", "few_shot": "macro_auroc_at_16",
              "vqa": "accuracy"}  # fmt: skip


PROTOCOLS = {"classification": "frozen", "segmentation": "segment", "zero_shot": "zero-shot", "retrieval": "retrieve",
             "report_generation": "generate", "few_shot": "few-shot", "vqa": "answer"}  # fmt: skip


def ranked_by(folder, task, primary):
    """The suite with a task's metric exchanged; results of one are results of the other."""
    old = f"protocols: [{PROTOCOLS[task]}], primary: {AS_WRITTEN[task]}"
    assert old in SUITE
    return suite_of(folder, SUITE.replace(old, f"protocols: [{PROTOCOLS[task]}], primary: {primary}"))


def with_all_columns(cell, table):
    """Add what the primaries need that not every result has: class matches, cleaned references, RadGraph."""
    rng = np.random.default_rng(len(table))
    if cell.task == "retrieval":
        known = table["i2t_rank"].notna() & (rng.random(len(table)) < 0.8)
        for depth in (1, 5, 10):
            hits = rng.binomial(depth, 0.6 if cell.method == "mrm" else 0.3, len(table))
            table[f"i2t_class_precision_at_{depth}"] = np.where(known, hits / depth, np.nan).astype(np.float32)
            table[f"i2t_class_hit_at_{depth}"] = np.where(known, hits > 0, np.nan).astype(np.float32)
    if cell.task == "report_generation":
        for name in [one for one in table if one.startswith("bleu_") or one.endswith("_length")]:
            table[f"cleaned_{name}"] = table[name]
        table["cleaned_reference_length"] += 2
        table["radgraph_partial"] = (table["rouge_l"] ** 2).astype(np.float32)
    return table


def board_of(suite, store, **rules):
    return build_board(suite, [store], Rules(**{"replicates": 200} | rules), lambda card: None, lambda *_: None)


def column_of(board, task, primary=None):
    (column,) = (one for one in board.columns if one.task == task and one.dataset != "siim")
    assert primary in (None, column.primary)
    return column


def tables_of(store, row):
    return [store.predictions(draw.key).sort_values("sample", ignore_index=True) for draw in row.draws]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    suite = suite_of(tmp_path_factory.mktemp("suite"))
    return measured_store(tmp_path_factory.mktemp("all"), suite, skills=SKILLS, edit=with_all_columns)


@pytest.fixture(scope="module")
def board(store, tmp_path_factory):
    return board_of(suite_of(tmp_path_factory.mktemp("suite")), store, replicates=REPLICATES)


def test_the_made_tables_are_those_of_their_tasks(store):
    for one in store.records():
        assert FAULTS[one.cell["task"]](store.predictions(one.key)) is None


@pytest.mark.parametrize(("task", "primary"), PRIMARIES)
def test_every_metric_ranks_a_board_by_its_own_definition_and_has_a_sentence(tmp_path, store, task, primary):
    board = board_of(ranked_by(tmp_path, task, primary), store)
    column = column_of(board, task, primary)
    for row in column.rows:
        tables = tables_of(store, row)
        expected = [by_hand(primary, columns_of(table)) for table in tables]
        assert [draw.score for draw in row.draws] == pytest.approx(expected, rel=1e-9)
        assert [SCORERS[task](table)[primary] for table in tables] == pytest.approx(expected, rel=1e-9)
        assert row.score.value == pytest.approx(np.mean(expected), rel=1e-9)
    said = methods_section(board, "mrm")[0]
    assert wording.METRICS[primary] in said
    assert len(set(wording.METRICS.values())) == len(wording.METRICS)
    assert board.notes == ()


def test_what_is_named_beside_and_varied_is_a_score_of_its_task(store):
    known = {one.cell["task"]: set(one.scores) for one in store.records()}
    for task, names in secondary.BESIDE.items():
        assert set(KINDS[task].primaries) - {"macro_auroc"} <= set(names) | {"macro_auroc"}
        assert len(set(names)) == len(names)
        assert set(names) <= known[task] | set(MEASURES[task]) | {
            name for name in names if name.startswith("chexbert_") or name == "top_1"
        }
    for task, names in scenarios.OTHER_METRICS.items():
        assert set(names) <= set(wording.METRICS)
        assert set(names) <= set(secondary.BESIDE[task]) | set(KINDS[task].primaries)


def resampled(column, store, methods, seed):
    """The mean over draws of every method in bootstrap samples of patients, drawn here: [B, M]."""
    rng = np.random.default_rng(seed)
    draws = [[columns_of(table) for table in tables_of(store, column.row(method))] for method in methods]
    clusters = tables_of(store, column.rows[0])[0]["cluster"]
    rows_of = [np.flatnonzero(clusters == name) for name in sorted(set(clusters))]
    found = []
    for _ in range(REPLICATES):
        rows = np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), len(rows_of))])
        found.append(
            [
                np.mean([by_hand(column.primary, {name: one[rows] for name, one in draw.items()}) for draw in some])
                for some in draws
            ]
        )
    return np.array(found)


def behind(column, store, method):
    """How many patients a score rests on: those with a case that counts, or the rarer value of the one class."""
    table = tables_of(store, column.row(method))[0]
    if column.primary.startswith("macro_auroc"):
        return min(table.loc[table["label:Pneumonia"] == value, "cluster"].nunique() for value in (0, 1))
    if column.primary == "f1":
        counts = (table["label:Pneumonia"] == 1) | (table["score:Pneumonia"] > 0)
        return table.loc[counts, "cluster"].nunique()
    return PATIENTS


@pytest.mark.parametrize("task", list(KINDS))
def test_intervals_and_differences_are_those_of_a_bootstrap_written_here(board, store, task):
    """Standard deviations of 600 replicates on either side have a relative error of 4 % together; 15 % are allowed."""
    column = column_of(board, task)
    methods = list(SKILLS)
    sampled = resampled(column, store, methods, 11)
    m = {method: behind(column, store, method) for method in methods}
    for place, method in enumerate(methods):
        score = column.row(method).score
        expected = sampled[:, place].std(ddof=1) * np.sqrt(m[method] / (m[method] - 1))
        assert np.sqrt(score.case_variance) == pytest.approx(expected, rel=0.15)
        between = 0.0 if score.draw_variance is None else score.draw_variance / score.draws
        assert score.se == pytest.approx(np.sqrt(score.case_variance + between), rel=1e-12)
        if score.draw_variance is None:
            assert score.df == pytest.approx(m[method] - 1, rel=1e-9)
        half = stats.t.ppf(0.975, score.df) * score.se / (score.value * (1 - score.value))
        assert (score.low, score.high) == pytest.approx(
            tuple(expit(logit(score.value) + np.array([-half, half]))), rel=1e-9
        )
    for pair in column.pairs:
        a, b = methods.index(pair.a), methods.index(pair.b)
        shrink = min(m[pair.a], m[pair.b])
        expected = (sampled[:, a] - sampled[:, b]).std(ddof=1) * np.sqrt(shrink / (shrink - 1))
        assert np.sqrt(pair.difference.case_variance) == pytest.approx(expected, rel=0.15)
        p = 2 * stats.t.sf(abs(pair.difference.value) / pair.difference.se, pair.difference.df)
        assert pair.difference.p_value == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("task", list(KINDS))
def test_letters_follow_from_p_values_corrected_by_hand(board, task):
    column = column_of(board, task)
    p = np.array([pair.difference.p_value for pair in column.pairs])
    order, running = np.argsort(p), 0.0
    for place, at in enumerate(order):
        running = max(running, min(1.0, (len(p) - place) * p[at]))
        assert column.pairs[at].p_adjusted == pytest.approx(running, rel=1e-12)
    letters = {row.method: set(row.letters) for row in column.rows}
    for pair in column.pairs:
        assert pair.different == (pair.p_adjusted <= 0.05)
        assert bool(letters[pair.a] & letters[pair.b]) == (not pair.different)
    assert not letters["mrm"] & (letters["gloria"] | letters["random-resnet50"])
    assert {frozenset((pair.a, pair.b)) for pair in column.pairs} == {frozenset(two) for two in combinations(SKILLS, 2)}


@pytest.mark.parametrize("task", [task for task in KINDS if task not in ("classification", "few_shot")])
def test_a_subgroup_has_the_score_of_its_own_cases_by_hand(board, store, task):
    column = column_of(board, task)
    for row in column.rows:
        tables = tables_of(store, row)
        assert {part.name for part in row.subgroups} == {"sex: female", "sex: male"}
        for part in row.subgroups:
            own = [table[table["group:sex"] == part.name.removeprefix("sex: ")] for table in tables]
            expected = np.mean([by_hand(column.primary, columns_of(table)) for table in own])
            assert part.score.value == pytest.approx(expected, rel=1e-9)
            assert part.score.low < part.score.high
            assert part.score.low <= part.score.value <= part.score.high


def test_cases_are_those_that_count(board):
    """An image-to-report score is of image queries, though reports that look for images are in the table too."""
    assert {column.task: (column.cases, column.units) for column in board.columns} == {
        task: (2 * PATIENTS, PATIENTS) for task in KINDS
    }


def test_class_matches_of_a_dataset_without_classes_are_no_crash(tmp_path):
    suite = suite_of(tmp_path, SUITE.replace("i2t_recall_at_10", "i2t_class_hit_at_1"))
    bare = measured_store(tmp_path / "bare", suite, keep=lambda cell: cell.task in ("retrieval", "zero_shot"))
    board = board_of(suite, bare)
    assert {column.task for column in board.columns} == {"zero_shot"}
    assert any("its test cases give no i2t_class_hit_at_1" in line for line in board.empty)


@pytest.mark.parametrize(
    ("task", "spoil", "said"),
    [
        ("segmentation", lambda table: table.drop(columns="tn:Pneumonia"), "it has no column tn:Pneumonia"),
        ("segmentation", lambda table: table.assign(**{"fp:Pneumonia": -1}), "a count is no whole number of 0 or more"),
        ("retrieval", lambda table: table.assign(i2t_recall_at_1=np.float32(1)), "does not follow from the ranks"),
        ("report_generation", lambda table: table.assign(bleu_match_1=10**6), "more n-grams match than there are"),
        ("zero_shot", lambda table: table.assign(**{"call:Pneumonia": 0.5}), "a call is neither 0 nor 1"),
        ("classification", lambda table: table.drop(columns="label:Pneumonia"), "classes"),
        ("few_shot", lambda table: table.assign(**{"placement:4:Pneumonia": 2.0}), "outside its range"),
        ("vqa", lambda table: table.assign(closed=2), "a flag is neither 0 nor 1"),
    ],
)
def test_a_table_that_is_not_its_tasks_is_refused_in_three_lines(tmp_path, task, spoil, said):
    suite = suite_of(tmp_path)
    one = measured_store(
        tmp_path / "store", suite, keep=lambda cell: (cell.task, cell.dataset != "siim") == (task, True)
    )
    found = next(iter(one.records()))
    one.put(found, spoil(one.predictions(found.key)))
    with pytest.raises(StoreError, match="cannot be scored") as refused:
        board_of(suite, one)
    what, why, todo = str(refused.value).splitlines()
    assert found.key[:12] in what
    assert said in what
    assert why.startswith("why: ")
    assert "run the suite again" in todo


def outlined_everywhere(_, table):
    """Two classes, such as lungs and heart, that every image shows, so that no label differs."""
    for count, pixels in (("tp", 7), ("fn", 3)):
        table[f"{count}:Pneumonia"] += pixels
    table["label:Pneumonia"] = np.float32(1)
    table["tn:Pneumonia"] = 2000 - table[[f"{count}:Pneumonia" for count in ("tp", "fp", "fn")]].sum(axis=1)
    other = {name: name.replace("Pneumonia", "Heart") for name in table if name.endswith(":Pneumonia")}
    swapped = table[list(other)].iloc[::-1].reset_index(drop=True).rename(columns=other)
    return table.join(swapped)


@pytest.mark.parametrize("primary", ["dice", "mdice"])
def test_classes_that_every_image_shows_have_a_board(tmp_path, primary):
    suite = ranked_by(tmp_path, "segmentation", primary)
    lungs = measured_store(
        tmp_path / "lungs", suite, keep=lambda cell: cell.task == "segmentation", edit=outlined_everywhere
    )
    (column,) = board_of(suite, lungs).columns
    assert (column.redrawn, column.cases) == (0, 2 * PATIENTS)
    for row in column.rows:
        expected = np.mean([by_hand(primary, columns_of(table)) for table in tables_of(lungs, row)])
        assert row.score.value == pytest.approx(expected, rel=1e-9)
        assert "image_auroc" not in row.secondary
        assert row.score.se > 0


@pytest.mark.parametrize("task", [task for task in KINDS if task not in ("classification", "zero_shot")])
def test_one_patient_is_one_clear_error_and_one_method_a_board_without_pairs(tmp_path, task):
    suite = suite_of(tmp_path)

    def keep(cell):
        return cell.task == task and cell.method == "mrm"

    one = measured_store(tmp_path / "patient", suite, keep=keep, edit=lambda _, table: table.assign(cluster="p000"))
    with pytest.raises(StoreError, match="test cases are of one patient") as refused:
        board_of(suite, one)
    assert len(str(refused.value).splitlines()) == 3
    (column,) = board_of(suite, measured_store(tmp_path / "method", suite, keep=keep)).columns
    assert (column.pairs, column.discriminability, column.rows[0].letters) == ((), None, "")


def test_a_method_that_no_class_could_be_scored_of_is_absent_with_the_reason(tmp_path):
    suite = suite_of(tmp_path)
    made = measured_store(tmp_path / "store", suite, keep=lambda cell: cell.task == "classification")
    cell = next(one for one in plan(suite, ["random-resnet50"]) if one.task == "classification")
    made.put(record(cell, None, {}), predictions(cell, 1, 4, 1, 0.1))
    column = next(one for one in board_of(suite, made).columns if one.dataset == cell.dataset)
    assert column.absent == {"random-resnet50": "no class can be scored"}


def test_every_task_and_primary_has_words_columns_and_a_scorer():
    for task, kind in KINDS.items():
        assert set(kind.primaries) <= set(wording.METRICS)
        assert {*kind.primaries} - {"macro_auroc"} <= set(MEASURES[task])
        assert task in secondary.BESIDE
        assert task in scenarios.OTHER_METRICS
        assert task in COLUMNS
        assert task in SCORERS
        assert task in FAULTS
        assert task in model_index.TASKS
        assert set(kind.primaries) <= set(model_index.METRICS[task])


def few_shots(board):
    return next(column for column in board.columns if column.task == "few_shot")


def test_a_few_shot_column_has_its_classes_with_intervals(board, store):
    for row in few_shots(board).rows:
        (table,) = tables_of(store, row)
        (part,) = row.classes
        assert (part.name, part.cases) == ("Pneumonia", int((table["label:Pneumonia"] == 1).sum()))
        assert part.score.value == pytest.approx(by_hand("macro_auroc_at_16", columns_of(table)), rel=1e-9)
        assert part.score.low < part.score.value < part.score.high
        assert row.subgroups == ()
        assert set(row.secondary) == {f"macro_auroc_at_{shots}" for shots in (1, 2, 4, 8)}
        assert [draw.name for draw in row.draws] == ["deterministic"]


def test_a_class_without_cases_for_so_many_shots_is_named(tmp_path):
    suite = suite_of(tmp_path)

    def edit(cell, table):
        other = table.filter(like="Pneumonia").rename(columns=lambda name: name.replace("Pneumonia", "Rare"))
        return table.join(other.assign(**{"placement:16:Rare": np.float32("nan")}))

    rare = measured_store(tmp_path / "rare", suite, keep=lambda cell: cell.task == "few_shot", edit=edit)
    column = few_shots(board_of(suite, rare))
    assert column.excluded == {"Rare": "too few training cases for 16 shots"}
    for row in column.rows:
        (table,) = tables_of(rare, row)
        expected = by_hand("macro_auroc_at_16", columns_of(table.drop(columns=["label:Rare"])))
        assert row.score.value == pytest.approx(expected, rel=1e-9)
        assert [(part.name, part.score is None) for part in row.classes] == [("Pneumonia", False), ("Rare", True)]


def test_fewer_shots_than_the_board_asks_for_are_told(tmp_path):
    suite = suite_of(tmp_path)

    def edit(cell, table):
        return table[[name for name in table if not name.startswith("placement:16:")]]

    def keep(cell):
        return cell.task in ("few_shot", "vqa")

    board = board_of(suite, measured_store(tmp_path / "fewer", suite, keep=keep, edit=edit))
    assert {column.task for column in board.columns} == {"vqa"}
    assert any("its test cases give no macro_auroc_at_16" in line for line in board.empty)


def test_what_a_paper_says_of_few_shots_and_questions(board):
    data, intervals = methods_section(board, "mrm")[:2]
    assert "(one result, the mean over draws)" in data
    assert "For few_shot it was adapted with few training cases of each class" in data
    assert "80 test questions" in data or "n = 80" in data
    assert "mean placements of its cases (DeLong, DeLong and Clarke-Pearson 1988)" in intervals
    assert any("Comparing the areas under" in line for line in references([intervals]))
