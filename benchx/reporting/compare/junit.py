"""A comparison as JUnit XML, which most CI systems read: one test case per cell."""

from __future__ import annotations

from xml.etree import ElementTree

from benchx.errors import printable
from benchx.reporting.compare.comparison import Comparison, FailOn, Row, fails
from benchx.reporting.compare.texts import rules_line, sentence
from benchx.reporting.wording import percent


def to_junit(comparison: Comparison, fail_on: FailOn) -> bytes:
    """Return the XML of one test suite, UTF-8.

    A row that fails is a failure; what is missing or inconclusive and does not fail is skipped. The time of a test case
    is HEAD's wall time, 0 where it was not compared. Control characters, which XML cannot hold, are written as escapes.
    """
    rows = comparison.rows
    failures = sum(fails(row, fail_on) for row in rows)
    skipped = sum(_skipped(row, fail_on) for row in rows)
    seconds = sum(_seconds(row) for row in rows)
    totals = {"tests": str(len(rows)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    root = ElementTree.Element("testsuites", {"name": "benchx compare"} | totals)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "benchx compare"} | totals | {"skipped": str(skipped)})
    about = {
        "base": comparison.base,
        "head": comparison.head,
        "fail-on": fail_on,
        "margin": f"{comparison.margin:g}",
        "level": f"{comparison.level:g}",
        "rules": rules_line(comparison),
    }
    _properties(suite, about)
    for row in rows:
        _case(suite, row, fail_on)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: ElementTree.Element, row: Row, fail_on: FailOn) -> None:
    name = row.name
    place = ".".join((name.suite, name.dataset, name.task, name.protocol, name.split))
    title = f"{name.method} at {percent(name.fraction)}"
    attributes = {"classname": printable(place), "name": printable(title), "time": f"{_seconds(row):.3f}"}
    case = ElementTree.SubElement(suite, "testcase", attributes)
    told = {"verdict": row.verdict, "metric": row.metric, "base": row.base, "head": row.head}
    if (found := row.difference) is not None:
        told |= {"difference": found.value, "low": found.low, "high": found.high, "p": row.p_different}
    _properties(case, {key: str(value) for key, value in told.items() if value is not None})
    if fails(row, fail_on):
        failure = ElementTree.SubElement(case, "failure", {"message": sentence(row), "type": row.verdict})
        failure.text = sentence(row)
    elif _skipped(row, fail_on):
        ElementTree.SubElement(case, "skipped", {"message": f"{row.verdict}: {sentence(row)}"})


def _skipped(row: Row, fail_on: FailOn) -> bool:
    return row.verdict in ("missing", "inconclusive") and not fails(row, fail_on)


def _seconds(row: Row) -> float:
    return 0.0 if row.cost is None else row.cost.head_seconds


def _properties(parent: ElementTree.Element, values: dict[str, str]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for key, value in values.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": printable(value)})
