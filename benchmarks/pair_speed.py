"""Time reading image-text pairs with a fusion: every image and text once, against both encoded for every pair.

    python benchmarks/pair_speed.py [METHOD] [IMAGES] [TEXTS] [DEVICE]

The method (m3ae) has random weights of its own shapes and words without a vocabulary; every image (8) is read with as
many texts (8) of up to 40 words. Both ways run in batches of 8 on the same threads, and must agree. Times are of the
processor on a CPU, of the clock on a GPU.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from benchx.encoding import Execution
from benchx.images.geometry import prepare
from benchx.images.store import PixelStore, build
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, TokenizerChoice
from benchx.methods.encoders.base import Encoder
from benchx.methods.loading import random_encoder
from benchx.pair_reading import Pairs, distinct, fused, open_pairs, read_pairs

BATCH, WORDS, LONGEST = 8, 900, 40


def main() -> None:
    method = sys.argv[1] if len(sys.argv) > 1 else "m3ae"
    images, texts = (int(sys.argv[place]) if len(sys.argv) > place else 8 for place in (2, 3))
    device = sys.argv[4] if len(sys.argv) > 4 else "cpu"
    card = _without_vocabulary(read_card(method))
    encoder = random_encoder(card).to(device).eval()
    rng = np.random.default_rng(0)
    asked, _ = distinct(
        [" ".join(f"w{one}" for one in rng.integers(0, 400, rng.integers(4, LONGEST))) for _ in range(texts)]
    )
    execution = Execution(device, "fp32", compiled=False, batch=BATCH)
    clock = time.process_time if device == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        pixels = _pixels(Path(folder), images, card.images.size)
        pairs = Pairs(np.arange(images), asked, None)
        started = clock()
        read_pairs(
            encoder,
            pixels,
            pairs,
            card.images,
            execution,
            fused(encoder, execution),
            Path(folder) / "pairs",
            lambda done, total: None,
            at_a_time=BATCH,
        )
        ours, once = clock() - started, open_pairs(Path(folder) / "pairs").copy()
        started = clock()
        every = _pair_by_pair(encoder, pixels, pairs, card)
        loop = clock() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{method}, {images} images x {texts} texts on {device}, batches of {BATCH}, peak memory {peak:.1f} GiB")
    print(f"  each encoded once {ours:.1f} s, for every pair {loop:.1f} s: {loop / ours:.1f} x")
    print(f"  largest difference {np.abs(once - every).max():.1e}")


def _pair_by_pair(encoder: Encoder, pixels: PixelStore, pairs: Pairs, card: Card) -> np.ndarray:
    _, image, text = pairs.between(0, len(pairs.images))
    found = []
    with torch.inference_mode():
        for first in range(0, len(image), BATCH):
            some = slice(first, first + BATCH)
            seen = encoder.encode(
                prepare(pixels.images(image[some]), card.images).to(next(encoder.parameters()).device)
            )
            found.append(encoder.fuse(seen, encoder.encode_text([pairs.texts[one] for one in text[some]])).cpu())
    return torch.cat(found).numpy()


def _without_vocabulary(card: Card) -> Card:
    assert card.text is not None
    words = TokenizerChoice(words=WORDS, max_length=LONGEST)
    return card.model_copy(update={"text": card.text.model_copy(update={"tokenizer": words})})


def _pixels(folder: Path, images: int, side: int) -> PixelStore:
    rng = np.random.default_rng(1)
    items = [(f"{number:04d}", folder / f"{number:04d}.png") for number in range(images)]
    for _, path in items:
        cv2.imwrite(str(path), rng.integers(0, 255, (side, side), np.uint8))
    return build(items, side, folder / "store", skip_unreadable=False, on_progress=lambda done, total: None)


if __name__ == "__main__":
    main()
