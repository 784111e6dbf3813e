"""Heat maps of where a method finds each class, against what is outlined, at the square that the encoder sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from benchx.encoding import Execution
from benchx.images.masks import prepare_masks
from benchx.images.spec import InputSpec
from benchx.methods.scorers.queries import QueryScorer
from benchx.metrics.grounding import THRESHOLDS, Grounding, best_threshold, grounding
from benchx.metrics.zero_shot import class_embedding
from benchx.progress import Advance
from benchx.tasks.zero_shot.comparing import Compare, compared
from benchx.workspace import OpenDataset

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures


SINGLE: dict[str, Callable[[Grounding], float]] = {
    "pointing": lambda fit: fit.pointing,
    "pointing_cell": lambda fit: fit.cell_pointing,
    "heat_ap": lambda fit: fit.average_precision,
    "heat_cnr": lambda fit: fit.contrast_to_noise,
}
"""Columns of what one number says of a heat map, and where it is."""


@dataclass(frozen=True)
class Found:
    """How the heat maps of all images of a dataset fit its outlines; NaN where there is none.

    Attributes:
        classes: the G classes that are outlined and were asked about.
        single: by the name of its column, what one number says of each heat map, [N, G]; see
            `benchx.tasks.zero_shot.scores`.
        ious, dices: [N, G, 9], at the thresholds of `benchx.metrics.grounding`.
    """

    classes: tuple[str, ...]
    single: dict[str, np.ndarray]
    ious: np.ndarray
    dices: np.ndarray

    def columns(self, test: np.ndarray, val: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float | None]]:
        """Return the columns of a fold's test cases, float32 [n] each, and the threshold that each class's
        validation outlines chose, by IoU; Dice is that of the same cut."""
        columns: dict[str, np.ndarray] = {}
        chosen: dict[str, float | None] = {}
        for index, name in enumerate(self.classes):
            place = best_threshold(self.ious[val, index])
            chosen[name] = None if place is None else THRESHOLDS[place]
            values = {column: one[test, index] for column, one in self.single.items()}
            for column, overlaps in (("heat_iou", self.ious[test, index]), ("heat_dice", self.dices[test, index])):
                values[column] = overlaps.mean(axis=1)
                values[f"{column}_chosen"] = np.full(len(test), np.nan) if place is None else overlaps[:, place]
            columns |= {f"{column}:{name}": one.astype(np.float32) for column, one in values.items()}
        return columns, chosen


def heat_of(encoder: Encoder, text: TextFeatures, positive: Sequence[Sequence[int]]) -> Compare | str:
    """Return what makes heat maps of a method, [B, G, h, w], or in words why it has none.

    Of a method that queries an image with texts the attention of the class's texts, their mean; of others the cosine of
    the projected tokens with the class's text, the mean of its normalised positive prompts. A class token is left out.
    Neither depends on the other images of a batch.

    Args:
        text: of all texts that the method is asked.
        positive: the texts of each of the G classes.
    """
    scorer = encoder.scorer
    if isinstance(scorer, QueryScorer):

        def attended(features: Features) -> torch.Tensor:
            maps = scorer.attention(encoder, features, text)
            return torch.stack([maps[:, list(some)].mean(dim=1) for some in positive], dim=1)

        return attended
    if encoder.token_projection is None:
        return "it projects no local features into the space of its texts"
    embeddings = text.embedding.float().cpu().numpy()
    directions = np.stack([class_embedding(embeddings[list(some)]) for some in positive])
    towards = torch.from_numpy(directions).float().to(text.embedding.device)

    def cosines(features: Features) -> torch.Tensor:
        tokens = encoder.project_tokens(features)
        side = math.isqrt(tokens.shape[1])
        places = normalize(tokens[:, tokens.shape[1] - side**2 :], dim=-1)
        return (places @ towards.T).transpose(1, 2).unflatten(2, (side, side))

    return cosines


def ground(
    encoder: Encoder,
    compare: Compare,
    classes: tuple[str, ...],
    dataset: OpenDataset,
    rows: np.ndarray,
    spec: InputSpec,
    execution: Execution,
    advance: Advance,
) -> Found:
    """Compare the heat maps of images with their outlines.

    Outlines are brought to the encoder's square with their image, so that what a crop leaves out does not count; an
    image without an outline of a class does not count for it.

    Args:
        compare: of `heat_of`, for `classes`.
        rows: int [n], of images that have outlines.
    """
    samples, total = dataset.samples, len(dataset.samples.table)
    shape = (total, len(classes))
    cuts = (*shape, len(THRESHOLDS))
    found = Found(
        classes, {column: np.full(shape, np.nan) for column in SINGLE}, np.full(cuts, np.nan), np.full(cuts, np.nan)
    )
    layers = [samples.mask_classes.index(name) for name in classes]
    names, sizes = samples.table["sample"].to_numpy(), dataset.pixels.original_shapes
    for batch, heats in compared(encoder, compare, dataset.pixels, rows, spec, execution, advance):
        for row, heat in zip(batch, heats, strict=True):
            masks = prepare_masks([samples.masks(names[row], *map(int, sizes[row]))[layers]], spec)[0]
            for index, (one, mask) in enumerate(zip(heat, masks, strict=True)):
                fit = grounding(one, mask)
                for column, measure in SINGLE.items():
                    found.single[column][row, index] = measure(fit)
                found.ious[row, index], found.dices[row, index] = fit.ious, fit.dices
    return found


def outlined(dataset: OpenDataset, classes: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Return the rows of images on which one of the classes is outlined."""
    names, regions = dataset.samples.table["sample"].to_numpy(), dataset.samples.regions
    wanted = set(classes)
    return rows[[any(region.label in wanted for region in regions.get(names[row], ())) for row in rows]]
