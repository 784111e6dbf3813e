"""What the official code gave for the ResNet encoders, and where it is in ours."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from parity_checks.run import Check


def grid(places: torch.Tensor) -> torch.Tensor:
    """Tokens of a square map as that map, [B, T, D] -> [B, D, side, side]."""
    side = int(places.shape[1] ** 0.5)
    return places.transpose(1, 2).unflatten(2, (side, side))


CHECKS: dict[str, dict[str, Check]] = {
    "medklip": {
        "pooled_layer3": lambda run: run.found.pooled,
        "map_slice": lambda run: run.found.maps[2][:, :4],
        "patch_emb_mean": lambda run: run.encoder.project_tokens(run.found).mean(1),
        "patch_emb_first": lambda run: run.encoder.project_tokens(run.found)[:, 0],
        "patch_emb_last": lambda run: run.encoder.project_tokens(run.found)[:, -1],
    },
    "gloria": {
        "pooled": lambda run: run.found.pooled,
        "proj_global": lambda run: run.encoder.project(run.found),
        "local_map_mean": lambda run: run.found.tokens.mean(1),
        "local_emb_mean": lambda run: run.encoder.project_tokens(run.found).mean(1),
        "local_emb_slice": lambda run: grid(run.encoder.project_tokens(run.found))[:, :4],
        "pooled_no_upsample": lambda run: run.found.maps[3].mean((2, 3)),
    },
    "imagenet-resnet50": {
        "pooled": lambda run: run.found.pooled,
        "layer1_mean": lambda run: run.found.maps[0].mean((2, 3)),
        "layer2_mean": lambda run: run.found.maps[1].mean((2, 3)),
        "layer3_mean": lambda run: run.found.maps[2].mean((2, 3)),
        "layer4_mean": lambda run: run.found.maps[3].mean((2, 3)),
        "map_slice": lambda run: run.found.maps[3][:, :4],
    },
    "biovil": {
        "pooled": lambda run: run.found.pooled,
        "proj": lambda run: run.encoder.project(run.found),
        "proj_l2": lambda run: normalize(run.encoder.project(run.found), dim=-1),
        "patch_slice": lambda run: grid(run.found.tokens)[:, :4],
        "patch_proj_slice": lambda run: grid(normalize(run.encoder.project_tokens(run.found), dim=-1)).permute(
            0, 2, 3, 1
        )[..., :4],
    },
    "convirt-edreis": {
        "pooled": lambda run: run.found.pooled,
        "proj": lambda run: run.encoder.project(run.found),
        "proj_l2": lambda run: normalize(run.encoder.project(run.found), dim=-1),
    },
}
