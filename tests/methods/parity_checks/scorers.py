"""What the official code gave for the similarities that are more than a cosine, and where it is in ours."""

from __future__ import annotations

from typing import Any

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


def medklip_inside(run: Run, part: str) -> Any:
    """What a part of MedKLIP's scorer gives when the queries are asked."""
    heard: list[Any] = []
    assert run.encoder.scorer is not None
    handle = run.encoder.scorer.get_submodule(part).register_forward_hook(lambda _, __, given: heard.append(given))
    run.encoder.similarity(run.found, medklip_queries())
    handle.remove()
    return heard[0]


# GLoRIA's sim_local_caplen15, where padding counts as words, is 0 throughout: an absent word has cosine 0.
CHECKS: dict[str, dict[str, Check]] = {
    "gloria": {
        "sim_global": lambda run: run.encoder.similarity(run.found, pieced(run).embedding),
        "sim_local": gloria_local,
        "sim_both": lambda run: run.encoder.similarity(run.found, pieced(run)),
    },
    "medklip": {
        "prob": lambda run: run.encoder.similarity(run.found, medklip_queries()),
        "logits": lambda run: medklip_inside(run, "classifier"),
        "query_out_slice": lambda run: medklip_inside(run, "decoder.norm")[..., :8],
        "attn_last": lambda run: medklip_inside(run, "decoder.layers.3.multihead_attn")[1][:, :3],
        "attn_mean": medklip_attention,
    },
}
