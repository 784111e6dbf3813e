"""Protocols of classification: heads on frozen features, neighbours, few shots, fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchx.images.spec import Augmentation
from benchx.protocols.inputs import Extraction, InputRule, Overrides
from benchx.protocols.training import Training
from benchx.strict import Strict


class Frozen(Extraction):
    """Features once per method and dataset, then an L2-regularised logistic head per fraction and seed.

    Attributes:
        strengths: the declared grid of L2 strengths; the loss is the mean log-loss over cases plus
            strength / 2 x the squared norm, on features standardised on the training cases.
        min_validation_positives: a class counts for the choice on validation when it has at least this
            many positives and as many negatives there. When fewer than half of the classes that can be
            trained count, the strength is chosen by cross-validation inside train.
        inner_folds: folds of that cross-validation, grouped by patient.
    """

    kind: Literal["frozen"]
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    min_validation_positives: int = Field(ge=1)
    inner_folds: int = Field(ge=2)


class Paired(Frozen):
    """The same head on the features of an image and its text together: fused, or one after the other.

    Attributes:
        text: the sections that make up a text, joined in this order; an image without any of them is left out.
    """

    kind: Literal["paired"]  # type: ignore[assignment]
    text: tuple[Literal["findings", "impression"], ...] = Field(min_length=1)


class Neighbours(Extraction):
    """A vote of the nearest training cases by the cosine of frozen features, without any training.

    Attributes:
        neighbours: the declared grid of how many vote; chosen on validation.
        temperature: a neighbour's vote weighs exp(cosine / temperature), as in DINO (Caron et al. 2021).
    """

    kind: Literal["knn"]
    neighbours: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    temperature: float = Field(gt=0)


class FewShot(Extraction):
    """A logistic head on frozen features of so many cases with and without each class, drawn again and again.

    Attributes:
        shots: cases per class and side, rising.
        draws: of the training cases, for every number of shots.
        strength: of the L2 penalty, as in `Frozen`; one value, since so few cases cannot choose it.
    """

    kind: Literal["few-shot"]
    shots: tuple[Literal[1, 2, 4, 8, 16], ...] = Field(min_length=1)
    draws: int = Field(ge=1)
    strength: float = Field(gt=0)


class Head(Strict):
    """A classification head on pooled features.

    Attributes:
        layer_norm: a LayerNorm (eps 1e-6) before the linear layer.
        weight_std: of the linear layer's weights at the start, normal; null = torch's own initialisation, which its
            biases have in any case.
        loss: `sigmoid` = one binary cross-entropy per class; `softmax` = absent against present, of one class.
    """

    layer_norm: bool = False
    weight_std: float | None = Field(default=0.02, gt=0)
    loss: Literal["sigmoid", "softmax"] = "sigmoid"


class Finetune(Training):
    """All weights trained.

    Attributes:
        augmentation: of training images.
        head: its form.
        selection: the validation metric that chooses the epoch; `f1` is that of the first class at log-odds above 0.
        overrides: what differs, by dataset and method; `all` stands for every one, and what is named goes before it.
    """

    kind: Literal["finetune"]
    input: InputRule
    augmentation: Augmentation
    head: Head = Head()
    selection: Literal["macro_auroc", "f1"] = "macro_auroc"
    overrides: Overrides = Field(default_factory=dict)
