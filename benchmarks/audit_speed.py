"""What `benchx.datasets.audit` finds of changed copies of real radiographs, and how long it takes at NIH's size.

    python benchmarks/audit_speed.py recall DATA                   # copies of every image, change by change
    python benchmarks/audit_speed.py speed DATA [--images 112120]  # each stage, on made-up variants of them

DATA holds folders of real chest radiographs (PNG or JPEG), searched deeply below `*/images`. `speed` turns, cuts,
mirrors and blends them into as many different radiographs; near copies among them are its own doing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchx.datasets.audit.alignment import similarity
from benchx.datasets.audit.descriptors import grey_ranks
from benchx.datasets.audit.looking import Look, look
from benchx.datasets.audit.neighbours import pairs_alike
from benchx.datasets.audit.polarity import LEAST
from benchx.datasets.audit.same import ALIKE, SAME, same_pictures
from benchx.images.batches import prefetch
from benchx.images.decode import read, to_uint8
from benchx.images.store import build

NIH_IMAGES = 112_120


def resized(image: np.ndarray, short: int) -> np.ndarray:
    scale = short / min(image.shape)
    size = tuple(max(1, round(side * scale)) for side in image.shape[::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def gamma(image: np.ndarray, power: float) -> np.ndarray:
    return np.rint(255 * (image / 255) ** power).astype(np.uint8)


def cropped(image: np.ndarray, share: float) -> np.ndarray:
    y, x = (round(side * share) for side in image.shape)
    return image[y : image.shape[0] - y, x : image.shape[1] - x]


def padded(image: np.ndarray, share: float) -> np.ndarray:
    y, x = (round(side * share) for side in image.shape)
    return cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_CONSTANT)


def noisy(image: np.ndarray) -> np.ndarray:
    return np.clip(image + np.random.default_rng(0).normal(0, 5, image.shape), 0, 255).astype(np.uint8)


CHANGES = {
    "JPEG quality 75": lambda image: jpeg(image, 75),
    "JPEG quality 30": lambda image: jpeg(image, 30),
    "short side 128": lambda image: resized(image, 128),
    "512, then 256": lambda image: resized(resized(image, 512), 256),
    "1024, JPEG 80, then 256": lambda image: resized(jpeg(resized(image, 1024), 80), 256),
    "stretched to 224 x 224": lambda image: cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA),
    "gamma 0.9": lambda image: gamma(image, 0.9),
    "gamma 1.1": lambda image: gamma(image, 1.1),
    "gamma 0.6": lambda image: gamma(image, 0.6),
    "gamma 1.6": lambda image: gamma(image, 1.6),
    "contrast 1.2, clipped": lambda image: np.clip(image * 1.2 - 10, 0, 255).astype(np.uint8),
    "equalised": cv2.equalizeHist,
    "CLAHE 2, 8 x 8": lambda image: cv2.createCLAHE(2.0, (8, 8)).apply(image),
    "16 grey levels": lambda image: image // 16 * 17,
    "noise of 5 grey levels": noisy,
    "negative": lambda image: 255 - image,
    "border cropped by 1 %": lambda image: cropped(image, 0.01),
    "border cropped by 2 %": lambda image: cropped(image, 0.02),
    "border cropped by 3 %": lambda image: cropped(image, 0.03),
    "border cropped by 5 %": lambda image: cropped(image, 0.05),
    "padded by 5 %": lambda image: padded(image, 0.05),
    "padded by 20 %": lambda image: padded(image, 0.20),
    "512, crop 1 %, gamma 1.15, JPEG 60": lambda image: jpeg(gamma(cropped(resized(image, 512), 0.01), 1.15), 60),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
}


def same(first: Look, second: Look) -> bool:
    """Whether the audit would join two pictures, were they its only ones."""
    return any(
        abs(float(v @ w)) >= ALIKE and similarity(grey_ranks(a), grey_ranks(b), SAME) >= SAME
        for v, a in zip(first.vectors, first.thumbnails, strict=True)
        for w, b in zip(second.vectors, second.thumbnails, strict=True)
    )


def originals(data: Path) -> list[np.ndarray]:
    paths = sorted(path for path in data.glob("*/images/**/*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    return [to_uint8(read(path)) for path in paths if "nih-1024" not in path.parts]


def recall(data: Path) -> None:
    images = originals(data)
    looks = [look(image) for image in images]
    groups = same_pictures(looks, [str(number) for number in range(len(images))], lambda done: None)
    print(f"{len(images)} images, {len(images) * (len(images) - 1) // 2} pairs; the same: {groups}")
    negative = [look(255 - image).polarity < LEAST for image in images]
    print(f"remarked as negative: {sum(each.polarity < LEAST for each in looks)}; of their negatives {sum(negative)}")
    for name, change in CHANGES.items():
        found = np.mean([same(each, look(change(image))) for each, image in zip(looks, images, strict=True)])
        print(f"{name:36s} {100 * found:6.1f} %")


def variant(images: list[np.ndarray], number: int, side: int) -> np.ndarray:
    """Make a square radiograph unlike the others: two real ones turned, cut and mirrored, and blended 7 to 3.

    Variants of one main radiograph that are turned and cut alike are the same picture to the audit, and rightly so.
    """
    rng = np.random.default_rng(number)
    layers = []
    for image in (images[number % len(images)], images[rng.integers(len(images))]):
        height, width = image.shape
        centre = (width * rng.uniform(0.46, 0.54), height * rng.uniform(0.46, 0.54))
        scale = side / min(height, width)
        turn = cv2.getRotationMatrix2D(centre, rng.uniform(-10, 10), scale * rng.uniform(1, 1.25))
        turn[:, 2] += side / 2 - np.array(centre)
        layer = cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
        layers.append(layer[:, ::-1] if rng.random() < 0.5 else layer)
    return cv2.addWeighted(np.ascontiguousarray(layers[0]), 0.7, np.ascontiguousarray(layers[1]), 0.3, 0)


def speed(data: Path, count: int) -> None:
    images = originals(data)
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / f"{number}.png" for number in range(400)]
        for number, path in enumerate(paths):
            cv2.imwrite(str(path), variant(images, number, 512))
        store = build([(path.stem, path) for path in paths], 512, Path(place) / "store")
        chunks = np.split(np.arange(400), range(50, 400, 50))
        started = time.perf_counter()
        for _ in prefetch(lambda chunk: [look(image) for image in store.images(chunk)], chunks, 2):
            pass
        rate = 400 / (time.perf_counter() - started)
    print(f"looking: {rate:.0f} images/s of 512 x 512, 2 threads: {NIH_IMAGES / rate:.0f} s for {NIH_IMAGES}")

    chunks = np.array_split(np.arange(count), max(1, count // 200))
    parts = prefetch(lambda rows: [look(variant(images, number, 128)) for number in rows], chunks, 2)
    looks = [each for part in parts for each in part]
    vectors = np.array([vector for each in looks for vector in each.vectors], np.float32)
    started = time.perf_counter()
    pairs = sum(len(found) for _, found in pairs_alike(vectors, ALIKE))
    searched = time.perf_counter()
    print(f"{count} images, {len(vectors)} descriptions: compared in {searched - started:.1f} s, {pairs} pairs alike")
    groups = same_pictures(looks, [str(number) for number in range(count)], lambda done: None)
    print(f"searched and verified in {time.perf_counter() - searched:.1f} s, {len(groups)} groups")
    strangers = sum(len(set(group % len(images))) == len(group) for group in groups)
    print(f"{strangers} of these groups have no main radiograph in common")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("recall", "speed"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=NIH_IMAGES)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.what == "recall":
        recall(arguments.data)
    else:
        speed(arguments.data, arguments.images)


if __name__ == "__main__":
    main()
