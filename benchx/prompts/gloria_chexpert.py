"""GLoRIA's prompts for five classes of CheXpert (Huang et al., ICCV 2021): every combination of three lists of phrases.

The phrases, their order and their spelling are CHEXPERT_CLASS_PROMPTS of gloria/constants.py in marshuang80/gloria
(commit 416466a); MedCLIP and BenchX use the same. For effusion the place stands
before the subtype there, and one subtype is listed twice.
"""

from __future__ import annotations

import itertools
import random

_LUNG = ("at the right lung base", "at the left lung base")

PHRASES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "Atelectasis": (
        ("", "mild", "minimal"),
        tuple(
            f"{kind} atelectasis"
            for kind in ("subsegmental", "linear", "trace", "bibasilar", "retrocardiac", "bandlike", "residual")
        ),
        (
            "at the mid lung zone",
            "at the upper lung zone",
            "at the right lung zone",
            "at the left lung zone",
            "at the lung bases",
            *_LUNG,
            "at the bilateral lung bases",
            "at the left lower lobe",
            "at the right lower lobe",
        ),
    ),
    "Cardiomegaly": (
        ("",),
        (
            "cardiac silhouette size is upper limits of normal",
            "cardiomegaly which is unchanged",
            "mildly prominent cardiac silhouette",
            "portable view of the chest demonstrates stable cardiomegaly",
            "portable view of the chest demonstrates mild cardiomegaly",
            "persistent severe cardiomegaly",
            "heart size is borderline enlarged",
            "cardiomegaly unchanged",
            "heart size is at the upper limits of normal",
            "redemonstration of cardiomegaly",
            "ap erect chest radiograph demonstrates the heart size is the upper limits of normal",
            "cardiac silhouette size is mildly enlarged",
            "mildly enlarged cardiac silhouette, likely left ventricular enlargement. "
            "other chambers are less prominent",
            "heart size remains at mildly enlarged",
            "persistent cardiomegaly with prominent upper lobe vessels",
        ),
        ("",),
    ),
    "Consolidation": (
        ("", "increased", "improved", "apperance of"),
        tuple(
            f"{kind} consolidation"
            for kind in ("bilateral", "reticular", "retrocardiac", "patchy", "airspace", "partial")
        ),
        (
            "at the lower lung zone",
            "at the upper lung zone",
            "at the left lower lobe",
            "at the right lower lobe",
            "at the left upper lobe",
            "at the right uppper lobe",
            *_LUNG,
        ),
    ),
    "Edema": (
        ("", "mild", "improvement in", "presistent", "moderate", "decreased"),
        ("pulmonary edema", "trace interstitial edema", "pulmonary interstitial edema"),
        ("",),
    ),
    "Pleural Effusion": (
        ("", "small", "stable", "large", "decreased", "increased"),
        ("left", "right", "tiny"),
        ("bilateral pleural effusion", "subpulmonic pleural effusion", "bilateral pleural effusion"),
    ),
}
"""Three lists of phrases per class, in the order in which a prompt takes one of each."""


def drawn_prompts(per_class: int, seed: int) -> dict[str, tuple[str, ...]]:
    """Draw prompts for all five classes.

    One generator draws class after class, as the official code does after its `random.seed(6)`, so that a class's
    prompts do not depend on which classes a dataset has. Blanks at the ends and double ones, which no tokenizer sees,
    are left out.

    Args:
        per_class: prompts of each class, without replacement; all of them, in order, where there are no more
            (MedCLIP's rule; GLoRIA's code fails there).
        seed: of Python's generator.
    """
    generator = random.Random(seed)
    drawn = {}
    for name, lists in PHRASES.items():
        prompts = [" ".join(filter(None, phrases)) for phrases in itertools.product(*lists)]
        drawn[name] = tuple(prompts if per_class >= len(prompts) else generator.sample(prompts, per_class))
    return drawn
