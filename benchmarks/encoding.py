"""Images per second of frozen encoding at 224 px, against the plain loop, beside the processor's peak.

    python benchmarks/encoding.py speed       # ResNet-50 and ViT-B/16, random weights
    python benchmarks/encoding.py agreement   # how far bf16 features lie from fp32 ones

The plain loop is fp32, contiguous (NCHW) and without benchx; the sides take turns and the best round of each counts.
The roofline is the best rate of a large fp32 matrix product on as many threads. bf16 is shown where the device has it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchx.encoding import Execution, make_encode
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Weights
from benchx.methods.encoders.base import Encoder
from benchx.training.precision import has_bf16

WANTED = {
    "imagenet-resnet50": {"fp32": 1.3, "bf16": 1.6},
    "imagenet-vit-b16": {"fp32": 1.0, "bf16": 1.3},
}
"""Times the plain loop's speed, by architecture (a card whose weights are drawn at random) and precision."""
SIDE = 224
GEMM_SIDE = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "agreement"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    images = torch.randn(arguments.batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    for method in WANTED:
        if arguments.what == "speed":
            speed(method, images, arguments.device, arguments.rounds)
        else:
            agreement(method, images, arguments.device)


def speed(method: str, images: torch.Tensor, device: str, rounds: int) -> None:
    """Print a method's images per second in every way of running it."""
    plain = _load(method, device).eval()

    def plain_loop() -> torch.Tensor:
        with torch.no_grad():
            return plain(images.to(device)).cpu()

    ways = {"plain": plain_loop} | {
        precision: _benchx(method, images, device, precision)
        for precision in ("fp32", "bf16")
        if precision == "fp32" or has_bf16(device)
    }
    best, peak = dict.fromkeys(ways, math.inf), math.inf
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            best[name] = min(best[name], _seconds(way))
        peak = min(peak, _seconds(_product(device)))
    peak_rate = 2e-9 * GEMM_SIDE**3 / peak
    work = _gflop(method)
    print(f"{method}: {work:.1f} GFLOP an image; peak {peak_rate:.0f} GFLOP/s ({torch.get_num_threads()} threads)")
    for name, seconds in best.items():
        rate = len(images) / seconds
        ratio = best["plain"] / seconds
        wanted = f"  {ratio:.2f} x plain (wanted {WANTED[method][name]})" if name != "plain" else ""
        print(f"  {name:6} {rate:8.1f} images/s  {rate * work / peak_rate:4.0%} of the peak{wanted}")
    if "bf16" not in ways:
        print(f"  {_without_bf16(device)}")


def agreement(method: str, images: torch.Tensor, device: str) -> None:
    """Print the largest difference of bf16 from fp32 features, relative to the largest feature."""
    if not has_bf16(device):
        print(f"{method}: {_without_bf16(device)}")
        return
    exact, rounded = (_benchx(method, images, device, precision)() for precision in ("fp32", "bf16"))
    difference = ((exact - rounded).abs().max() / exact.abs().max()).item()
    cosine = torch.nn.functional.cosine_similarity(exact, rounded).min().item()
    print(f"{method}: bf16 differs from fp32 by {difference:.1e} of the largest feature, least cosine {cosine:.5f}")


def _load(method: str, device: str) -> Encoder:
    return load(read_card(method).model_copy(update={"weights": Weights(seed=0)}), device=device)


def _benchx(method: str, images: torch.Tensor, device: str, precision: str) -> Callable[[], torch.Tensor]:
    execution = Execution(device, "bf16" if precision == "bf16" else "fp32", compiled=False, batch=len(images))
    encode = make_encode(_load(method, device), execution)
    return lambda: encode(images)[0]


def _without_bf16(device: str) -> str:
    return f"no bf16 on this {'GPU' if device.startswith('cuda') else 'processor'}"


def _product(device: str) -> Callable[[], torch.Tensor]:
    left, right = torch.randn(2, GEMM_SIDE, GEMM_SIDE, device=device)
    return lambda: (left @ right)[:1].cpu()


def _gflop(method: str) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        _load(method, "cpu")(torch.zeros(1, 3, SIDE, SIDE))
    return counter.get_total_flops() / 1e9


def _seconds(function: Callable[[], torch.Tensor]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
