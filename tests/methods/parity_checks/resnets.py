"""What the official code gave for the ResNet encoders, and where it is in ours."""

from __future__ import annotations

from parity_checks.run import Check

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
        "local_emb_slice": lambda run: (
            run.encoder.project_tokens(run.found).transpose(1, 2).unflatten(2, (19, 19))[:, :4]
        ),
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
}
