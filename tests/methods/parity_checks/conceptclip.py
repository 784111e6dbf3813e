"""What the official code gave for ConceptCLIP, and where it is in ours."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from benchx.methods.scorers.conceptclip import ConceptCLIP, concept
from parity_checks.run import Check, Run


def scorer(run: Run) -> ConceptCLIP:
    assert isinstance(run.encoder.scorer, ConceptCLIP)
    return run.encoder.scorer


def scale_and_bias(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
    own = scorer(run)
    assert own.logit_scale is not None
    assert own.logit_bias is not None
    return own.logit_scale.exp(), own.logit_bias


def cosines(run: Run) -> torch.Tensor:
    scale, bias = scale_and_bias(run)
    return (run.encoder.similarity(run.found, run.text) - bias) / scale


def whole(run: Run) -> torch.Tensor:
    return scorer(run).whole(run.encoder, run.found, normalize(run.text.embedding))


def concepts(run: Run) -> torch.Tensor:
    """The directions of the spans of both texts, -1 where a span is shorter."""
    spans = [[place for place in span if place >= 0] for span in run.expected["local_spans"].tolist()]
    found = [concept(run.text, [row], [span]) for row, span in enumerate(spans)]
    return torch.stack([one for one in found if one is not None])


def local(run: Run) -> torch.Tensor:
    return scorer(run).local(run.encoder, run.found, concepts(run))


def concept_annotation_logits(run: Run) -> torch.Tensor:
    """Concept annotation's local logits: every patch with the last token, padding or not."""
    patches = normalize(run.encoder.project_tokens(run.found), dim=-1)
    last = normalize(run.text.words[:, -1], dim=-1)
    return scorer(run).concept_logit_scale.exp() * (patches @ last.T).mean(dim=1)


def fused(run: Run, places: torch.Tensor) -> torch.Tensor:
    return (whole(run).softmax(dim=1) + places.softmax(dim=1)) / 2


def last_hidden(run: Run) -> torch.Tensor:
    heard: list[torch.Tensor] = []
    handle = run.encoder.text.word_projection.register_forward_hook(lambda _, given, __: heard.append(given[0]))
    run.encoder.read_tokens(torch.from_numpy(run.expected["text_ids"]))
    handle.remove()
    return heard[0]


CHECKS: dict[str, dict[str, Check]] = {
    "conceptclip": {
        "pooled": lambda run: run.found.pooled,
        "proj_l2": lambda run: normalize(run.encoder.project(run.found)),
        "patch_mean": lambda run: run.found.tokens.mean(1),
        "patch_slice": lambda run: run.found.tokens[:, ::27, :8],
        "patch_proj_mean": lambda run: run.encoder.project_tokens(run.found).mean(1),
        "patch_proj_slice": lambda run: run.encoder.project_tokens(run.found)[:, ::27, :8],
        "text_pooled_proj": lambda run: run.text.embedding,
        "text_l2": lambda run: normalize(run.text.embedding),
        "text_token_slice": lambda run: last_hidden(run)[:, :, :4],
        "text_token_proj_slice": lambda run: run.text.words[:, ::4, :8],
        "sim": cosines,
        "logit_scale_exp": lambda run: scale_and_bias(run)[0],
        "logit_bias": lambda run: scale_and_bias(run)[1],
        "concept_logit_scale_exp": lambda run: scorer(run).concept_logit_scale.exp(),
        "concept_logit_bias": lambda run: scorer(run).concept_logit_bias,
        "sigmoid_logits": lambda run: run.encoder.similarity(run.found, run.text),
        "zs_global_logits": whole,
        "zs_local_logits": local,
        "concept_local_logits": concept_annotation_logits,
        "zs_global": lambda run: whole(run).softmax(dim=1),
        "zs_local_top128": lambda run: local(run).softmax(dim=1),
        "zs_fused": lambda run: fused(run, local(run)),
        "concept_annotation": lambda run: fused(run, concept_annotation_logits(run)),
    }
}
