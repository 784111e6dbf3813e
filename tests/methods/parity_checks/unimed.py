"""What UniMed-CLIP's official code gave, and where it is in ours."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch.nn.functional import normalize

from benchx.methods.keyed_init import keyed_tensor
from parity_checks.run import Check, Run


def larger_positions(run: Run) -> torch.Tensor:
    """The position embeddings of a 24 x 24 grid."""
    encoder = deepcopy(run.encoder)
    encoder.resize(24 * encoder.patch_size)
    return encoder.trunk.pos_embed[0, :, :8]


def scale(run: Run) -> torch.Tensor:
    return keyed_tensor("module.logit_scale", ()).exp()


COMMON: dict[str, Check] = {
    "pooled": lambda run: run.found.pooled,
    "proj": lambda run: run.encoder.project(run.found),
    "proj_l2": lambda run: normalize(run.encoder.project(run.found), dim=-1),
    "text_cls": lambda run: run.text.pooled,
    "text_proj": lambda run: run.text.embedding,
    "text_proj_l2": lambda run: normalize(run.text.embedding, dim=-1),
    "sim": lambda run: run.encoder.similarity(run.found, run.text),
    # The README's demo: a softmax of the scaled cosines, the scale being no part of our similarity.
    "probs": lambda run: (scale(run) * run.encoder.similarity(run.found, run.text)).softmax(dim=-1),
}

CHECKS: dict[str, dict[str, Check]] = {
    "unimed-b16": {**COMMON, "pos_embed_24x24_slice": larger_positions},
    "unimed-l14-base-text": COMMON,
    "unimed-l14-large-text": COMMON,
}
