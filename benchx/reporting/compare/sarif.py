"""A comparison as SARIF 2.1.0 (OASIS 2020), which code scanning pages read: one result per cell of concern."""

from __future__ import annotations

import json
from dataclasses import asdict
from urllib.parse import quote

from benchx import __version__
from benchx.digests import digest_json
from benchx.reporting.compare.comparison import Comparison, FailOn, Row, fails
from benchx.reporting.compare.matching import CellName
from benchx.reporting.compare.texts import labels, sentence
from benchx.resources import resource_dir

_RULES = {
    "regressed": ("Regressed", "The score is lower than in BASE, and not shown to lie within the margin."),
    "missing": ("Missing", "BASE has a result of this cell, or of a draw of it, and HEAD has none."),
    "inconclusive": ("Inconclusive", "The test cases and draws cannot tell a change of the margin from none."),
}


def to_sarif(comparison: Comparison, fail_on: FailOn) -> str:
    """Return the SARIF log, JSON: an error for what fails, a warning for the other missing and inconclusive cells.

    A result stands at the method's card, where it is one that ships with benchx, else at the suite's file. Its
    fingerprint is that of the cell and rule, so a later run of the same cell is recognised as the same alert.
    """
    named = labels(comparison)
    rules = list(_RULES)
    results = [
        {
            "ruleId": row.verdict,
            "ruleIndex": rules.index(row.verdict),
            "level": "error" if fails(row, fail_on) else "warning",
            "message": {"text": f"{named[row]}: {row.verdict}: {sentence(row)}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _file(row.name)},
                        "region": {"startLine": 1},
                    }
                }
            ],
            "partialFingerprints": {"benchxCell/v1": _fingerprint(row)},
        }
        for row in comparison.rows
        if row.verdict in _RULES
    ]
    driver = {
        "name": "benchx",
        "version": __version__,
        "rules": [
            {
                "id": rule,
                "name": name,
                "shortDescription": {"text": text},
                "fullDescription": {"text": text},
                "help": {"text": f"{text} See docs/ci.md."},
                "defaultConfiguration": {"level": "error" if rule == "regressed" else "warning"},
            }
            for rule, (name, text) in _RULES.items()
        ],
    }
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _file(name: CellName) -> str:
    card = f"{name.method}.yaml"
    shipped = {path.name for path in resource_dir("baselines").glob("*.yaml")}
    return f"baselines/{quote(card)}" if card in shipped else f"suites/{quote(name.suite, safe='')}.yaml"


def _fingerprint(row: Row) -> str:
    return digest_json({"verdict": row.verdict, "cell": asdict(row.name)})
