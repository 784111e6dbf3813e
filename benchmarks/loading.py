"""How long a checkpoint takes to load, and how much memory, by format.

Run: python benchmarks/loading.py [--megabytes 500]
Each measurement is a fresh process. Memory is the peak resident set beyond what the imports took, over the size of
the file: Linux' VmHWM, mapped pages included (ru_maxrss would count this process too: a fork inherits it).
`read` is read_tensors; `load` is the whole imagenet-vit-b16 (343 MB), which copies every tensor as float32. Files
are in the page cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder

Tensors = dict[str, torch.Tensor]

MEASURE = """
import json, sys, time
from pathlib import Path
from benchx.methods import load
from benchx.methods.checkpoints.reading import read_tensors
import timm, safetensors.torch
peak = lambda: 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
path, kind = Path(sys.argv[1]), sys.argv[2]
before, start = peak(), time.perf_counter()
kept = load("imagenet-vit-b16", path) if kind == "load" else read_tensors(path)
print(json.dumps([time.perf_counter() - start, (peak() - before) / path.stat().st_size]))
"""


def scripted(tensors: Tensors, path: Path) -> None:
    """Save a TorchScript module with these tensors as buffers, under names without dots."""
    module = torch.nn.Module()
    for name, value in tensors.items():
        module.register_buffer(name.replace(".", "_"), value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(path)


def legacy(tree: object, path: Path) -> None:
    torch.save(tree, path, _use_new_zipfile_serialization=False)


def foreign(tensors: Tensors) -> dict[str, object]:
    return {**tensors, "settings": argparse.Namespace(lr=1.0)}


FORMATS: dict[str, Callable[[Tensors, Path], None]] = {
    "zip": torch.save,
    "zip, foreign classes": lambda tensors, path: torch.save(foreign(tensors), path),
    "TorchScript": scripted,
    "legacy": legacy,
    "legacy, foreign classes": lambda tensors, path: legacy(foreign(tensors), path),
    "safetensors": lambda tensors, path: save_file(tensors, path),
}


def measured(path: Path, kind: str) -> tuple[float, float]:
    """Return seconds and memory over file size, in a fresh process."""
    command = [sys.executable, "-c", MEASURE, str(path), kind]
    seconds, ratio = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    arguments = parser.parse_args()
    many = {f"layers.{index}.weight": torch.randn(250_000) for index in range(arguments.megabytes)}
    vit = build_encoder(read_card("imagenet-vit-b16")).state_dict()
    vit = {name.removeprefix("trunk."): value.contiguous() for name, value in vit.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        for name, save in FORMATS.items():
            for kind, tensors in (("read", many), ("load", vit)):
                if kind == "load" and name == "TorchScript":
                    continue
                save(tensors, path)
                seconds, ratio = measured(path, kind)
                size = path.stat().st_size / 1e6
                print(f"{name:24s} {kind} {size:6.0f} MB  {seconds:5.2f} s  {ratio:4.2f} x its size in memory")


if __name__ == "__main__":
    main()
