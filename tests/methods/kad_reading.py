"""A plain reading of KAD's official code (xiaoman-zhang/KAD, A3_CLIP/models), on tensors under their official names."""

from __future__ import annotations

import torch
from query_reading import Tensors, bert, decoder, linear, norm, resnet
from torch.nn import functional


def places(image_encoder: Tensors, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of layer4, [B, T, 2048], and what is made of them, [B, T, 768]: `ModelRes512`."""
    found = resnet(image_encoder, images, stages=4)
    return found, linear(image_encoder, "res_l2", linear(image_encoder, "res_l1", found).clamp(min=0))


def texts(text_encoder: Tensors, ids: torch.Tensor, layers: int = 12) -> torch.Tensor:
    """`CLP_clinical.encode_text`: [B, 768], not normalised."""
    pooled = bert(text_encoder, "bert_model", ids, layers)
    hidden = functional.gelu(linear(text_encoder, "mlp_embed.0", pooled))
    return linear(text_encoder, "mlp_embed.2", hidden)


def answers(model: Tensors, seen: torch.Tensor, asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`TQN_Model`: the probability that each text is present [B, Q], and the last layer's attention [B, Q, T]."""
    queries = norm(model, "decoder.norm", asked).expand(len(seen), -1, -1)
    found, maps = decoder(model, "decoder", queries, norm(model, "decoder.norm", seen))
    logits = linear(model, "mlp_head.0", norm(model, "decoder.norm", found))
    return logits.softmax(-1)[..., 1], maps[-1]
