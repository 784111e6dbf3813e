"""Findings and impression out of free text; the texts are made up."""

from __future__ import annotations

import pytest

from benchx.datasets.readers.report_files import ReportFiles
from benchx.datasets.report_sections import read_report, require_findings, split_report
from benchx.datasets.samples import Report
from benchx.errors import DatasetError

USUAL = """
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough  // eval

 COMPARISON:  ___

 FINDINGS:

 The lungs are
 clear. Compared with ___, no change.

 LUNGS: well expanded.

 IMPRESSION:

 No acute process.

 RECOMMENDATION(S):  None.
"""


def test_a_usual_report():
    assert split_report(USUAL) == Report(
        "The lungs are clear. Compared with ___, no change. LUNGS: well expanded.", "No acute process."
    )


@pytest.mark.parametrize(
    ("text", "findings", "impression"),
    [
        ("FINDINGS: a\nIMPRESSION: b", "a", "b"),
        ("   Findings:\ta\n   Impression:\n\n   b", "a", "b"),
        ("FINDINGS: a\r\n\r\nIMPRESSION: b\r\n", "a", "b"),
        ("IMPRESSION: b\nFINDINGS: a", "a", "b"),
        ("FINDINGS AND IMPRESSION: a", "a", "a"),
        ("FINDINGS/IMPRESSION: a", "a", "a"),
        ("IMPRESSION AND FINDINGS : a", "a", "a"),
        ("FINDINGS: a\nCONCLUSION: b", "a", "b"),
        ("FINDINGS (PA and lateral): a\nIMPRESSION: b", "a", "b"),
        ("FINDINGS: a\nTECHNIQUE: t\nFINDINGS: c", "a c", None),
        ("TECHNIQUE: t\n\nThe heart is large.", None, None),
        ("FINDINGS: \n\nIMPRESSION: ___.", None, None),
        ("no heading at all", None, None),
        (
            "FINDINGS: a wrapped line whose\nfindings: are small\nIMPRESSION: b",
            "a wrapped line whose findings: are small",
            "b",
        ),
        ("FINDINGS: the previous IMPRESSION: holds", "the previous IMPRESSION: holds", None),
        ("WET READ: w\nFINDINGS: a\nWET READ VERSION #1: v", "a WET READ VERSION #1: v", None),
        ("PROVISIONAL FINDINGS IMPRESSION (PFI): p\nFINDINGS: a\n", "a", None),
        ("IMPRESSION: b\n" + "_" * 60 + "\nsome words\nIMPRESSION: c", None, "b c"),
        ("ADDENDUM: late\nIMPRESSION: b\n FINAL ADDENDUM \nlater words", None, "b"),
        ("FINDINGS: a\nComparison: none change\nExam: limited", "a Comparison: none change Exam: limited", None),
        ("FINDINGS: a\nComparison: \n the old one\nIMPRESSION: b", "a", "b"),
        ("FINDINGS: a\nCOMPARISON: the old one", "a", None),
        ("IMPRESSION: b\nRECOMMENDATION(S): none", None, "b"),
        ("FINDINGS: a\nFINAL IMPRESSION: b", "a", "b"),
        ("FINDINGS: a\nIMPRESSION/RECOMMENDATION(S): b", "a", "b"),
        ("IMPRESSION AND RECOMMENDATION: b", None, "b"),
        ("FINDINGS, IMPRESSION: a", "a", "a"),
        ("FINDINGS IMPRESSION: a", "a", "a"),
        ("FINDINGS IMPRESSION\n a", "a", "a"),
        ("FINDINGS: a\nFindings and impression\n are small", "a Findings and impression are small", None),
        ("FINDINGS: a\nFINDINGS IMPRESSION words", "a FINDINGS IMPRESSION words", None),
        ("FINDINGS: a\nIMPRESSION\n words", "a IMPRESSION words", None),
        ("FINDINGS: a\r\nWET READ\r\nb", "a", None),
        ("FINDINGS: a\rIMPRESSION: b\r", "a", "b"),
        ("WET READ: w\nIMPRESSION: early\n" + "_" * 60 + "\n FINAL REPORT\n IMPRESSION: late", None, "late"),
        ("WET READ: w\r\nIMPRESSION: early\r\nFINAL REPORT\r\nFINDINGS: a", "a", None),
        ("FINAL REPORT\nFINDINGS: a\nFINAL REPORT\nwords\nIMPRESSION: b", "a", "b"),
    ],
)
def test_headings_and_what_ends_a_section(text, findings, impression):
    assert split_report(text) == Report(findings, impression)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("FINDINGS" + " " * 200_000 + "a", None),
        ("FINDINGS" + " " * 200_000 + "," + " " * 200_000 + "a", None),
        (" " * 200_000 + "a", None),
        ("FINAL REPORT" + " " * 200_000 + "a", None),
        ("FINDINGS: a" + "\n \t" * 100_000, "a"),
        ("FINDINGS: a\n" * 20_000, " ".join("a" * 20_000)),
        ("FINDINGS " + "(" * 200_000, None),
    ],
    ids=["blanks", "comma", "indent", "final", "lines", "headings", "brackets"],
)
def test_long_reports_are_read_to_their_end(text, findings):
    assert split_report(text) == Report(findings)


def test_findings_that_a_task_needs_are_required():
    assert require_findings(Report("clear", None), "s1.txt") == "clear"
    with pytest.raises(DatasetError, match=r"s1\.txt: the report has no findings") as caught:
        require_findings(Report(None, "secret words"), "s1.txt")
    assert "secret" not in str(caught.value)
    assert "leave this study out" in caught.value.todo


@pytest.mark.parametrize(("content", "says"), [(b"", "is empty"), (b" \n", "is empty"), (b"caf\xe9 x", "not a text")])
def test_files_that_hold_no_text_are_named_and_not_shown(tmp_path, content, says):
    path = tmp_path / "s50414267.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"s50414267\.txt.*{says}") as caught:
        read_report(path)
    assert "caf" not in str(caught.value)
    with pytest.raises(DatasetError, match="absent.txt cannot be read"):
        read_report(tmp_path / "absent.txt")


def test_report_files_are_read_at_access(tmp_path):
    reports = ReportFiles(tmp_path, {"a": "s1.txt", "b": "s1.txt"})
    assert (len(reports), list(reports), "a" in reports, "c" in reports) == (2, ["a", "b"], True, False)
    (tmp_path / "s1.txt").write_text("FINDINGS: clear")
    assert reports["a"] == reports["b"] == Report("clear")
    assert "clear" not in repr(reports) + repr(reports["a"])
    with pytest.raises(KeyError):
        reports["c"]
