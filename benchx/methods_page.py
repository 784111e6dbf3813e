"""docs/methods.md, made from the cards: `python -m benchx.methods_page > docs/methods.md`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchx.methods.cards.reading import card_names, read_card
from benchx.methods.cards.schema import Card
from benchx.methods.cards.tags import AXES, tag_values
from benchx.methods.certificates import certificate_of
from benchx.reporting.markdown_text import escape
from benchx.resources import resource_dir
from benchx.tasks.zero_shot.rules import rule_of
from benchx.words import plural

GROUPS = {
    "fusion": "Fusion: an image and a text are read together",
    "queries": "Knowledge queries: every class is asked of the places of an image",
    "dual": "Dual encoders: an image tower and a text tower",
    "images": "Images alone",
    "texts": "Texts alone",
}
"""Headings by group, in the order of the page."""

USUAL_PAIRS = {
    "unimed-b16:clip-vit-b16": "CLIP of the same size; UniMed-CLIP's image tower starts from MetaCLIP",
    "chexzero:clip-vit-b32": "starts from it",
    "m3ae:clip-vit-b16": "the image tower starts from it",
    "ptunifier:clip-vit-b16": "the image tower starts from it",
    "arl-vqa-rad:clip-vit-b16": "the image tower starts from it",
    "m3ae-vqa-rad:m3ae": "fine-tuned from it",
    "rad-dino:timm:vit_base_patch14_dinov2.lvd142m": "starts from it",
    "gloria:imagenet-resnet50": "starts from ImageNet weights",
    "kad:imagenet-resnet50": "starts from ImageNet weights",
    "medclip-resnet50:imagenet-resnet50": "starts from ImageNet weights",
    "mflag:imagenet-resnet50": "starts from ImageNet weights",
    "mgca-resnet50:imagenet-resnet50": "starts from ImageNet weights",
    "mgca-vit:imagenet-vit-b16": "starts from ImageNet weights of another ViT-B/16",
    "prior:imagenet-resnet50": "starts from ImageNet weights",
}
"""What adapted methods are set against, and why."""

_INTRODUCTION = """\
Made from the cards in `baselines/` by `python -m benchx.methods_page`; do not edit. `benchx list methods --long` has
more of each, `benchx list methods --tag AXIS=VALUE` finds them by tag. Tags are those of the survey of CLIP in medical
imaging (arXiv:2312.07353). A certificate says how many figures were compared, the largest difference relative to a
figure's largest value, and what computed them. Exposure is what the pretraining saw, by dataset; results on those
datasets are marked †."""

_PAIRS = """\
Usual pairs for `benchx head-to-head --pairs ADAPTED:BASE`. None is a default: it takes any two methods with results.
`random:METHOD` is a base for every method with an image encoder, `imagenet-*` for those that have their backbone."""

_LINKABLE = re.compile(r"https://[\w.~:/?#&=%+-]+")


def methods_page() -> str:
    """Return the page: a table per group, a row per card that ships with benchx; what a card lacks is a dash."""
    cards = [card for card in map(read_card, card_names()) if card.folder == resource_dir("baselines")]
    parts = ["# Methods", _INTRODUCTION]
    for group, heading in GROUPS.items():
        rows = [_row(card) for card in cards if group_of(card) == group]
        if rows:
            parts += [f"## {heading}", _table(["method", "title", *AXES, "licence", *_WEIGHTS, *_PROOF], rows)]
    pairs = [[f"`{pair}`", escape(why)] for pair, why in USUAL_PAIRS.items()]
    parts += ["## Adapted methods and their bases", _PAIRS, _table(["pair", "why"], pairs)]
    return "\n\n".join(parts) + "\n"


def group_of(card: Card) -> str:
    """Return which of `GROUPS` a method belongs to: the first that it fits."""
    if card.fusion is not None:
        return "fusion"
    if card.encoder is None:
        return "texts"
    if card.text is None:
        return "images"
    return "dual" if rule_of(card, "official").asks == "prompts" else "queries"


_WEIGHTS = ("weights", "gated")
_PROOF = ("certificate", "exposure")


def _row(card: Card) -> list[str]:
    tags = (", ".join(tag_values(card.tags, axis)) for axis in AXES)
    texts = (card.title, *tags, card.licence)
    weights, gated = _weights(card), escape(card.weights.gated or "")
    return [f"`{card.name}`", *map(escape, texts), weights, gated, _certificate(card), escape(_exposure(card))]


def _weights(card: Card) -> str:
    if card.weights.seed is not None:
        return "random"
    if card.weights.package is not None:
        return escape(f"package {card.weights.package.distribution}")
    page = card.weights.page or ""
    return f"[page]({page})" if _LINKABLE.fullmatch(page) else escape(page)


def _certificate(card: Card) -> str:
    found = certificate_of(card)
    if found is None:
        return ""
    difference = f"{found.largest_difference:.0e}"
    return escape(f"{plural(found.figures, 'figure')} within {difference} of {found.origin}, {found.commit[:7]}")


def _exposure(card: Card) -> str:
    seen: dict[str, list[str]] = {}
    for one in card.exposure:
        seen.setdefault(one.dataset, []).append(one.what)
    return ", ".join(f"{dataset} ({', '.join(what)})" for dataset, what in seen.items())


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without padding, so that one row's change is one line's."""
    lines = [headers, ["---"] * len(headers), *([cell or "–" for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(methods_page(), end="")
