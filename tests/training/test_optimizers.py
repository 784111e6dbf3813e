"""Optimisers against their published update rules in double precision, and who is decayed at which rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from benchx.training.optimizers import make_optimizer, parameter_groups
from benchx.training.recipe import Recipe

RECIPE = Recipe(
    epochs=1,
    batch_size=1,
    lr=1e-2,
    head_lr=1e-1,
    weight_decay=0.1,
    warmup_fraction=0.0,
    clip_norm=None,
    patience=1,
    precision="fp32",
    micro_batch=None,
)
START = np.array([1.0, -2.0, 0.0, 1e3])


def gradients() -> np.ndarray:
    """Thirty gradients of very different sizes, with zeros, that shrink: the largest second moment then matters."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(30, 4)) * np.exp(3 * rng.normal(size=(30, 1))) * 0.8 ** np.arange(30)[:, None]
    drawn[rng.random((30, 4)) < 0.2] = 0
    return drawn


def ours(recipe: Recipe) -> np.ndarray:
    weights = nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = make_optimizer([{"params": [weights], "lr": recipe.lr, "weight_decay": recipe.weight_decay}], recipe)
    for gradient in gradients():
        weights.grad = torch.from_numpy(gradient)
        optimizer.step()
    return weights.detach().numpy()


@pytest.mark.parametrize("momentum", [0.9, 0.0])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_with_heavy_ball_momentum_and_decay_in_the_gradient(momentum: float, decay: float) -> None:
    weights, speed = START.copy(), np.zeros(4)
    for gradient in gradients():
        speed = momentum * speed + gradient + decay * weights
        weights = weights - 1e-2 * speed
    found = ours(replace(RECIPE, optimizer="sgd", momentum=momentum, weight_decay=decay))
    np.testing.assert_allclose(found, weights, rtol=1e-12)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_as_published(name: str, amsgrad: bool, decay: float) -> None:
    # Kingma and Ba 2015 with their constants; Reddi et al. 2018; Loshchilov and Hutter 2019.
    weights, first, second, largest = START.copy(), np.zeros(4), np.zeros(4), np.zeros(4)
    for step, gradient in enumerate(gradients(), start=1):
        if name == "adam":
            gradient = gradient + decay * weights
        else:
            weights = weights - 1e-2 * decay * weights
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        largest = np.maximum(largest, second)
        size = np.sqrt((largest if amsgrad else second) / (1 - 0.999**step)) + 1e-8
        weights = weights - 1e-2 * first / (1 - 0.9**step) / size
    found = ours(replace(RECIPE, optimizer=name, amsgrad=amsgrad, weight_decay=decay))
    np.testing.assert_allclose(found, weights, rtol=1e-10, atol=1e-12)


def test_amsgrad_matters_for_these_gradients() -> None:
    plain, kept = (ours(replace(RECIPE, optimizer="adam", amsgrad=amsgrad)) for amsgrad in (False, True))
    assert np.abs(plain - kept).max() > 1e-5


def parts() -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2, bias=False))
    encoder[2].requires_grad_(False)
    return encoder, nn.Linear(2, 3)


def test_parts_have_their_rates_and_vectors_are_not_decayed() -> None:
    encoder, head = parts()
    found = parameter_groups([(encoder, 1e-3), (head, 1e-2)], RECIPE)
    assert [(group["lr"], group["base_lr"], group["weight_decay"]) for group in found] == [
        (1e-3, 1e-3, 0.1),
        (1e-3, 1e-3, 0.0),
        (1e-2, 1e-2, 0.1),
        (1e-2, 1e-2, 0.0),
    ]
    expected = [[encoder[0].weight], [encoder[0].bias, *encoder[1].parameters()], [head.weight], [head.bias]]
    for group, parameters in zip(found, expected, strict=True):
        assert [id(one) for one in group["params"]] == [id(one) for one in parameters]


def test_vectors_are_decayed_where_the_recipe_says_so() -> None:
    found = parameter_groups([(part, 1e-3) for part in parts()], replace(RECIPE, decay_vectors=True))
    assert {group["weight_decay"] for group in found} == {0.1}


def test_what_is_frozen_and_what_is_empty_has_no_group() -> None:
    encoder, head = parts()
    encoder.requires_grad_(False)
    found = parameter_groups([(encoder, 1e-3), (nn.ReLU(), 1e-3), (head, 1e-2)], RECIPE)
    assert [group["lr"] for group in found] == [1e-2, 1e-2]
