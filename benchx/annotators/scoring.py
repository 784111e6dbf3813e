"""Score generated reports by what a trained model reads in them: F1-RadGraph and CheXbert, one row per case.

A text is annotated once per scorer, in the scorer's own process, and its annotation is kept in the cache.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchx.annotators.cache import AnnotationCache, Check, text_digest
from benchx.annotators.chexbert import BLANK, OBSERVATIONS, checked_labels
from benchx.annotators.models import scorer_digest, scorer_of
from benchx.annotators.process import annotate, command
from benchx.annotators.rewards import LEVELS, NOTHING, checked_annotation, radgraph_f1
from benchx.errors import BenchxError, UsageError
from benchx.progress import Advance

if TYPE_CHECKING:
    import pandas as pd


def radgraph_f1_cases(
    hypotheses: Sequence[str],
    references: Sequence[str],
    model: Path,
    cache: Path,
    device: str = "cpu",
    advance: Advance = lambda done, total: None,
) -> pd.DataFrame:
    """Score every report against its reference by F1-RadGraph, which reads the first 512 tokens of a text.

    Args:
        model: what `find_model("radgraph-xl")` returns: the model's folder, or a JSON file of annotations.
        cache: the folder of all caches.
        device: `cpu`, `cuda` or `cuda:N`; of the scorer's process.
        advance: told of the texts that have been annotated and of those to be annotated in all.

    Returns:
        float64 columns `radgraph_simple`, `radgraph_partial`, `radgraph_complete`, in [0, 1], one row per case. A case
        with an empty text on either side scores 0; no model sees empty texts.

    Raises:
        UsageError: as many references as hypotheses are needed; or the device, or a package, does not exist.
        BenchxError: the scorer's process failed, or a file of annotations lacks a text.
    """
    import pandas as pd

    _check_pairs(hypotheses, references)
    found = _annotations([*hypotheses, *references], model, cache, device, advance, checked_annotation)
    rows = [
        radgraph_f1(found.get(hypothesis, NOTHING), found.get(reference, NOTHING))
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    scores = np.array(rows, dtype=np.float64).reshape(-1, len(LEVELS))
    return pd.DataFrame(scores, columns=[f"radgraph_{level}" for level in LEVELS])


def chexbert_cases(
    hypotheses: Sequence[str],
    references: Sequence[str],
    model: Path,
    cache: Path,
    device: str = "cpu",
    advance: Advance = lambda done, total: None,
) -> pd.DataFrame:
    """Label every report and its reference by CheXbert.

    Args:
        model: what `find_model("chexbert")` returns: the model's folder, or a JSON file of annotations.
        cache: the folder of all caches.
        device: `cpu`, `cuda` or `cuda:N`; of the scorer's process.
        advance: told of the texts that have been annotated and of those to be annotated in all.

    Returns:
        int8 columns `chexbert_hypothesis:OBSERVATION` and `chexbert_reference:OBSERVATION`, 14 each, one row per case:
        0 blank, 1 positive, 2 negative, 3 uncertain. An empty text is blank throughout; no model sees it.

    Raises:
        UsageError: as many references as hypotheses are needed; or the device does not exist.
        BenchxError: the scorer's process failed, or a file of annotations lacks a text.
    """
    import pandas as pd

    _check_pairs(hypotheses, references)
    found = _annotations([*hypotheses, *references], model, cache, device, advance, checked_labels)
    empty = [BLANK] * len(OBSERVATIONS)
    sides = [
        np.array([found.get(text, empty) for text in texts], dtype=np.int8).reshape(-1, len(OBSERVATIONS))
        for texts in (hypotheses, references)
    ]
    names = [f"chexbert_{side}:{name}" for side in ("hypothesis", "reference") for name in OBSERVATIONS]
    return pd.DataFrame(np.concatenate(sides, axis=1), columns=names)


def _check_pairs(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise UsageError(
            f"{len(hypotheses)} reports are to be scored against {len(references)} references",
            "every report needs its own reference",
            "give as many references as reports, in the same order",
        )


def _annotations(
    texts: Iterable[str], model: Path, cache: Path, device: str, advance: Advance, check: Check
) -> dict[str, Any]:
    """Return the annotation of every text that is not empty."""
    digests = {text: text_digest(text) for text in texts if text.strip()}
    if not digests:
        return {}
    if model.is_file():
        known = _precomputed(model, check)
        if absent := sum(digest not in known for digest in digests.values()):
            raise BenchxError(
                f"{model} lacks {absent} of the {len(digests)} texts",
                "it maps the sha256 of a text's UTF-8 to its annotation, for exactly the texts that are scored",
                "annotate the texts as they are scored, or give the model's folder instead",
            )
    else:
        known = _from_model(digests, model, cache, device, advance, check)
    return {text: known[digest] for text, digest in digests.items()}


def _precomputed(file: Path, check: Check) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is no mapping of texts' sha256 to annotations")
        return {digest: check(annotation) for digest, annotation in content.items()}
    except (OSError, ValueError) as error:
        raise BenchxError(
            f"{file} does not read as a file of annotations", str(error), "write it anew, as one JSON object"
        ) from error


def _from_model(
    digests: dict[str, str], model: Path, cache: Path, device: str, advance: Advance, check: Check
) -> dict[str, Any]:
    """Return sha256 -> annotation from the cache and, for what it lacks, from the scorer's process."""
    kept = AnnotationCache(cache, scorer_digest(model), check)
    with kept.lock():
        known = kept.read()
        waiting = [text for text, digest in digests.items() if digest not in known]
        if not waiting:
            return known
        scorer = scorer_of(model)
        _check_can_run(scorer.package, device)
        answers = annotate(scorer.name, command(scorer, model, device), waiting)
        advance(0, len(waiting))
        for done, (text, answer) in enumerate(zip(waiting, answers, strict=True), start=1):
            try:
                known[digests[text]] = check(answer)
            except ValueError as error:
                raise BenchxError(
                    f"the scorer '{scorer.name}' gave an annotation of another form",
                    str(error),
                    f"check that {model} holds the model of {scorer.name}",
                ) from error
            kept.add(digests[text], known[digests[text]])
            advance(done, len(waiting))
    return known


def _check_can_run(package: str | None, device: str) -> None:
    if re.fullmatch(r"cpu|cuda(:\d+)?", device) is None:
        raise UsageError(f"scorers do not run on '{device}'", "they know cpu, cuda and cuda:N", "name one of them")
    if package is not None and importlib.util.find_spec("requests") is None:
        raise UsageError(
            f"the package {package} needs the package requests",
            "it does not say so itself",
            "pip install 'benchx[radgraph]'",
        )
