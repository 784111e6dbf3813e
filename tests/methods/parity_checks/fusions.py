"""What the official code gave for the methods that read images and texts together, and where it is in ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from benchx.methods.coattention import enter
from benchx.methods.encoders.base import Features
from benchx.methods.fusion.arl import ARL
from benchx.methods.fusion.m3ae import M3AE
from benchx.methods.keyed_init import seeded_images
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.entities import tokens_named
from parity_checks.run import Check, Run


def fused(run: Run) -> torch.Tensor:
    return run.encoder.fuse(run.found, run.text)


def pick(features: Features, rows: list[int]) -> Features:
    assert features.tokens is not None
    return replace(features, pooled=features.pooled[rows], tokens=features.tokens[rows], maps=())


def every_pair(run: Run) -> torch.Tensor:
    """The scores of both images (rows) with both texts, read as one batch of four pairs."""
    text = TextFeatures(*(part[[0, 1, 0, 1]] for part in (run.text.pooled, run.text.embedding)),
                        *(part[[0, 1, 0, 1]] for part in (run.text.words, run.text.word_mask)))  # fmt: skip
    return run.encoder.match(pick(run.found, [0, 0, 1, 1]), text).unflatten(0, (2, 2))


def last_layers(run: Run) -> list[torch.Tensor]:
    """What the last layers give of words and of patches, before the poolers."""
    found: list[torch.Tensor] = []
    fusion = run.encoder.fusion
    assert isinstance(fusion, M3AE)
    hooks = [
        side.layers[-1].register_forward_hook(lambda layer, given, gave: found.append(gave))
        for side in (fusion.language, fusion.vision)
    ]
    fused(run)
    for hook in hooks:
        hook.remove()
    return found


def projected(run: Run) -> torch.Tensor:
    """The class token of the image as it enters the fusion, before the embedding of its kind."""
    assert isinstance(run.encoder.fusion, M3AE)
    return run.encoder.fusion.vision.proj(run.found.pooled)


def entering(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
    """Words and patches as they enter the fusion, with the embedding of their kind."""
    fusion = run.encoder.fusion
    assert isinstance(fusion, ARL)
    return enter(fusion.language, fusion.vision, fusion.modality_type_embeddings, run.text.words, run.found.tokens)


def matching_logits(run: Run) -> torch.Tensor:
    assert isinstance(run.encoder.fusion, M3AE)
    return run.encoder.fusion.itm_head(fused(run))


def enlarged(run: Run) -> Features:
    """The images of 384 px; what the encoder saw at its own size is computed first and kept."""
    assert run.found.tokens is not None
    run.encoder.resize(384)
    return run.encoder.encode(seeded_images(384))


def positions(run: Run) -> torch.Tensor:
    enlarged(run)
    return run.encoder.trunk.pos_embed[0, :, :8]


def answered(run: Run, features: torch.Tensor) -> torch.Tensor:
    assert run.encoder.fusion is not None
    return run.encoder.fusion.answer(features)


def spans(run: Run) -> torch.Tensor:
    """The official run's matrix of tokens as first and last ones."""
    ids, matrix = (run.expected[name] for name in ("ent_ids", "pos_matrix"))
    found = torch.full((*ids.shape, 3), -100)
    for row, place in zip(*np.nonzero(ids >= 0), strict=True):
        named = np.flatnonzero(matrix[row, place])
        found[row, place] = torch.tensor([ids[row, place], named[0], named[-1]])
    assert np.array_equal(tokens_named(found, matrix.shape[2]).numpy(), matrix.astype(bool))
    return found


def entities(run: Run, *, none: bool = False) -> TextFeatures:
    return replace(run.text, entities=torch.full((2, 24, 3), -100) if none else spans(run))


def knowing(run: Run, *, none: bool = False) -> torch.Tensor:
    return run.encoder.fuse(run.found, entities(run, none=none))


def graph(run: Run) -> torch.Tensor:
    assert isinstance(run.encoder.fusion, ARL)
    return run.encoder.fusion.graph()


IMAGE: dict[str, Check] = {
    "pooled": lambda run: run.found.pooled,
    "patch_mean": lambda run: run.found.tokens[:, 1:].mean(1),
}

CHECKS: dict[str, dict[str, Check]] = {
    "m3ae": {
        **IMAGE,
        "tokens_slice": lambda run: run.found.tokens[..., :4],
        "text_cls_unimodal": lambda run: run.text.pooled,
        "text_tokens_slice": lambda run: run.text.words[..., :8],
        "proj_cls": projected,
        "mm_text_slice": lambda run: last_layers(run)[0][..., :8],
        "mm_image_slice": lambda run: last_layers(run)[1][..., :4],
        "mm_cls": fused,
        "itm_logits": matching_logits,
        "irtr_scores": every_pair,
        "cls_384": lambda run: enlarged(run).pooled,
        "patch_mean_384": lambda run: enlarged(run).tokens[:, 1:].mean(1),
        "mm_cls_384": lambda run: run.encoder.fuse(enlarged(run), run.text),
        "pos_embed_384_slice": positions,
    },
    "m3ae-vqa-rad": {
        "pooled": lambda run: run.found.pooled,
        "mm_cls": fused,
        "vqa_logits": lambda run: answered(run, fused(run)),
    },
    "arl-vqa-rad": {
        **IMAGE,
        "unimodal_image_proj_cls": lambda run: entering(run)[1][:, 0],
        "unimodal_text_proj_cls": lambda run: entering(run)[0][:, 0],
        "graph_embeddings": graph,
        "mm_cls": knowing,
        "vqa_logits": lambda run: answered(run, knowing(run)),
        "mm_cls_no_entities": lambda run: knowing(run, none=True),
        "vqa_logits_no_entities": lambda run: answered(run, knowing(run, none=True)),
    },
}
