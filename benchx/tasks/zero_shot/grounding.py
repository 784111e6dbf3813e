"""Heat maps of where a method finds each class, against what is outlined, at the square that the encoder sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from benchx.encoding import Execution
from benchx.images.masks import prepare_masks
from benchx.images.spec import InputSpec
from benchx.methods.scorers.medklip import MedKLIP
from benchx.metrics.grounding import THRESHOLDS, best_threshold, grounding
from benchx.metrics.zero_shot import class_embedding
from benchx.progress import Advance
from benchx.tasks.zero_shot.comparing import Compare, compared
from benchx.workspace import OpenDataset

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures


@dataclass(frozen=True)
class Found:
    """How the heat maps of all images of a dataset fit its outlines; NaN where there is none.

    Attributes:
        classes: the G classes that are outlined and were asked about.
        pointing, contrast: [N, G].
        ious: [N, G, 9], at the thresholds of `benchx.metrics.grounding`.
    """

    classes: tuple[str, ...]
    pointing: np.ndarray
    ious: np.ndarray
    contrast: np.ndarray

    def columns(self, test: np.ndarray, val: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float | None]]:
        """Return the columns of a fold's test cases, float32 [n] each, and the threshold that each class's
        validation outlines chose."""
        columns: dict[str, np.ndarray] = {}
        chosen: dict[str, float | None] = {}
        for index, name in enumerate(self.classes):
            place = best_threshold(self.ious[val, index])
            chosen[name] = None if place is None else THRESHOLDS[place]
            ious = self.ious[test, index]
            values = {
                "pointing": self.pointing[test, index],
                "heat_iou": ious.mean(axis=1),
                "heat_iou_chosen": np.full(len(test), np.nan) if place is None else ious[:, place],
                "heat_cnr": self.contrast[test, index],
            }
            columns |= {f"{column}:{name}": one.astype(np.float32) for column, one in values.items()}
        return columns, chosen


def heat_of(encoder: Encoder, text: TextFeatures, positive: Sequence[Sequence[int]]) -> Compare | str:
    """Return what makes heat maps of a method, [B, G, h, w], or in words why it has none.

    MedKLIP's cross-attention of the class's query; of other methods the cosine of the projected tokens
    with the class's text, the mean of its normalised positive prompts. A class token is left out.

    Args:
        text: of all texts that the method is asked.
        positive: the texts of each of the G classes.
    """
    scorer = encoder.scorer
    if isinstance(scorer, MedKLIP):
        queries = [some[0] for some in positive]
        return lambda features: scorer.attention(encoder, features, text)[:, queries]
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
    found = Found(classes, np.full(shape, np.nan), np.full((*shape, len(THRESHOLDS)), np.nan), np.full(shape, np.nan))
    layers = [samples.mask_classes.index(name) for name in classes]
    names, sizes = samples.table["sample"].to_numpy(), dataset.pixels.original_shapes
    for batch, heats in compared(encoder, compare, dataset.pixels, rows, spec, execution, advance):
        for row, heat in zip(batch, heats, strict=True):
            masks = prepare_masks([samples.masks(names[row], *map(int, sizes[row]))[layers]], spec)[0]
            for index, (one, mask) in enumerate(zip(heat, masks, strict=True)):
                fit = grounding(one, mask)
                found.pointing[row, index], found.contrast[row, index] = fit.pointing, fit.contrast_to_noise
                found.ious[row, index] = fit.ious
    return found


def outlined(dataset: OpenDataset, classes: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Return the rows of images on which one of the classes is outlined."""
    names, regions = dataset.samples.table["sample"].to_numpy(), dataset.samples.regions
    wanted = set(classes)
    return rows[[any(region.label in wanted for region in regions.get(names[row], ())) for row in rows]]
