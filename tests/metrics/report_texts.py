"""Reports for the tests of their metrics: real ones where they are there, and nasty ones."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

ANNOTATION = Path(__file__).resolve().parents[3] / "shared" / "data" / "iu-xray" / "annotation.json"

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no java")
needs_iu_xray = pytest.mark.skipif(not ANNOTATION.is_file(), reason="IU X-Ray is not there")

SENTENCE = "the heart is normal in size . no effusion or pneumothorax , lungs are clear ( ap view ) 2.5 cm"


def iu_xray(part: str) -> list[str]:
    """Return the reports of a part of IU X-Ray."""
    return [study["report"] for study in json.loads(ANNOTATION.read_text())[part]]


def random_reports(rng: random.Random, count: int, *, shortest: int = 1) -> list[str]:
    """Return reports of few words, so that n-grams, ties and whole reports recur; each has a word."""
    return ["heart " + " ".join(rng.choices(SENTENCE.split(), k=rng.randint(shortest, 30))) for _ in range(count)]


def retold(rng: random.Random, reports: list[str]) -> list[str]:
    """Return the reports with some words left out and some said twice."""
    return [" ".join(word for word in text.split() for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))) for text in reports]
