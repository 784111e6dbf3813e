"""The head: its form, its weights at the start, and its two losses against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from benchx.protocols import Head
from benchx.training.classifier import Classifier

NAN = float("nan")
DIM = 2048


class Flat(nn.Module):
    """Images as features, of very different means and spreads."""

    dim = DIM

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def classifier(head: Head, classes: int = 14, seed: int = 0) -> Classifier:
    return Classifier(Flat(), classes, seed, "cpu", "fp32", head)


def images(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(n)
    shape = (n, 1, 32, DIM // 32)
    spread = torch.rand((n, 1, 1, 1), generator=generator) * 1e3
    return torch.randn(shape, generator=generator) * spread + torch.randn((n, 1, 1, 1), generator=generator)


def linear(model: Classifier) -> nn.Linear:
    found = [module for module in model.head.modules() if isinstance(module, nn.Linear)]
    assert len(found) == 1
    return found[0]


def test_a_layer_norm_stands_before_the_linear_layer_where_asked_for() -> None:
    model = classifier(Head(layer_norm=True))
    features = images(5).flatten(1).double()
    centred = features - features.mean(1, keepdim=True)
    normed = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
    expected = normed @ linear(model).weight.double().T + linear(model).bias.double()
    assert torch.allclose(model(images(5)).double(), expected, atol=1e-5)


def test_its_epsilon_is_that_of_benchx() -> None:
    # A flat image of one bright pixel: the variance is near 1e-6, where torch's own 1e-5 would show.
    image = torch.zeros(1, 1, 32, DIM // 32)
    image[..., 0, 0] = (1e-6 * DIM) ** 0.5
    model = classifier(Head(layer_norm=True), classes=1)
    with torch.no_grad():
        linear(model).weight.zero_()[0, 0] = 1.0
        linear(model).bias.zero_()
    features = image.flatten().double()
    expected = (features[0] - features.mean()) / (features.var(correction=0) + 1e-6).sqrt()
    assert model(image).item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_it_the_head_is_the_linear_layer() -> None:
    model = classifier(Head())
    assert isinstance(model.head, nn.Linear)
    expected = images(3).flatten(1) @ linear(model).weight.T + linear(model).bias
    assert torch.allclose(model(images(3)), expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("std", [2e-5, 0.02])
def test_weights_start_normal_with_the_given_deviation(std: float) -> None:
    weights = linear(classifier(Head(weight_std=std))).weight.detach().double().numpy().ravel()
    assert weights.std() == pytest.approx(std, rel=0.02)
    assert abs(weights.mean()) < 4 * std / len(weights) ** 0.5
    assert (np.abs(weights) < std).mean() == pytest.approx(0.6827, abs=0.01)
    assert np.abs(weights).max() > 3 * std


@pytest.mark.parametrize("std", [None, 2e-5])
def test_otherwise_and_in_the_biases_they_are_torchs_own(std: float | None) -> None:
    found = [linear(classifier(Head(weight_std=std), seed=seed)) for seed in range(60)]
    parts = [torch.cat([one.bias for one in found])]
    if std is None:
        parts.append(torch.cat([one.weight.flatten() for one in found]))
    for part in parts:
        # Uniform in +-1 / sqrt(inputs): the default of torch.nn.Linear.
        values = part.detach().double().numpy() * DIM**0.5
        assert np.abs(values).max() <= 1 + 1e-6
        assert values.std() == pytest.approx(3**-0.5, rel=0.05)
        assert abs(values.mean()) < 0.1


def test_the_seed_alone_decides_the_head() -> None:
    one, two, three = (classifier(Head(layer_norm=True, weight_std=2e-5), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(linear(one).weight, linear(two).weight)
    assert torch.equal(linear(one).bias, linear(two).bias)
    assert not torch.equal(linear(one).weight, linear(three).weight)


def test_softmax_equals_cross_entropy_with_one_hot_targets() -> None:
    model = classifier(Head(layer_norm=True, loss="softmax"), classes=1)
    assert linear(model).out_features == 2
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    outputs = model.head(images(5).flatten(1))
    expected = cross_entropy(outputs, torch.stack([1 - labels, labels], dim=1))
    batch = (images(5), labels[:, None])
    assert model.count(batch) == 5
    assert torch.allclose(model.loss_sum(batch) / 5, expected, atol=1e-6)
    probability = outputs.softmax(1)[:, 1]
    assert torch.allclose(model(images(5))[:, 0].sigmoid(), probability, atol=1e-6)


def test_softmax_calls_present_where_its_output_is_the_larger() -> None:
    model = classifier(Head(layer_norm=True, weight_std=None, loss="softmax"), classes=1)
    outputs = model.head(images(40).flatten(1))
    called = model(images(40))[:, 0] > 0
    assert torch.equal(called, outputs.argmax(1) == 1)
    assert 0 < called.sum() < 40


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_cases_without_a_label_teach_nothing(loss: str) -> None:
    model = classifier(Head(layer_norm=True, weight_std=None, loss=loss), classes=1)
    labels = torch.tensor([[1.0], [NAN], [0.0], [NAN]])
    shown, known = (images(4), labels), torch.tensor([0, 2])
    alone = (images(4)[known], labels[known])
    assert model.count(shown) == 2
    assert torch.allclose(model.loss_sum(shown), model.loss_sum(alone), atol=1e-6)
    nothing = (images(4), torch.full((4, 1), NAN))
    assert model.count(nothing) == 0
    lost = model.loss_sum(nothing)
    lost.backward()
    assert lost == 0
    assert all(one.grad is None or not one.grad.any() for one in model.parameters())


def test_sigmoid_is_the_mean_over_all_labels_of_a_batch() -> None:
    model = classifier(Head(layer_norm=True, weight_std=None))
    labels = (torch.rand((5, 14), generator=torch.Generator().manual_seed(0)) < 0.3).float()
    batch = (images(5), labels)
    expected = binary_cross_entropy_with_logits(model(images(5)), labels)
    assert torch.allclose(model.loss_sum(batch) / model.count(batch), expected, atol=1e-6)


def test_softmax_of_several_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="of one class, not 14"):
        classifier(Head(loss="softmax"))
