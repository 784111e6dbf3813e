"""Where a run finds its data, weights and caches; opened when first needed, kept while they serve."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchx.datasets import find_root, get_dataset
from benchx.datasets.benchx_lists import SPLITS_FOLDER, read_lists
from benchx.datasets.regions import fingerprint
from benchx.datasets.samples import Dataset, Samples
from benchx.datasets.splits import Fold, make_folds, split_digest, units_in_two_parts
from benchx.digests import digest_file, digest_json, digest_lines
from benchx.errors import DatasetError, UsageError
from benchx.planning import Cell, Reading
from benchx.progress import Progress, Silent
from benchx.results.store import Store

if TYPE_CHECKING:
    from benchx.images.spec import InputSpec
    from benchx.images.store import PixelStore
    from benchx.methods.cards.schema import Card
    from benchx.methods.encoders.base import Encoder
    from benchx.protocols import InputRule


@dataclass(frozen=True)
class OpenDataset:
    """A dataset with its pixels: the readable samples only, in the pixel store's order.

    Attributes:
        unreadable: listed images that were left out, by id, with the reason.
    """

    samples: Samples
    pixels: PixelStore
    unreadable: dict[str, str]

    @cached_property
    def digest(self) -> str:
        """sha256 over sorted lines `sample cluster checksum labels`: no paths, no dates, no order of files.

        The cluster (patient) is in it because it decides who is drawn together.
        """
        names, clusters = self.samples.table["sample"].to_numpy(), self.samples.clusters
        texts = ["".join("?" if np.isnan(v) else str(int(v)) for v in row) for row in self.samples.labels]
        checksums = self.pixels.checksums
        rows = zip(names, clusters, texts, strict=True)
        return digest_lines(sorted(f"{name}\t{unit}\t{checksums[name]}\t{text}" for name, unit, text in rows))

    def digest_with(self, *, outlines: bool, texts: bool) -> str:
        """sha256 of `digest`, and of outlines or reports where these are read too."""
        more = [self._outlines] * outlines + [self._texts] * texts
        return digest_lines([self.digest, *more]) if more else self.digest

    @cached_property
    def _outlines(self) -> str:
        named = self.samples.regions
        names = [name for name in self.samples.table["sample"] if name in named]
        return digest_lines(sorted(f"{name}\t{fingerprint(named[name], self.samples.root)}" for name in names))

    @cached_property
    def _texts(self) -> str:
        found, table, asked = self.samples.reports, self.samples.table, self.samples.questions
        if asked is not None:
            return digest_lines(sorted(digest_json(list(map(str, row))) for row in asked.itertuples(index=False)))
        rows = zip(table["sample"], table["study"].astype(str), table["view"].astype(str), strict=True)
        return digest_lines(
            sorted(
                f"{name}\t{study}\t{view}\t{digest_json(vars(found[name]))}"
                for name, study, view in rows
                if name in found
            )
        )


@dataclass(frozen=True)
class Weights:
    """A method's card, its checkpoint file (None for a random initialisation) and the file's digest."""

    card: Card
    path: Path | None
    digest: str


@dataclass(frozen=True)
class SplitOf:
    """A dataset's folds, the digest of the split, and the units (patients) that stand in two of its parts."""

    folds: tuple[Fold, ...]
    digest: str
    shared: tuple[str, ...]


@dataclass
class Workspace:
    """The places a run works with.

    Attributes:
        cards: of the methods, by name; one that is not there is looked for among those that ship.
        datasets: described by users, by name; others are looked for among those that benchx knows.
        roots: folders of single datasets; `data_root` holds one folder per dataset.
        splits_root: holds BenchX's split lists.
        checkpoints: files of single methods; `weights_root` is searched for the card's file names.
    """

    store: Store
    cards: Mapping[str, Card] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    roots: Mapping[str, Path] = field(default_factory=dict)
    data_root: Path | None = None
    splits_root: Path = SPLITS_FOLDER
    checkpoints: Mapping[str, Path] = field(default_factory=dict)
    weights_root: Path | None = None
    device: str = "cpu"
    skip_unreadable: bool = False
    progress: Progress = field(default_factory=Silent)
    _samples: dict[Reading, Samples] = field(default_factory=dict)
    _datasets: dict[Reading, OpenDataset | DatasetError] = field(default_factory=dict)
    _folds: dict[Reading, SplitOf] = field(default_factory=dict)
    _weights: dict[str, Weights] = field(default_factory=dict)

    def samples(self, reading: Reading) -> Samples:
        """Read a dataset's official files; listed images that are not on disk are an error here.

        Raises:
            DataMissing, DatasetError: the folder or a file is not there, or does not read.
        """
        if reading not in self._samples:
            dataset = self.datasets.get(reading.dataset) or get_dataset(reading.dataset)
            root = find_root(dataset, self.roots, self.data_root)
            read = (reading.split == "benchx-2024" and dataset.read_benchx_2024) or dataset.read
            self._samples[reading] = read(root).count_uncertain_as(reading.uncertain).sorted()
        samples = self._samples[reading]
        if samples.missing and not self.skip_unreadable:
            absent, listed = len(samples.missing), ", ".join(samples.missing[:5])
            raise DatasetError(
                f"{absent} of {len(samples.table)} images of '{samples.dataset}' are not in {samples.root}",
                f"listed but absent: {listed}{', ...' if absent > 5 else ''}",
                "complete the download, or leave them out with --skip-unreadable (every result then says so)",
            )
        return samples

    def pixel_folder(self, samples: Samples, reading: Reading) -> Path:
        """Return where a dataset's decoded pixels lie."""
        place = digest_lines([str(samples.root.resolve())])[:8]
        variant = "-benchx-2024" * (reading.split == "benchx-2024")
        return self.store.cache / "pixels" / f"{samples.dataset}{variant}-{reading.short_side}-{place}"

    def dataset(self, reading: Reading) -> OpenDataset:
        """Open a dataset, decoding its pixels if that has not been done.

        Raises:
            DatasetError: an image cannot be read, unless unreadable images are skipped; the same again at
                every call of a run.
        """
        if reading not in self._datasets:
            try:
                self._datasets[reading] = self._open(reading)
            except DatasetError as error:
                self._datasets[reading] = error
        found = self._datasets[reading]
        if isinstance(found, DatasetError):
            raise found
        return found

    def _open(self, reading: Reading) -> OpenDataset:
        from benchx.images.store import build

        samples = self.samples(reading)
        pixels = build(
            _items(samples),
            reading.short_side,
            self.pixel_folder(samples, reading),
            skip_unreadable=self.skip_unreadable,
            on_progress=self.progress.stage(f"{reading.dataset}: pixels"),
        )
        return _readable(samples, pixels)

    def open_cached(self, reading: Reading) -> OpenDataset | None:
        """Open a dataset only if its pixels have been decoded; nothing is decoded now."""
        from benchx.images.store import open_current

        if reading not in self._datasets:
            samples = self.samples(reading)
            pixels = open_current(_items(samples), reading.short_side, self.pixel_folder(samples, reading))
            if pixels is None or (pixels.unreadable and not self.skip_unreadable):
                return None
            self._datasets[reading] = _readable(samples, pixels)
        return self.dataset(reading)

    def opened(self, reading: Reading) -> OpenDataset | None:
        """Return a dataset if it is open already."""
        found = self._datasets.get(reading)
        return found if isinstance(found, OpenDataset) else None

    def known_samples(self, reading: Reading) -> Samples | None:
        """Return a dataset's samples if they have been read."""
        return self._samples.get(reading)

    def known_split(self, reading: Reading) -> SplitOf | None:
        """Return a dataset's split if it has been made."""
        return self._folds.get(reading)

    def known_weights(self, method: str) -> Weights | None:
        """Return a method's weights if they have been found."""
        return self._weights.get(method)

    def folds(self, reading: Reading) -> SplitOf:
        """Return a dataset's folds, the digest of the split and the units in two of its parts.

        Raises:
            DatasetError: the published split is not there.
        """
        if reading not in self._folds:
            dataset = self.dataset(reading)
            samples = dataset.samples.cases
            folds = make_folds(samples, reading.split, self._lists(reading, dataset.unreadable))
            shared = tuple(units_in_two_parts(samples, folds))
            self._folds[reading] = SplitOf(folds, split_digest(samples, folds), shared)
        return self._folds[reading]

    def _lists(self, reading: Reading, left_out: Container[str]) -> dict[str, list[str]] | None:
        if reading.split != "benchx-2024":
            return None
        lists = read_lists(reading.dataset, self.splits_root)
        return {part: [name for name in names if name not in left_out] for part, names in lists.items()}

    def card(self, method: str) -> Card:
        """Return a method's card."""
        from benchx.methods.cards.reading import read_card

        return self.cards.get(method) or read_card(method)

    def weights(self, method: str) -> Weights:
        """Return a method's card, checkpoint and digest.

        Raises:
            UsageError: no such method.
            WeightsMissing: its checkpoint is not there.
        """
        if method not in self._weights:
            from benchx.methods.weights import find_checkpoint, weights_digest

            card = self.card(method)
            path = find_checkpoint(card, self.checkpoints.get(method), self.weights_root)
            self._weights[method] = Weights(card, path, weights_digest(card, path))
        return self._weights[method]

    def weights_digest(self, method: str, *, text: bool) -> str:
        """sha256 of a method's checkpoint, and with `text` also of its text side: how it is built, and its own file.

        Raises:
            WeightsMissing: a file is not there.
        """
        weights = self.weights(method)
        if not text:
            return weights.digest
        from benchx.methods.weights import find_text_checkpoint, text_files

        parts = [weights.digest, digest_json(weights.card.text_numerics())]
        parts += [digest_file(file) for file in text_files(weights.card, self.weights_root)]
        if weights.card.text is not None and weights.card.text.weights is not None:
            parts.append(digest_file(find_text_checkpoint(weights.card, None, self.weights_root)))
        return digest_lines(parts)

    def load_encoder(self, method: str, size: int, *, text: bool = False) -> Encoder:
        """Load a method's pretrained encoder, strictly, anew at every call.

        Args:
            text: with its text tower, tokenizer and scorer, where it has them.
        """
        from benchx.methods.loading import load

        weights = self.weights(method)
        return load(weights.card, weights.path, device=self.device, image_size=size, text=text)


def _items(samples: Samples) -> list[tuple[str, Path]]:
    table = samples.table
    return [(name, samples.root / image) for name, image in zip(table["sample"], table["image"], strict=True)]


def _readable(samples: Samples, pixels: PixelStore) -> OpenDataset:
    keep = np.flatnonzero(~samples.table["sample"].isin(pixels.unreadable.keys()).to_numpy())
    return OpenDataset(samples.take(keep), pixels, dict(pixels.unreadable))


def cell_input(cell: Cell, rule: InputRule, workspace: Workspace) -> InputSpec:
    """Return the encoder input that a protocol's rule means for a cell; see `input_spec`."""
    return input_spec(workspace.weights(cell.method).card, rule, cell.settings["short_side"])


def input_spec(card: Card, rule: InputRule, short_side: int) -> InputSpec:
    """Return the encoder input that a protocol's rule means for a method.

    Raises:
        UsageError: the pixels are cached smaller than the method's input needs them.
    """
    if rule.preprocessing == "suite":
        spec = rule.spec(card.images.channels)
    else:
        spec = card.images if rule.size is None else card.images.scaled_to(rule.size)
        if rule.resize is not None:
            spec = spec.model_copy(update={"resize": rule.resize, "resize_to": None})
    needed = spec.resize_to or spec.size
    if needed > short_side:
        raise UsageError(
            f"method '{card.name}' resizes to {needed} px, but the suite keeps images at {short_side} px only",
            "enlarging what was reduced would measure the cache, not the method",
            f"set short_side: {needed} or more in the suite",
        )
    return spec
