"""`benchx methods`: fetch a checkpoint, check it, convert it, certify an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from benchx.cli.options import Json, bars_for, out
from benchx.tables import print_json, print_rows

app = typer.Typer(no_args_is_help=True, help="Methods: fetch a checkpoint, check it, convert it, certify an encoder.")

DIFFERS_EXIT = 1


@app.command()
def fetch(
    method: str,
    root: Annotated[Path | None, typer.Option(help="Weights root; without it BENCHX_WEIGHTS.")] = None,
) -> None:
    """Download a method's weights and tokenizer from where its card says, checked and resumable.

    HF_TOKEN is the hub's token for gated files, HF_ENDPOINT another hub's address; HF_HUB_OFFLINE=1 forbids network.
    """
    from benchx.errors import UsageError
    from benchx.methods.cards.reading import read_card
    from benchx.methods.fetching import fetch as fetch_weights
    from benchx.methods.weights import default_root

    card, folder = read_card(method), root or default_root()
    if folder is None:
        raise UsageError("no weights root", "BENCHX_WEIGHTS is not set", "give --root DIR, or set BENCHX_WEIGHTS")
    out.print(f"licence: {card.licence}", highlight=False, markup=False, soft_wrap=True)
    bars = bars_for(quiet=False)
    with bars.running():
        files = fetch_weights(card, folder, bars.stage)
    for file in files:
        out.print(str(file), highlight=False, markup=False, soft_wrap=True)


@app.command()
def check(
    method: str,
    checkpoint: Annotated[Path | None, typer.Option(help="The official checkpoint file.")] = None,
    text_checkpoint: Annotated[Path | None, typer.Option(help="A text tower's own file, if it has one.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side of the test image; without it the card's.")] = None,
    json: Json = False,
) -> None:
    """Check that a checkpoint fills a method, and show what its features look like.

    Exit 1 if they are not those of the official file, where the card knows them.
    """
    from benchx.methods.checking import check as check_weights

    report = check_weights(method, checkpoint, image_size, text_checkpoint)
    if json:
        print_json(out, report.to_dict())
    else:
        rows = [{"": key, "value": value} for key, value in _flat(report.to_dict()).items()]
        print_rows(out, rows, as_json=False)
    if report.same is False:
        raise typer.Exit(DIFFERS_EXIT)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A checkpoint in any published form.")],
    to: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    container: Annotated[str, typer.Option(help="Keys that lead to the tensors: state_dict, or net.model.")] = "",
) -> None:
    """Write the tensors of a checkpoint as safetensors, bit for bit; nothing else of it is kept or run."""
    from benchx.methods.checkpoints.convert import convert as convert_file

    done = convert_file(file, to, tuple(container.split(".")) if container else ())
    out.print(
        f"{done.tensors} tensors, {done.bytes / 1e6:.1f} MB in {done.file}; sha256 {done.sha256}; "
        f"dropped: {', '.join(done.dropped) or 'nothing'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def certify(
    method: str,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder; without it beside the cards.")] = None,
    json: Json = False,
) -> None:
    """Compare a method with the figures of its official code, and write its certificate."""
    from dataclasses import asdict

    from benchx.errors import StoreError
    from benchx.methods.certificates import store_certificate, stored_at
    from benchx.methods.certifying import certify as run_check

    certificate = run_check(method)
    try:
        file = store_certificate(certificate, out_dir)
    except OSError as error:
        raise StoreError(
            f"the certificate cannot be written to {out_dir or stored_at(method).parent}",
            error.strerror or str(error),
            "give --out DIR, a folder that you can write to",
        ) from error
    if json:
        return print_json(out, asdict(certificate))
    print_rows(out, [{"": key, "value": value} for key, value in asdict(certificate).items()], as_json=False)
    out.print(f"written: {file}", highlight=False, markup=False, soft_wrap=True)
    return None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
