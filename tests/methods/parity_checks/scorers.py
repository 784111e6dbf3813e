"""What the official code gave for the similarities that are more than a cosine, and where it is in ours."""

from __future__ import annotations

import numpy as np
import torch

from benchx.methods.scorers.gloria import local_similarity
from benchx.methods.scorers.medklip import MedKLIP
from benchx.methods.text.base import TextFeatures
from parity_checks.run import Check, Run
from parity_checks.text import pieced


def gloria_local(run: Run) -> torch.Tensor:
    text = pieced(run)
    return local_similarity(run.encoder.project_tokens(run.found), text.words, text.word_mask)


def medklip_queries() -> torch.Tensor:
    """The embeddings of the 75 observations in the parity run."""
    return torch.from_numpy(np.random.default_rng(2).standard_normal((75, 768)).astype(np.float32))


def medklip_attention(run: Run) -> torch.Tensor:
    assert isinstance(run.encoder.scorer, MedKLIP)
    queries = TextFeatures(medklip_queries(), medklip_queries())
    return run.encoder.scorer.attention(run.encoder, run.found, queries)[:, :3].flatten(2)


# GLoRIA's sim_local_caplen15, where padding counts as words, is 0 throughout: an absent word has cosine 0.
CHECKS: dict[str, dict[str, Check]] = {
    "gloria": {
        "sim_global": lambda run: run.encoder.similarity(run.found, pieced(run).embedding),
        "sim_local": gloria_local,
        "sim_both": lambda run: run.encoder.similarity(run.found, pieced(run)),
    },
    "medklip": {
        "prob": lambda run: run.encoder.similarity(run.found, medklip_queries()),
        "attn_mean": medklip_attention,
    },
}
