"""Zero-shot classification: scores of classes from images and prompts, thresholds from validation, and what they give.

C classes, N images, embeddings of D numbers. Nothing here is learnt from labels but a threshold per class, and
that from validation cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchx.metrics.classification import classification_scores


@dataclass(frozen=True)
class Spread:
    """Mean and population standard deviation of each class's scores, [C] each.

    Of validation images in the default; of the test images themselves in the transductive variant, in which a
    case's score depends on the other test cases (the official code of GLoRIA and BenchX).
    """

    mean: np.ndarray
    deviation: np.ndarray


def class_embedding(prompts: np.ndarray, *, normalised: bool = True) -> np.ndarray:
    """Return one embedding for several prompts, [D], of length 1.

    Args:
        prompts: [k, D], k >= 1.
        normalised: whether each prompt is brought to length 1 before the mean (CLIP, CheXzero), or not (BioViL).

    Raises:
        ValueError: there is no prompt, or an embedding is zero or not finite.
    """
    if prompts.ndim != 2 or len(prompts) == 0:
        raise ValueError(f"prompts {prompts.shape} must be [k, D] with k >= 1")
    return unit((unit(prompts) if normalised else np.asarray(prompts, np.float64)).mean(axis=0)[None])[0]


def common_scores(
    images: np.ndarray, positive: Sequence[np.ndarray], negative: Sequence[np.ndarray | None]
) -> np.ndarray:
    """Score images by the rule that is the same for every method with embeddings of images and texts.

    A class's score is the cosine of the image with the mean of the normalised positive prompts, minus that with the
    mean of the normalised negative ones; the cosine alone where the class has no negative prompt.

    Args:
        images: [N, D].
        positive: C arrays [k, D].
        negative: C arrays [k, D] or None.

    Returns:
        float64 [N, C], in [-2, 2].

    Raises:
        ValueError: as `class_embedding`.
    """
    columns = []
    directions = unit(images)
    for present, absent in zip(positive, negative, strict=True):
        score = directions @ class_embedding(present)
        columns.append(score if absent is None else score - directions @ class_embedding(absent))
    return np.stack(columns, axis=1)


def over_prompts(similarities: np.ndarray, columns: Sequence[Sequence[int]], how: Literal["max", "mean"]) -> np.ndarray:
    """Return one similarity per class: the best of its prompts (GLoRIA, BenchX) or their mean (MedCLIP).

    Args:
        similarities: [N, P] of images and prompts.
        columns: the prompts of each class, by number.

    Returns:
        float64 [N, C].

    Raises:
        ValueError: a class has no prompt.
    """
    if not all(len(some) for some in columns):
        raise ValueError("a class has no prompt")
    reduce = np.max if how == "max" else np.mean
    values = np.asarray(similarities, np.float64)
    return np.stack([reduce(values[:, list(some)], axis=1) for some in columns], axis=1)


def presence_probability(positive: np.ndarray, negative: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Return the softmax over presence and absence: e^(s p) / (e^(s p) + e^(s n)).

    CheXzero's rule (Tiu et al. 2022; `run_softmax_eval` of its zero_shot.py) on cosines, with scale 1: its code does
    not apply the pretrained logit scale, so that its probabilities lie between 0.12 and 0.88.

    Args:
        positive, negative: [N, C], similarities with the prompts of each.
        scale: factor on both.

    Returns:
        float64 [N, C], in [0, 1].
    """
    from scipy.special import expit

    return expit(scale * (np.asarray(positive, np.float64) - np.asarray(negative, np.float64)))


def whole_and_local_probability(whole: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Return the mean of two softmaxes over the last axis: of whole images and of their places.

    ConceptCLIP's rule (Nie et al. 2025; `zero_shot.py` of its code).

    Args:
        whole, local: logits [..., K].

    Returns:
        float64 [..., K], in [0, 1], sum 1.
    """
    from scipy.special import softmax

    return (softmax(np.asarray(whole, np.float64), axis=-1) + softmax(np.asarray(local, np.float64), axis=-1)) / 2


def spread(scores: np.ndarray) -> Spread:
    """Return mean and standard deviation of scores [N, C].

    Raises:
        ValueError: there is no case.
    """
    if scores.ndim != 2 or len(scores) == 0:
        raise ValueError(f"scores {scores.shape} must be [N, C] with N >= 1")
    values = np.asarray(scores, np.float64)
    return Spread(values.mean(axis=0), values.std(axis=0))


def standardised(scores: np.ndarray, by: Spread) -> np.ndarray:
    """Return scores [N, C] in standard deviations from the mean; a class without any deviation is centred alone.

    This changes no order within a class, so neither AUROC nor F1 at a threshold chosen in the same way, but makes
    classes comparable with each other: `top_1` is what it is for.
    """
    return (np.asarray(scores, np.float64) - by.mean) / np.where(by.deviation > 0, by.deviation, 1)


def best_f1_threshold(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the threshold with the best F1 on validation cases; a case is called when its score is greater.

    The threshold lies halfway between the lowest score that is called and the next lower one; where calling every
    case is best, just below the lowest score, by a step of float32, in which tables hold scores. Among thresholds of
    equal F1 it is the lowest: more is called.

    Args:
        scores: [N] of validation cases.
        labels: [N] in {0, 1, NaN}; NaN does not count.

    Returns:
        The threshold; None where the valid cases do not hold both values, and then every F1 would be 1 or 0.

    Raises:
        ValueError: shapes differ, a label is another value, or the score of a valid case is not finite.
    """
    scores, labels = _valid(scores, labels)
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        return None
    distinct, group = np.unique(scores, return_inverse=True)
    found = np.bincount(group, weights=labels)[::-1].cumsum()[::-1]
    called = np.bincount(group)[::-1].cumsum()[::-1]
    f1 = 2 * found / (called + positives)
    lowest = int(np.argmax(f1))
    if lowest == 0:
        return float(np.nextafter(np.float32(distinct[0]), np.float32(-np.inf)))
    below, above = float(distinct[lowest - 1]), float(distinct[lowest])
    middle = below + (above - below) / 2
    return middle if middle < above else below


def thresholds(scores: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """Return `best_f1_threshold` of every class of [N, C]."""
    return [best_f1_threshold(*one) for one in zip(scores.T, labels.T, strict=True)]


def calls(scores: np.ndarray, chosen: Sequence[float | None]) -> np.ndarray:
    """Return which cases are called, each class at its own threshold.

    Args:
        scores: [N, C].
        chosen: C thresholds.

    Returns:
        float64 [N, C]: 1 = score above the threshold, 0 = not, NaN = the class has no threshold.
    """
    values = np.asarray(scores, np.float64)
    limits = np.array([np.nan if one is None else one for one in chosen])
    return np.where(np.isnan(limits), np.nan, values > limits)


def call_outcomes(called: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return true positives, false positives, false negatives and true negatives, case by case.

    Args:
        called, labels: [N, C] in {0, 1, NaN}.

    Returns:
        float64 [N, C, 4] of 0 and 1; all 0 where either is NaN.
    """
    pairs = [(1, 1), (1, 0), (0, 1), (0, 0)]
    return np.stack([(called == call) & (labels == label) for call, label in pairs], axis=-1).astype(np.float64)


def call_f1(counts: np.ndarray) -> np.ndarray:
    """Return F1 from sums of `call_outcomes`, [..., 4] -> [...]; NaN where there is no positive or no negative."""
    hits, false, missed, _ = np.moveaxis(counts, -1, 0)
    return _where_both(counts, 2 * hits, 2 * hits + false + missed)


def call_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return accuracy from sums of `call_outcomes`, [..., 4] -> [...]; NaN where there is no positive or negative."""
    return _where_both(counts, counts[..., 0] + counts[..., 3], counts.sum(axis=-1))


def macro(per_class: np.ndarray) -> np.ndarray:
    """Return the mean of the classes that are not NaN, [..., C] -> [...]; NaN where there is none."""
    known = ~np.isnan(per_class)
    total, count = np.where(known, per_class, 0).sum(axis=-1), known.sum(axis=-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def zero_shot_scores(
    scores: np.ndarray, labels: np.ndarray, classes: Sequence[str], called: np.ndarray
) -> dict[str, Any]:
    """Score a test set.

    Args:
        scores: [N, C].
        labels: [N, C] in {0, 1, NaN}.
        classes: the C names.
        called: [N, C] of `calls`.

    Returns:
        What `benchx.metrics.classification.classification_scores` returns, and: per class `f1` and `accuracy`
        (None without a positive, a negative or a threshold); their means over the classes that have them,
        `macro_f1` and `macro_accuracy`; `top_1`.

    Raises:
        ValueError: as there.
    """
    result = classification_scores(scores, labels, classes)
    counts = call_outcomes(called, labels).sum(axis=0)
    for metric, values in {"f1": call_f1(counts), "accuracy": call_accuracy(counts)}.items():
        for name, value in zip(classes, values, strict=True):
            result["per_class"][name][metric] = known_or_none(value)
        result[f"macro_{metric}"] = known_or_none(macro(values))
    return result | {"top_1": top_1(scores, labels)}


def top_1(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Return how often the one class that a case has is scored highest; a tie for the highest place is an error.

    The accuracy of 5x200 sets (GLoRIA, MedCLIP).

    Returns:
        In [0, 1]; None unless there are two classes or more and every case has exactly one of them, all labels known.
    """
    labels = np.asarray(labels, np.float64)
    if labels.shape[0] == 0 or labels.shape[1] < 2 or not ((labels == 1).sum(1) == 1).all() or np.isnan(labels).any():
        return None
    rows, true = np.arange(len(labels)), labels.argmax(axis=1)
    others = np.where(labels == 1, -np.inf, scores).max(axis=1)
    return float((np.asarray(scores)[rows, true] > others).mean())


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors [n, D] at length 1, as float64.

    Raises:
        ValueError: one is zero or not finite.
    """
    values = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("an embedding is zero or not finite")
    return values / lengths


def known_or_none(value: float | np.ndarray) -> float | None:
    """Return a number, or None for NaN."""
    return None if np.isnan(value) else float(value)


def _where_both(counts: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    hits, false, missed, right = np.moveaxis(counts, -1, 0)
    both = (hits + missed > 0) & (false + right > 0)
    return np.asarray(np.where(both, part / np.where(both, whole, 1), np.nan))


def _valid(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if scores.shape != labels.shape or labels.ndim != 1:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} do not match")
    valid = ~np.isnan(labels)
    scores, labels = scores[valid], labels[valid]
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")
    if not np.isfinite(scores).all():
        raise ValueError("a score is NaN or infinite")
    return scores, labels
