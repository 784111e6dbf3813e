"""`benchx score reports`: score reports that are already there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from benchx.cli.options import Json, bars_for, out
from benchx.errors import UsageError
from benchx.tables import print_json, print_rows

if TYPE_CHECKING:
    from benchx.metrics.reports.reading import ReportPairs


def reports(
    hypotheses: Annotated[Path, typer.Argument(metavar="HYP", help="Generated reports: .txt, .jsonl or .csv.")],
    references: Annotated[Path, typer.Argument(metavar="REF", help="Their references: .txt, .jsonl or .csv.")],
    scorer: Annotated[
        list[str], typer.Option(metavar="NAME", help="Also radgraph, radgraph-xl or chexbert; may be repeated.")
    ] = [],
    scorer_model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of scorers' models; or set BENCHX_SCORERS.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of scorers: auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> None:
    """Score generated reports against references: BLEU, METEOR, ROUGE-L, CIDEr, and scorers that read with a model.

    A .txt file has one report a line; .jsonl and .csv have id and report, and are joined by id. No text is printed.
    """
    from benchx.metrics.reports.reading import read_pairs
    from benchx.metrics.reports.scoring import score_reports

    if scorer_model is not None and not scorer:
        raise UsageError("--scorer-model without --scorer", "no scorer is asked for", "add --scorer NAME")
    pairs = read_pairs(hypotheses, references)
    models = _models(scorer, scorer_model)
    found = score_reports(pairs.hypotheses, pairs.references)
    scores = dict(found.scores)
    for name, model in models.items():
        scores |= _read_by_model(pairs, name, model, device, quiet=json)
    if json:
        told = {"n": found.n, "tokenizer": found.tokenizer, "scores": scores, "unavailable": found.unavailable}
        return print_json(out, told)
    rows = [{"metric": name, "score": score} for name, score in scores.items()]
    out.print(f"{found.n} reports, tokenizer {found.tokenizer}", highlight=False)
    print_rows(out, rows, as_json=False)
    for name, reason in found.unavailable.items():
        out.print(f"unavailable: {name} ({reason})", highlight=False, markup=False, soft_wrap=True)
    return None


def fetch(
    scorer: Annotated[str, typer.Argument(help="radgraph, radgraph-xl or chexbert.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of scorers' models, such as that of BENCHX_SCORERS.")],
) -> None:
    """Fetch the model of a scorer from the hub; what is there is kept."""
    from benchx.annotators.fetching import fetch_model

    bars = bars_for(quiet=False)
    with bars.running():
        folder = fetch_model(scorer, out_dir, bars.stage)
    out.print(f"{folder} is complete", highlight=False, markup=False, soft_wrap=True)


def _models(scorers: list[str], folder: Path | None) -> dict[str, Path]:
    """Find the models of scorers before anything is computed."""
    if not scorers:
        return {}
    from benchx.annotators.models import find_model

    return {name: find_model(name, folder) for name in scorers}


def _read_by_model(pairs: ReportPairs, name: str, model: Path, device: str, *, quiet: bool) -> dict[str, float]:
    """Return a scorer's scores of a set; what it read in the texts is not kept."""
    from benchx.annotators.chexbert import OBSERVATIONS, chexbert_f1
    from benchx.annotators.scoring import chexbert_cases, radgraph_f1_cases
    from benchx.runs import resolve_device

    bars = bars_for(quiet=quiet)
    annotate = chexbert_cases if name == "chexbert" else radgraph_f1_cases
    with TemporaryDirectory() as cache, bars.running():
        where, advance = resolve_device(device), bars.stage(name)
        cases = annotate(pairs.hypotheses, pairs.references, model, Path(cache), where, advance)
    if name == "chexbert":
        labels = cases.to_numpy()
        f1 = chexbert_f1(labels[:, : len(OBSERVATIONS)], labels[:, len(OBSERVATIONS) :])
        return {f"chexbert_{one}": value for one, value in f1.items()}
    return {str(column).replace("radgraph", name, 1): float(cases[column].mean()) for column in cases}
