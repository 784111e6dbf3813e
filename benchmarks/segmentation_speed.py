"""What a training epoch of segmentation costs: with maps from disk or from the encoder, and beside a plain loop.

Run: python benchmarks/segmentation_speed.py [--side 512] [--images 4]
Simulated lungs, one thread, in CPU seconds, so that other load on the machine does not count. First an epoch of U-Net
and of UPerNet (width 256, auxiliary head) on the frozen maps of a small and of a large encoder. Then training steps of
our U-Net with the encoder trained along, in turns with the same network of the same weights in a loop that uses
segmentation-models-pytorch, MONAI and PyTorch alone. Wanted: no slower than that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses import DiceLoss
from segmentation_models_pytorch.base import SegmentationHead  # type: ignore[import-untyped]
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder  # type: ignore[import-untyped]
from torch.nn.functional import binary_cross_entropy_with_logits

from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.protocols import Segment
from benchx.results.store import Store
from benchx.tasks.segmentation.fitting import Setting, make_batch
from benchx.tasks.segmentation.maps import Source, open_source
from benchx.tasks.segmentation.segmenter import Segmenter
from benchx.tasks.segmentation.truth import draw_truth
from benchx.training.loop import Run
from benchx.training.recipe import TrainingSet, recipe_of
from benchx.workspace import Workspace, cell_input

ENCODERS = ("random-efficientnet-lite0", "random-resnet50")
DECODERS: dict[str, dict[str, Any]] = {"unet": {"name": "unet"}, "upernet": {"name": "upernet", "auxiliary": 0.4}}


def protocol_of(side: int, batch: int, **changes: Any) -> Segment:
    fields: dict[str, Any] = {
        "kind": "segment",
        "input": {"preprocessing": "suite", "size": side, "resize": "stretch", "interpolation": "bilinear"},
        "epochs": 1,
        "batch_size": batch,
        "lr": 1e-4,
        "head_lr": 1e-3,
        "weight_decay": 0.01,
        "patience": 1,
        "precision": "fp32",
        "encoder": "frozen",
        "output": "sigmoid",
        "loss": "dice-ce",
        "tolerance": 2.0,
    }
    fields["input"] |= {"mean": 0.5, "std": 0.25}
    return Segment.model_validate(fields | changes)


def cell_of(method: str, side: int) -> Cell:
    settings = {"uncertain": "unknown", "short_side": side}
    return Cell("speed", 1, method, "montgomery", "segmentation", "segment", "official", 1.0, 0, "dice", settings)


def opened(cell: Cell, protocol: Segment, workspace: Workspace) -> tuple[Setting, Source]:
    dataset, spec = workspace.dataset(cell.reading), cell_input(cell, protocol.input, workspace)
    source = open_source(cell, protocol, spec, workspace)
    truth = draw_truth(
        dataset, dataset.samples.mask_classes, spec, workspace.store.cache, union=False, advance=lambda *_: None
    )
    shapes = dataset.pixels.original_shapes
    return Setting(dataset.samples, shapes, truth, spec, protocol, lambda: source, 0, "cpu"), source


def model_of(setting: Setting, source: Source) -> Segmenter:
    truth = setting.truth
    return Segmenter(source, truth.size, len(truth.classes), setting.protocol, setting.seed, setting.device)


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def epochs(workspace: Workspace, side: int, batch: int, images: int) -> None:
    print(f"an epoch of {images} images of {side} px in batches of {batch}, CPU seconds")
    print(f"{'encoder':28}{'decoder':10}{'computed':>10}{'cached':>10}{'saved':>8}{'extraction':>12}")
    for method in ENCODERS:
        for name, decoder in DECODERS.items():
            found, extraction = {}, 0.0
            for gigabytes in (0.0, 8.0):
                protocol = protocol_of(side, batch, decoder=decoder, cache_gigabytes=gigabytes)
                start = time.process_time()
                setting, source = opened(cell_of(method, side), protocol, workspace)
                extraction = max(extraction, time.process_time() - start)
                cases = TrainingSet(
                    images, lambda rows, rng, held=setting, maps=source: make_batch(held, maps, rows, rng)
                )
                run = Run(model_of(setting, source), cases, recipe_of(protocol), 0)
                found[source.kind] = cpu_seconds(run.train_epoch)
            saved = 1 - found["cached"] / found["frozen"]
            print(f"{method:28}{name:10}{found['frozen']:10.1f}{found['cached']:10.1f}{saved:8.0%}{extraction:12.1f}")


def plain_step(encoder: Any, decoder: Any, head: Any, optimizer: torch.optim.Optimizer) -> Callable[..., None]:
    """The step as one would write it around the libraries."""
    dice = DiceLoss(sigmoid=True)

    def step(images: torch.Tensor, masks: torch.Tensor) -> None:
        maps = encoder.encode(images).maps
        empty = [
            images.new_empty(len(images), 0, images.shape[2] // stride, images.shape[3] // stride) for stride in (1, 2)
        ]
        logits = head(decoder([*empty, *maps]))
        truth = masks.float()
        loss = dice(logits, truth) + binary_cross_entropy_with_logits(logits, truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def steps(workspace: Workspace, side: int, batch: int, rounds: int) -> None:
    protocol = protocol_of(side, batch, decoder=DECODERS["unet"], encoder="trained")
    cell = cell_of(ENCODERS[0], side)
    setting, source = opened(cell, protocol, workspace)
    model = model_of(setting, source)
    cases = TrainingSet(batch, lambda rows, rng: make_batch(setting, source, rows, rng))
    run = Run(model, cases, recipe_of(protocol), 0)
    theirs = workspace.load_encoder(cell.method, side).to(memory_format=torch.channels_last).train()
    channels = [0, 0, *source.channels]
    decoder = UnetDecoder([0, *channels[1:]], (256, 128, 64, 32, 16)).to(memory_format=torch.channels_last)
    head = SegmentationHead(16, len(setting.truth.classes)).to(memory_format=torch.channels_last)
    parameters = [one for part in (theirs, decoder, head) for one in part.parameters()]
    step = plain_step(theirs, decoder, head, torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01))

    def plain() -> None:
        images, masks = make_batch(setting, source, np.arange(batch), np.random.default_rng(0))
        step(images, masks)

    ours, beside = [], []
    for _ in range(rounds):
        ours.append(cpu_seconds(run.train_epoch))
        beside.append(cpu_seconds(plain))
    print(f"a step of U-Net on {cell.method}, trained along, {batch} images of {side} px, median of {rounds} in turns")
    our_step, plain_loop = np.median(ours), np.median(beside)
    print(f"ours {our_step:.2f} s, plain loop {plain_loop:.2f} s, ratio {our_step / plain_loop:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write("montgomery", root / "data/montgomery", max(arguments.images, 4), 0, arguments.side, lambda *_: None)
        workspace = Workspace(store=Store(root / "store"), data_root=root / "data")
        steps(workspace, arguments.side, arguments.batch, arguments.rounds)
        epochs(workspace, arguments.side, arguments.batch, arguments.images)


if __name__ == "__main__":
    main()
