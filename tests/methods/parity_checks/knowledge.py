"""What the official code gave for MeDSLIP and KAD, and where it is in ours."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import normalize

from benchx.methods.scorers.medslip import MeDSLIP
from benchx.methods.scorers.queries import Answers
from benchx.methods.text.base import TextFeatures
from parity_checks.run import Check, Run

PNEUMONIA = 20


def book(seed: int, count: int) -> TextFeatures:
    """The embeddings of the findings (seed 2) and of the anatomy (seed 3) in the parity run."""
    drawn = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, 768)).astype(np.float32))
    return TextFeatures(drawn, drawn)


def findings(run: Run) -> Answers:
    return scorer(run).answers(run.encoder, run.found, book(2, 75))


def anatomy(run: Run) -> Answers:
    return scorer(run).anatomy_answers(run.encoder, run.found, book(3, 51))


def scorer(run: Run) -> MeDSLIP:
    assert isinstance(run.encoder.scorer, MeDSLIP)
    return run.encoder.scorer


def located(run: Run) -> torch.Tensor:
    return scorer(run).located_attention(run.encoder, run.found, book(2, 75), book(3, 51))


# MeDSLIP's grounding_sample_* are of another network, which its file does not fill: see test_medslip.py.
CHECKS: dict[str, dict[str, Check]] = {
    "medslip": {
        "pooled_layer3": lambda run: run.found.pooled,
        "map_slice": lambda run: run.found.maps[2][:, :4],
        "patch_pathology_mean": lambda run: run.encoder.project_tokens(run.found).mean(1),
        "patch_pathology_first": lambda run: run.encoder.project_tokens(run.found)[:, 0],
        "patch_pathology_last": lambda run: run.encoder.project_tokens(run.found)[:, -1],
        "patch_anatomy_mean": lambda run: run.encoder.project_anatomy_tokens(run.found).mean(1),
        "patch_anatomy_last": lambda run: run.encoder.project_anatomy_tokens(run.found)[:, -1],
        "logits": lambda run: findings(run).logits,
        "prob": lambda run: run.encoder.similarity(run.found, book(2, 75)),
        "logits_anatomy": lambda run: anatomy(run).logits,
        "ap_logits_slice": lambda run: anatomy(run).states[:, :4] @ findings(run).states.transpose(1, 2),
        "attn_pathology_mean": lambda run: findings(run).attention[:, :3],
        "attn_anatomy_mean": lambda run: anatomy(run).attention[:, :3],
        "attn_pneumonia": lambda run: (
            scorer(run).attention(run.encoder, run.found, book(2, 75))[:, PNEUMONIA].flatten(1)
        ),
        "attn_pneumonia_times_anatomy": lambda run: located(run)[:, PNEUMONIA].flatten(1),
    },
    "kad": {
        "pooled": lambda run: run.found.pooled,
        "proj": lambda run: run.encoder.project(run.found),
        "itc_sim": lambda run: normalize(run.encoder.project(run.found)) @ normalize(run.text.embedding).T,
    },
}
