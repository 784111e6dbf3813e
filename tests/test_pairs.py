"""Features of image-text pairs against reading one image with one text at a time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from small_fuser import Both, Ears, Eyes, cards

from benchx import held_texts
from benchx.datasets.samples import COLUMNS, Dataset, Samples
from benchx.errors import BenchxError, NotApplicable, UsageError
from benchx.images.geometry import prepare
from benchx.pairs import pair_features
from benchx.planning import Cell
from benchx.protocols import Answer, Extraction
from benchx.results.store import Store
from benchx.workspace import Workspace

IMAGES = 11
TEXTS = [
    "is there an effusion",
    "no",
    "where is the large mass in the left upper zone of the lung and how many are there in all of it",
    "",
    "is the heart enlarged today",
]
PROTOCOL = Extraction.model_validate({"input": {"preprocessing": "card"}, "feature_batch": 3, "precision": "fp32"})


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    rng = np.random.default_rng(0)
    (tmp_path / "few").mkdir()
    for number in range(IMAGES):
        cv2.imwrite(str(tmp_path / "few" / f"{number:02d}.png"), rng.integers(0, 255, (40, 40), np.uint8))
    names = [f"{number:02d}" for number in range(IMAGES)]
    table = pd.DataFrame(
        {"sample": names, "patient": names, "image": [f"{name}.png" for name in names], "official": ""}
    )
    table = table.reindex(columns=COLUMNS)

    def read(root: Path) -> Samples:
        return Samples("few", root, table, np.zeros((IMAGES, 1), np.float32), ("Mass",))

    few = Dataset("few", "few", "none", "none", "none", "none", ("classification",), "few", ("Mass",), read)
    return Workspace(
        Store(tmp_path / "store"), cards=cards(monkeypatch), datasets={"few": few}, roots={"few": tmp_path / "few"}
    )


def cell(method: str) -> Cell:
    settings = {"protocol": {"kind": "frozen"}, "classes": ["Mass"], "uncertain": "unknown", "short_side": 40}
    return Cell("s", 1, method, "few", "classification", "p", "cv5", 1.0, None, "macro_auroc", settings)


def pairs(seed: int = 0, count: int = 40) -> tuple[np.ndarray, list[str]]:
    """Pairs in no order, some of them twice, of 7 images."""
    rng = np.random.default_rng(seed)
    images = rng.choice([0, 2, 3, 6, 7, 9, 10], count)
    return images, [TEXTS[one] for one in rng.integers(0, len(TEXTS), count)]


def one_by_one(workspace: Workspace, method: str, images: np.ndarray, texts: list[str]) -> np.ndarray:
    encoder, pixels = workspace.load_encoder(method, 32, text=True), workspace.dataset(cell(method).reading).pixels
    with torch.inference_mode():
        return np.concatenate(
            [
                encoder.fuse(
                    encoder.encode(prepare(pixels.images(np.array([image])), workspace.card(method).images)),
                    encoder.encode_text([text]),
                ).numpy()
                for image, text in zip(images, texts, strict=True)
            ]
        )


@pytest.fixture
def seen(monkeypatch) -> dict[str, list[int]]:
    """How many images, texts and pairs were read in each call."""
    calls: dict[str, list[int]] = {"images": [], "texts": [], "pairs": []}
    see, hear, fuse = Eyes._features, Ears._read, Both.forward

    def features(self, images):
        calls["images"].append(len(images))
        return see(self, images)

    def read(self, ids, mask, continued):
        calls["texts"].append(len(ids))
        return hear(self, ids, mask, continued)

    def forward(self, encoder, images, text):
        calls["pairs"].append(len(images.pooled))
        return fuse(self, encoder, images, text)

    monkeypatch.setattr(Eyes, "_features", features)
    monkeypatch.setattr(Ears, "_read", read)
    monkeypatch.setattr(Both, "forward", forward)
    return calls


def test_fused_pairs_are_as_read_alone_and_nothing_is_read_twice(workspace, seen) -> None:
    images, texts = pairs()
    found, said = pair_features(cell("fuser"), PROTOCOL, workspace, images, texts)
    assert (sum(seen["images"]), sum(seen["texts"])) == (7, 5)
    assert sum(seen["pairs"]) == len(set(zip(images, texts, strict=True))) < 40
    assert max(seen["pairs"]) <= 3
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one_by_one(workspace, "fuser", images, texts), rtol=0, atol=1e-5)
    assert said == {"joint": "fused by the method", "widths": {"fused": 16}, "text": "fuser"}


def test_texts_that_do_not_fit_into_memory_together_give_the_same(workspace, seen, monkeypatch) -> None:
    monkeypatch.setattr(held_texts, "WORD_BYTES", 1)
    images, texts = pairs()
    found, _ = pair_features(cell("fuser"), PROTOCOL, workspace, images, texts)
    assert 7 < sum(seen["images"]) <= 14
    assert sum(seen["texts"]) == 5
    np.testing.assert_allclose(found, one_by_one(workspace, "fuser", images, texts), rtol=0, atol=1e-5)


def test_pairs_are_kept_without_their_texts_and_found_again(workspace, seen) -> None:
    images, texts = pairs()
    found, _ = pair_features(cell("fuser"), PROTOCOL, workspace, images, texts)
    calls = len(seen["pairs"])
    again, _ = pair_features(cell("fuser"), PROTOCOL, workspace, images[::-1], texts[::-1])
    np.testing.assert_array_equal(again[::-1], found)
    assert len(seen["pairs"]) == calls
    (folder,) = (workspace.store.cache / "pairs").iterdir()
    assert {path.name for path in folder.iterdir()} == {"pairs.npy", "lock"}
    assert not any(b"effusion" in path.read_bytes() for path in folder.iterdir())
    pair_features(cell("fuser"), PROTOCOL, workspace, images, ["other", *texts[1:]])
    assert len(list((workspace.store.cache / "pairs").iterdir())) == 2
    assert len(seen["pairs"]) > calls


@pytest.mark.parametrize("bytes_held", [1, 2**30])
def test_a_killed_reading_continues_after_its_last_images(workspace, seen, monkeypatch, bytes_held) -> None:
    monkeypatch.setattr(held_texts, "WORD_BYTES", bytes_held)
    images, texts = pairs()
    whole, _ = pair_features(cell("fuser"), PROTOCOL, workspace, images, texts)
    calls, encoded = len(seen["pairs"]), sum(seen["images"])
    other = Workspace(
        Store(workspace.store.cache.parent / "again"),
        cards=workspace.cards,
        datasets=workspace.datasets,
        roots=workspace.roots,
    )
    fuse = Both.forward

    def killed(self, encoder, image, text):
        if len(seen["pairs"]) == 2 * calls - 2:
            raise KeyboardInterrupt
        return fuse(self, encoder, image, text)

    with monkeypatch.context() as patch:
        patch.setattr(Both, "forward", killed)
        with pytest.raises(KeyboardInterrupt):
            pair_features(cell("fuser"), PROTOCOL, other, images, texts)
    (folder,) = (other.store.cache / "pairs").iterdir()
    assert not (folder / "pairs.npy").exists()
    seen["images"].clear()
    found, _ = pair_features(cell("fuser"), PROTOCOL, other, images, texts)
    np.testing.assert_array_equal(found, whole)
    assert 0 < sum(seen["images"]) < encoded


def test_what_does_not_fit_into_memory_is_read_in_halves(workspace, monkeypatch) -> None:
    for part, name in ((Eyes, "_features"), (Ears, "_read"), (Both, "forward")):
        whole = getattr(part, name)

        def small(self, *given, whole=whole, part=part):
            if len(given[1].pooled if part is Both else given[0]) > 1:
                raise MemoryError
            return whole(self, *given)

        monkeypatch.setattr(part, name, small)
    images, texts = pairs()
    found, _ = pair_features(cell("fuser"), PROTOCOL, workspace, images, texts)
    np.testing.assert_allclose(found, one_by_one(workspace, "fuser", images, texts), rtol=0, atol=1e-5)


def test_features_that_are_no_numbers_are_an_error_that_shows_no_text(workspace, monkeypatch) -> None:
    fuse = Both.forward
    monkeypatch.setattr(Both, "forward", lambda self, *given: fuse(self, *given) / 0)
    with pytest.raises(BenchxError, match="NaN or infinite") as caught:
        pair_features(cell("fuser"), PROTOCOL, workspace, *pairs())
    assert "effusion" not in str(caught.value)
    assert not list((workspace.store.cache / "pairs").glob("*/pairs.npy"))


def test_without_a_fusion_image_and_text_stand_side_by_side(workspace) -> None:
    images, texts = pairs()
    found, said = pair_features(cell("reader"), PROTOCOL, workspace, images, texts)
    assert said == {"joint": "image and text side by side", "widths": {"image": 8, "text": 6}, "text": "reader"}
    encoder, pixels = workspace.load_encoder("reader", 32, text=True), workspace.dataset(cell("reader").reading).pixels
    with torch.inference_mode():
        pooled = encoder(prepare(pixels.images(images), workspace.card("reader").images)).numpy()
        read = torch.cat([encoder.encode_text([text]).embedding for text in texts]).numpy()
    np.testing.assert_allclose(found, np.concatenate([pooled, read], axis=1), rtol=0, atol=1e-5)
    lent, said = pair_features(cell("eyes"), PROTOCOL, workspace, images, texts, "ears")
    assert said == {"joint": "image and text side by side", "widths": {"image": 8, "text": 6}, "text": "ears"}
    ears = workspace.load_encoder("ears", 0, text=True)
    np.testing.assert_allclose(lent[:, 8:], ears.encode_text(texts).embedding.detach().numpy(), rtol=0, atol=1e-5)
    alone, said = pair_features(cell("ears"), PROTOCOL, workspace, images, texts, "reader")
    assert said == {"joint": "text alone", "widths": {"text": 6}, "text": "ears"}
    np.testing.assert_array_equal(alone, lent[:, 8:])


def test_a_reader_of_questions_may_see_larger_images_than_the_suite_keeps(workspace) -> None:
    images, texts = pairs()
    reader = workspace.cards["reader"]
    large = reader.model_copy(update={"name": "large", "input": reader.input.model_copy(update={"size": 64})})
    workspace.cards = {**workspace.cards, "large": large}
    lent, said = pair_features(cell("eyes"), PROTOCOL, workspace, images, texts, "large")
    assert said["text"] == "large"
    same, _ = pair_features(cell("eyes"), PROTOCOL, workspace, images, texts, "reader")
    np.testing.assert_array_equal(lent, same)
    with pytest.raises(UsageError, match="'large' resizes to 64 px, but the suite keeps images at 40 px only"):
        pair_features(cell("large"), PROTOCOL, workspace, images, texts)


def test_the_protocol_of_questions_asks_for_the_same_features(workspace) -> None:
    answer = Answer.model_construct(
        input=PROTOCOL.input, feature_batch=PROTOCOL.feature_batch, precision=PROTOCOL.precision
    )
    images, texts = pairs()
    for method in ("fuser", "reader"):
        found, _ = pair_features(cell(method), answer, workspace, images, texts)
        np.testing.assert_array_equal(found, pair_features(cell(method), PROTOCOL, workspace, images, texts)[0])


def test_what_cannot_be_read_is_told(workspace) -> None:
    images, texts = pairs()
    with pytest.raises(NotApplicable, match="'eyes' reads no text") as caught:
        pair_features(cell("eyes"), PROTOCOL, workspace, images, texts)
    assert "questions: minilm" in caught.value.todo
    with pytest.raises(UsageError, match="'eyes' reads no text"):
        pair_features(cell("reader"), PROTOCOL, workspace, images, texts, "eyes")
    with pytest.raises(UsageError, match="unknown method 'nobody'"):
        pair_features(cell("eyes"), PROTOCOL, workspace, images, texts, "nobody")
    with pytest.raises(ValueError, match="are no pairs"):
        pair_features(cell("fuser"), PROTOCOL, workspace, images, texts[1:])
    with pytest.raises(ValueError, match="are no pairs"):
        pair_features(cell("fuser"), PROTOCOL, workspace, images[:0], [])
