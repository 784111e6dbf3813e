"""What the official code gave for the transformer encoders and DenseNet, and where it is in ours."""

from __future__ import annotations

import torch
from torch.nn import functional

from benchx.methods.keyed_init import keyed_tensor, seeded_images
from parity_checks.run import Check, Run


def swin_states(run: Run) -> list[torch.Tensor]:
    """Transformers' hidden states, averaged: after the patch embedding, every halving and the last stage."""
    found: list[torch.Tensor] = []
    parts = run.encoder.trunk.features
    handles = [
        parts[number].register_forward_hook(lambda _, __, grid: found.append(grid.mean((1, 2))))
        for number in (0, 2, 4, 6, 7)
    ]
    run.encoder(seeded_images(run.encoder.image_size))
    for handle in handles:
        handle.remove()
    return found


def mrm_normed(run: Run) -> torch.Tensor:
    """The tokens after the file's final LayerNorm, which MRM's own pooling leaves out."""
    weight, bias = (keyed_tensor(f"norm.{part}", (768,)) for part in ("weight", "bias"))
    return functional.layer_norm(run.found.tokens, (768,), weight, bias, eps=1e-6)


def grey_projection(run: Run) -> torch.Tensor:
    """The projection of images whose first channel is repeated."""
    images = seeded_images(run.encoder.image_size)[:, :1].repeat(1, 3, 1, 1)
    return functional.normalize(run.encoder.project(run.encoder.encode(images)))


CLIP: dict[str, Check] = {
    "pooled": lambda run: run.found.pooled,
    "proj": lambda run: run.encoder.project(run.found),
    "proj_l2": lambda run: functional.normalize(run.encoder.project(run.found)),
}

CHECKS: dict[str, dict[str, Check]] = {
    "mrm": {
        "pooled": lambda run: run.found.pooled,
        "pooled_readme": lambda run: run.found.pooled,
        "tokens_prenorm_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "tokens_postnorm_mean": lambda run: mrm_normed(run)[:, 1:].mean(1),
        "cls_postnorm": lambda run: mrm_normed(run)[:, 0],
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
    **{
        name: {
            **CLIP,
            "tokens_slice": lambda run: run.found.tokens[:, :, :4],
            "patch_mean_prenorm": lambda run: run.found.maps[3].mean((2, 3)),
        }
        for name in ("clip-vit-b16", "clip-vit-b32")
    },
    "biomedclip": CLIP,
    "mgca-vit": {
        "pooled": lambda run: run.found.pooled,
        "proj_global": lambda run: run.encoder.project(run.found),
        "proj_global_l2": lambda run: functional.normalize(run.encoder.project(run.found)),
        "local_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "local_first": lambda run: run.found.tokens[:, 1],
        "local_last": lambda run: run.found.tokens[:, -1],
        "local_emb_mean": lambda run: run.encoder.project_tokens(run.found)[:, 1:].mean(1),
    },
    "refers": {
        "pooled": lambda run: run.found.pooled,
        "cls": lambda run: run.found.tokens[:, 0],
        "patch_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "tokens_slice": lambda run: run.found.tokens[:, :, :4],
        "local_plus_global_mean": lambda run: (run.found.tokens[:, 1:] + run.found.tokens[:, :1]).mean(1),
    },
    "medclip-vit": {
        **CLIP,
        "proj_l2_gray": grey_projection,
        "last_hidden_slice": lambda run: run.found.tokens[:, :, :8],
        **{f"stage{stage}_mean": lambda run, stage=stage: swin_states(run)[stage] for stage in range(5)},
    },
    "xrv-densenet121": {
        "pooled": lambda run: run.found.pooled,
        # Theirs is before the final ReLU.
        "map_slice": lambda run: run.encoder.trunk(seeded_images(224, channels=1))[:, :4],
    },
}
