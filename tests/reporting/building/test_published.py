"""Published scores stand beside real results of the same adaptation, and a file that does not read is an error."""

from __future__ import annotations

import pytest

from benchx.errors import UsageError
from benchx.reporting.building.published import COLUMNS, published_for, read_published

HEADER = ",".join(COLUMNS)


def test_benchx_published_nih_at_one_percent_best_first():
    found = published_for("nih", "classification", "finetune", 0.01, "macro_auroc")
    assert len(found) == 10
    assert (found[0].method, found[0].value, found[0].std) == ("mrm", 0.801, 0.001)
    assert found[-1].method == "mflag"
    assert published_for("nih", "classification", "frozen", 0.01, "macro_auroc") == ()


def test_an_empty_std_is_unknown(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(f"# comment\n{HEADER}\nA paper,authors-code,nih,classification,frozen,0.1,macro_auroc,mrm,0.8,,\n")
    ((place, score),) = read_published(path)
    assert place == ("nih", "classification", "frozen", 0.1, "macro_auroc")
    assert (score.origin, score.std) == ("authors-code", None)
    assert (score.note, score.cited) == ("", "A paper")


def test_a_note_stands_beside_the_source(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(
        f'{HEADER}\np,paper,nih,classification,frozen,0.1,macro_auroc,mrm,0.8,,"other split, fewer cases"\n'
    )
    ((_, score),) = read_published(path)
    assert score.cited == "p (other split, fewer cases)"


@pytest.mark.parametrize(
    "line",
    [
        "p,rumour,nih,classification,frozen,0.1,macro_auroc,mrm,0.8,,",
        "p,paper,nih,classification,frozen,0.1,macro_auroc,mrm,eighty,,",
        "p,paper,nih,classification,frozen,,macro_auroc,mrm,0.8,,",
        "p,paper,nih,classification,frozen,0.1,macro_auroc,mrm,0.8,",
        "p,paper,nih,classification,frozen,0.1,macro_auroc,mrm,0.8,,other split, fewer cases",
    ],
)
def test_a_line_that_does_not_read_is_named(tmp_path, line):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(UsageError, match="bad.csv is not a file of published scores"):
        read_published(path)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("method,value\nmrm,0.8\n")
    with pytest.raises(UsageError, match="its columns must be source, origin"):
        read_published(path)
