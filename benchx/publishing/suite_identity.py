"""Is the suite of a bundle the one that it is called, and the one that ships or was asked for?"""

from __future__ import annotations

from typing import Any

import benchx
from benchx.digests import digest_json
from benchx.publishing.manifest import Manifest, PublishedSuite, published_suite
from benchx.publishing.verdict import Finding, shown
from benchx.suites import Suite, read_suite, suite_names


def suite_findings(manifest: Manifest, claimed: PublishedSuite, asked: Suite | None) -> list[Finding]:
    """Compare the suite of a bundle with its digest and its name, and with the one that is known.

    A suite that nobody but the bundle's author knows can be made to fit results: with fewer classes, seeds or
    fractions. So one that neither ships with benchx nor is asked for is a warning.

    Args:
        claimed: the suite that the manifest holds.
        asked: the suite that the bundle must be of; None = compare with the shipped one of that name.
    """
    name = manifest.suite_name

    def error(what: str) -> Finding:
        return Finding("error", "suite", name, what)

    found: list[Finding] = []
    if not manifest.suite_digest == digest_json(manifest.suite) == digest_json(claimed.model_dump(mode="json")):
        found.append(error("the suite's digest is not that of the suite"))
    if (claimed.name, claimed.version) != (name, manifest.suite_version):
        found.append(error(f"the suite itself says {claimed.name}, version {shown(claimed.version)}"))
    if asked is not None:
        if not _same(asked, claimed):
            found.append(error(f"it is not suite {asked.name} version {asked.version}, which was asked for"))
        return found
    if name not in suite_names():
        what = "it does not ship with benchx: compare with a file you know, by --suite FILE"
        return [*found, Finding("warning", "suite", name, what)]
    shipped = read_suite(name)
    if shipped.version != claimed.version:
        what = f"version {shown(claimed.version)}; benchx {benchx.__version__} ships version {shipped.version}"
        found.append(Finding("warning", "suite", name, what))
    elif not _same(shipped, claimed):
        found.append(error(f"it differs from suite {name} version {claimed.version} as shipped"))
    return found


def _same(known: Suite, claimed: PublishedSuite) -> bool:
    return _content(published_suite(known)) == _content(claimed.model_dump(mode="json"))


def _content(suite: dict[str, Any]) -> str:
    return digest_json({name: value for name, value in suite.items() if name != "description"})
