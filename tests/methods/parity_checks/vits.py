"""What the official code gave for the transformer encoders, and where it is in ours."""

from __future__ import annotations

from parity_checks.run import Check

CHECKS: dict[str, dict[str, Check]] = {
    "mrm": {
        "pooled": lambda run: run.found.pooled,
        "pooled_readme": lambda run: run.found.pooled,
        "tokens_prenorm_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "tokens_slice": lambda run: run.found.tokens[:, :, :4],
        "block3_patch_mean": lambda run: run.found.maps[0].mean((2, 3)),
        "block5_patch_mean": lambda run: run.found.maps[1].mean((2, 3)),
        "block7_patch_mean": lambda run: run.found.maps[2].mean((2, 3)),
        "block11_patch_mean": lambda run: run.found.maps[3].mean((2, 3)),
    },
    "imagenet-vit-b16": {
        "pooled": lambda run: run.found.pooled,
        "patch_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "tokens_slice": lambda run: run.found.tokens[:, :, :4],
    },
}
