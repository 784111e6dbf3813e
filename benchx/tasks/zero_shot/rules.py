"""The rules by which similarities become scores: one for every method, and the official one of each.

Official are the rules of the methods' own zero-shot code. Methods whose authors published none are scored as BenchX
scores them (`blocks/zeroshot` of its code), which is GLoRIA's rule on the method's own similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchx.metrics.zero_shot import (
    class_embedding,
    common_scores,
    over_prompts,
    presence_probability,
    unit,
    whole_and_local_probability,
)

if TYPE_CHECKING:
    from benchx.methods.cards.schema import Card

Columns = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Rule:
    """How a class is scored.

    Attributes:
        title: for the record.
        reads: what is compared: the `embedding`s of images and texts, the method's own `similarity`, or whole images
            and their patches with `concepts`.
        standardised: which classes are brought to mean 0 and deviation 1 over images: none, those without negative
            prompts (`unopposed`), or all.
        asks: whether the method is asked the prompts of the suite, or texts of its own: sentences on 75 `observations`,
            or the `names` of the classes. It is asked the descriptions of a suite in their place.
        vies: whether a class is weighed against the others where no text says that it is absent.
    """

    title: str
    reads: Literal["embedding", "similarity", "concepts"]
    standardised: Literal["none", "unopposed", "all"] = "none"
    asks: Literal["prompts", "observations", "names"] = "prompts"
    vies: bool = False

    def standardises(self, negative: Columns) -> np.ndarray:
        """Return bool [C]: which classes are standardised."""
        unopposed = np.array([not some for some in negative])
        return unopposed if self.standardised == "unopposed" else np.full(len(negative), self.standardised == "all")


COMMON = Rule("common: cosine with presence minus cosine with absence", "embedding", standardised="unopposed")
BEST = Rule("the best positive prompt", "similarity", standardised="all")
MEAN = Rule("the mean of the positive prompts", "similarity")
PRESENCE = Rule("softmax of the cosines with presence and absence", "embedding")
BIOVIL = Rule("softmax of the cosines with presence and absence, prompts averaged before normalising", "embedding")
QUERIES = Rule("the probability that the method's own query is answered with", "similarity", asks="observations")
NAMES = Rule("the probability that the name of the class is answered with", "similarity", asks="names")

COSINE = Rule("cosine with presence minus cosine with absence, without logit scale", "embedding")
CONCEPTS = Rule(
    "half the softmax of whole images, half that of the 128 patches nearest to the name", "concepts", vies=True
)
SHARES = Rule("the share of the class's prompt among those of all classes", "similarity", vies=True)

OFFICIAL = {
    "biovil": BIOVIL,
    "biovil-t": BIOVIL,
    "biomedclip": PRESENCE,
    "chexzero": PRESENCE,
    "clip-rn50": PRESENCE,
    "clip-vit-b16": PRESENCE,
    "clip-vit-b32": PRESENCE,
    "conceptclip": CONCEPTS,
    "gloria": BEST,
    "kad": NAMES,
    "medclip-resnet50": MEAN,
    "medclip-vit": MEAN,
    "medklip": QUERIES,
    "medslip": QUERIES,
    "prior": SHARES,
    "unimed-b16": COSINE,
    "unimed-l14-base-text": COSINE,
    "unimed-l14-large-text": COSINE,
}
"""By the name of a card. CLIP and BiomedCLIP: their softmax over candidate texts, the candidates being presence and
absence; their logit scale changes no order and is left out, as in CheXzero."""

BY_SCORER = {
    "conceptclip": CONCEPTS,
    "gloria": BEST,
    "kad": NAMES,
    "medklip": QUERIES,
    "medslip": QUERIES,
    "prior": SHARES,
}
"""For a card of another name, by its scorer; without an entry `BEST`."""


def rule_of(card: Card, scoring: Literal["common", "official"]) -> Rule:
    """Return the rule by which a method is scored."""
    if scoring == "common":
        return COMMON
    scorer = "" if card.scorer is None else card.scorer.name
    return OFFICIAL.get(card.name) or BY_SCORER.get(scorer, BEST)


def scores_of_embeddings(
    rule: Rule, images: np.ndarray, texts: np.ndarray, positive: Columns, negative: Columns
) -> np.ndarray:
    """Return the scores [N, C] of a rule that reads embeddings.

    A class without negative prompts has its cosine alone.

    Args:
        images: [N, P].
        texts: [T, P].
        positive, negative: the texts of each class.
    """
    present = [texts[list(some)] for some in positive]
    absent = [texts[list(some)] if some else None for some in negative]
    if rule in (COMMON, COSINE):
        return common_scores(images, present, absent)
    directions, columns = unit(images), []
    for some, others in zip(present, absent, strict=True):
        cosine = directions @ class_embedding(some, normalised=rule != BIOVIL)
        if others is not None:
            cosine = presence_probability(cosine, directions @ class_embedding(others, normalised=rule != BIOVIL))
        columns.append(cosine)
    return np.stack(columns, axis=1)


def scores_of_similarities(rule: Rule, similarities: np.ndarray, positive: Columns) -> np.ndarray:
    """Return the scores [N, C] of a rule that reads the method's own similarity [N, T]; absence is not asked."""
    return over_prompts(similarities, positive, "mean" if rule == MEAN else "max")


def scores_of_concepts(whole: np.ndarray, local: np.ndarray, classes: int) -> np.ndarray:
    """Return the scores [N, C] of a rule that reads concepts.

    Args:
        whole, local: logits [N, K]; K = C: every class against the others; K = 2 C: the presence of every class, then
            the absence of every class, each against its own.
    """
    if whole.shape[1] == classes:
        return whole_and_local_probability(whole, local)
    opposed = (logits.reshape(len(logits), 2, classes).swapaxes(1, 2) for logits in (whole, local))
    return whole_and_local_probability(*opposed)[..., 0]
