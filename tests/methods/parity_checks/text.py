"""What the official code gave for the text towers, and where it is in ours."""

from __future__ import annotations

import numpy as np
import torch
from official_files import PARITY
from torch.nn.functional import normalize

from benchx.methods.text.base import TextFeatures
from parity_checks.run import Check, Run


def pieced(run: Run) -> TextFeatures:
    """The official run had a vocabulary of its own, in which every third id went on a word."""
    ids, mask = (torch.from_numpy(run.expected[name]) for name in ("text_ids", "text_mask"))
    return run.encoder.read_tokens(ids, mask, ids % 3 == 0)


PROJECTED: dict[str, Check] = {
    "text_proj": lambda run: run.text.embedding,
    "text_proj_l2": lambda run: normalize(run.text.embedding, dim=-1),
}

COSINE: dict[str, Check] = {"sim": lambda run: run.encoder.similarity(run.found, run.text)}


def cxr_bert_similarity(run: Run) -> torch.Tensor:
    """BioViL's cosine with the texts of CXR-BERT's own run."""
    texts = np.load(PARITY / "expected" / "cxr_bert.npz")["proj"]
    return run.encoder.similarity(run.found, torch.from_numpy(texts))


CHECKS: dict[str, dict[str, Check]] = {
    "gloria": {
        "text_global": lambda run: pieced(run).embedding,
        "text_word": lambda run: pieced(run).words.transpose(1, 2),
        "cap_lens": lambda run: pieced(run).word_mask.sum(dim=1),
    },
    "medclip-vit": {
        "text_emb_l2": lambda run: normalize(run.text.embedding, dim=-1),
        "logits": lambda run: run.encoder.similarity(run.found, run.text),
    },
    "mgca-vit": {
        "report_feat": lambda run: pieced(run).pooled,
        "report_emb": lambda run: pieced(run).embedding,
        "report_emb_l2": lambda run: normalize(pieced(run).embedding, dim=-1),
        "sim": lambda run: run.encoder.similarity(run.found, pieced(run)),
    },
    "convirt-edreis": {
        "text_pooled": lambda run: run.text.pooled,
        "text_proj": lambda run: run.text.embedding,
        **COSINE,
    },
    "cxr-bert": {
        "cls_hidden": lambda run: run.text.pooled,
        "proj": lambda run: run.text.embedding,
        "proj_l2": lambda run: normalize(run.text.embedding, dim=-1),
    },
    "biovil": {"sim": cxr_bert_similarity},
    "biomedclip": {**PROJECTED, **COSINE},
    "clip-vit-b16": {**PROJECTED, **COSINE},
    "clip-vit-b32": {**PROJECTED, **COSINE},
}
