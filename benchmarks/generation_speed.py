"""Time batched beam search with kept keys and values against one hypothesis after another without them.

OMP_NUM_THREADS=2 python benchmarks/generation_speed.py [--cases 16] [--words 60]
R2Gen at full size, untrained, its end made unlikely so that reports are long. Both sides encode the pictures once and
must say the same words.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor

from benchx.decoders.reports.beam import generate
from benchx.decoders.reports.decoder import ReportDecoder
from benchx.decoders.reports.r2gen import r2gen

WORDS, PATCHES, PATCH_DIM, BEAMS = 760, 98, 2048, 3


@torch.no_grad()
def one_by_one(decoder: ReportDecoder, patches: Tensor, longest: int) -> list[int]:
    """Generate one report; every word of every hypothesis from the beginning."""
    encoded = decoder.encode(patches, None)
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    done: list[tuple[float, list[int]]] = []
    for position in range(longest):
        candidates = []
        for total, said in live:
            logits = decoder.decode(encoded, None, torch.tensor([[0, *said]]))[0, -1]
            values, words = logits.log_softmax(dim=-1).topk(BEAMS)
            pairs = zip(values.tolist(), words.tolist(), strict=True)
            candidates += [(total + value, [*said, word]) for value, word in pairs]
        candidates.sort(key=lambda one: -one[0])
        ended = [one for one in candidates[:BEAMS] if one[1][-1] == 0 or position == longest - 1]
        live = [one for one in candidates[:BEAMS] if one not in ended]
        done += ended
        if not live or (done and max(done)[0] >= live[0][0]):
            break
    best = max(done, key=lambda one: one[0])[1]
    return best + [0] * (longest - len(best))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", type=int, default=16)
    arguments.add_argument("--words", type=int, default=60)
    chosen = arguments.parse_args()
    decoder = r2gen(WORDS, PATCH_DIM, 0).eval()
    with torch.no_grad():
        decoder.logits.weight.mul_(4)
        decoder.logits.bias[0] -= 20
    patches = torch.randn(chosen.cases, PATCHES, PATCH_DIM, generator=torch.Generator().manual_seed(0))
    generate(decoder, patches[:1], None, beams=BEAMS, longest=4)

    started = time.perf_counter()
    found = generate(decoder, patches, None, beams=BEAMS, longest=chosen.words).tokens.tolist()
    fast = time.perf_counter() - started
    started = time.perf_counter()
    expected = [one_by_one(decoder, one[None], chosen.words) for one in patches]
    slow = time.perf_counter() - started
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    print(f"{chosen.cases} cases, beam {BEAMS}, up to {chosen.words} words, {torch.get_num_threads()} threads")
    print(f"benchx {fast:.2f} s, one by one {slow:.2f} s: {slow / fast:.1f} x; same words in {same} of {chosen.cases}")


if __name__ == "__main__":
    main()
