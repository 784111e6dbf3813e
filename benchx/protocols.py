"""Protocols: the recipes by which a frozen or trainable encoder is adapted, as written in a suite file."""

from __future__ import annotations

from statistics import fmean
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from benchx.images.spec import Augmentation, InputSpec, Interpolation, Resize
from benchx.prompts.schema import PromptSet
from benchx.strict import Strict

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["cosine", "cosine-unclamped", "polynomial", "plateau"]


Overrides = dict[str, dict[str, dict[str, Any]]]
Positive = Annotated[FiniteFloat, Field(gt=0)]


class CardInput(Strict):
    """Images are brought to each encoder as its card says: the method's official preprocessing.

    Attributes:
        size: side in pixels; null = the card's. Another size scales the card's resize in proportion.
        resize: how images come into the square; null = as the card has it. With `letterbox` or `stretch` nothing of an
            image is cut off, as segmentation needs it.
    """

    preprocessing: Literal["card"]
    size: int | None = Field(default=None, ge=32)
    resize: Literal["letterbox", "stretch"] | None = None


class SuiteInput(Strict):
    """Images are brought to every encoder in the same way; only the number of channels is the card's.

    Attributes:
        size, resize, resize_to, interpolation: see `benchx.images.spec.InputSpec`.
        mean, std: of the image scaled to [0, 1], for all channels or one per channel; an encoder of one channel gets
            the mean of three.
    """

    preprocessing: Literal["suite"]
    size: int = Field(ge=32)
    resize: Resize
    resize_to: int | None = None
    interpolation: Interpolation
    mean: FiniteFloat | tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    std: Positive | tuple[Positive, Positive, Positive]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.spec(channels=1)
        return self

    def spec(self, channels: Literal[1, 3]) -> InputSpec:
        """Return the rule as the input of an encoder of so many channels."""
        return InputSpec(
            size=self.size,
            resize=self.resize,
            resize_to=self.resize_to,
            interpolation=self.interpolation,
            mean=_per_channel(self.mean, channels),
            std=_per_channel(self.std, channels),
            channels=channels,
        )


def _per_channel(value: float | tuple[float, float, float], channels: int) -> tuple[float, ...]:
    if not isinstance(value, tuple):
        return (value,)
    return value if channels == 3 else (fmean(value),)


InputRule = Annotated[CardInput | SuiteInput, Field(discriminator="preprocessing")]


class Extraction(Strict):
    """How a frozen encoder is run.

    Attributes:
        feature_batch: images per forward pass.
        precision: of the encoder's forward pass. `auto` = bf16 where the GPU has it, else fp32; `bf16` is an error
            where the device has none; `fp16` is fp32 where there is no CUDA device.
        compile: compile the encoder on a GPU; elsewhere it is run as it is. The record says what was done.
    """

    input: InputRule
    feature_batch: int = Field(ge=1)
    precision: Precision
    compile: bool = False


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


class Search(Strict):
    """A declared search, the same for every method: all combinations of the values are trials, chosen on validation.

    Attributes:
        space: values per field of the protocol; a dot reaches into one (`head.layer_norm`).
        halving: successive halving (Jamieson and Talwalkar 2016): after each of these shares of the epochs, rising
            and below 1, the better half of the trials goes on. Empty: a plain grid, every trial to its end.
    """

    space: dict[str, tuple[Any, ...]] = Field(min_length=1)
    halving: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if any(not values for values in self.space.values()):
            raise ValueError("a searched field has no value")
        if list(self.halving) != sorted(set(self.halving)):
            raise ValueError("the shares of halving must rise")
        return self


SEARCHED = (
    "lr",
    "head_lr",
    "weight_decay",
    "batch_size",
    "clip_norm",
    "warmup_fraction",
    "optimizer",
    "momentum",
    "schedule",
    "head",
    "decoder",
    "loss",
)
"""Fields whose values make trials that can be compared."""


class Training(Strict):
    """How weights are trained by the one loop.

    Attributes:
        epochs: at most; a pass over the training cases each, or `steps_per_epoch` optimiser steps.
        batch_size: cases per optimiser step; an out-of-memory error halves the micro-batch, never this.
        lr: peak learning rate of the encoder; `head_lr` that of head or decoder.
        weight_decay: decoupled with AdamW, else in the gradient; not on biases and norms unless `decay_vectors`.
        warmup_fraction: share of all steps; `warmup_steps` says it in steps.
        clip_norm: gradient norm limit; null = none.
        patience: evaluations without a strictly better validation score before stopping.
        precision: as in `Extraction`.
        momentum: of SGD; amsgrad: of Adam and AdamW.
        schedule: `cosine` is clamped at its end; the others are those of BenchX, see `benchx.training.schedules`.
        total_steps: at which the schedule ends; null = with the training.
        first_evaluation, evaluate_every: epochs.
        search: over fields of the protocol, with this many trials for every method.
    """

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    head_lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_fraction: float = Field(default=0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    patience: int = Field(ge=1)
    precision: Precision
    optimizer: Optimizer = "adamw"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    amsgrad: bool = False
    decay_vectors: bool = False
    schedule: Schedule = "cosine"
    warmup_steps: int | None = Field(default=None, ge=0)
    total_steps: int | None = Field(default=None, ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    first_evaluation: int = Field(default=1, ge=1)
    evaluate_every: int = Field(default=1, ge=1)
    search: Search | None = None

    @model_validator(mode="after")
    def _searchable(self) -> Self:
        fields = self.model_dump(mode="json") | {"search": None}
        for path, values in (self.search.space if self.search else {}).items():
            if path.partition(".")[0] not in SEARCHED:
                raise ValueError(f"search.space: {path} is no field to search over; these are {', '.join(SEARCHED)}")
            if path == "lr" and getattr(self, "encoder", "trained") == "frozen":
                raise ValueError("search.space: lr is the encoder's, which is frozen; search over head_lr")
            for value in values:
                try:
                    type(self).model_validate(with_field(fields, path, value))
                except (KeyError, TypeError) as error:
                    raise ValueError(f"search.space: the protocol has no field {path}") from error
                except ValidationError as error:
                    said = error.errors()[0]["msg"].removeprefix("Value error, ")
                    raise ValueError(f"search.space: {path} cannot be {value}: {said}") from error
        return self


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


class Decoder(Strict):
    """A segmentation decoder on an encoder's maps.

    Attributes:
        name: `unet` (segmentation-models-pytorch) or `upernet` (Xiao et al. 2018, as in MMSegmentation).
        width: channels of UPerNet.
        dropout: before its classifier.
        auxiliary: weight of the loss of a second head on the last map but one; null = none.
    """

    name: Literal["unet", "upernet"]
    width: int = Field(default=256, ge=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    auxiliary: float | None = Field(default=None, gt=0)


class Segment(Training):
    """A decoder trained on the maps of an encoder that is frozen or trained along.

    Attributes:
        encoder: whether the encoder's weights stay as they are (in evaluation mode) or are trained.
        decoder: what is put on it.
        output: `sigmoid` = every class by itself; `softmax` = background against the union of all classes.
        loss: `dice-ce` = Dice and cross-entropy (MONAI), `ce` = cross-entropy alone.
        selection: the validation metric that chooses the epoch.
        horizontal_flip: probability of mirroring a training image and its mask.
        cache_gigabytes: maps of a frozen encoder are kept on disk (bf16) where they fit into so much and images are
            not mirrored; 0 = never. It pays for a U-Net on a large encoder; under UPerNet the decoder takes the time.
        tolerance: of the normalised surface distance, in pixels of the encoder's input.
    """

    kind: Literal["segment"]
    input: InputRule
    encoder: Literal["frozen", "trained"]
    decoder: Decoder
    output: Literal["sigmoid", "softmax"]
    loss: Literal["dice-ce", "ce"]
    selection: Literal["dice", "pooled_dice", "mdice"] = "dice"
    horizontal_flip: float = Field(default=0.0, ge=0, le=1)
    cache_gigabytes: float = Field(default=0.0, ge=0)
    tolerance: float = Field(gt=0)
    overrides: Overrides = Field(default_factory=dict)


class Retrieve(Extraction):
    """Images and reports ranked by the similarity of their embeddings, over the whole test set.

    Attributes:
        text: the sections that make up a text, joined in this order; a report without any of them is left out.
        candidates: `pairs` = all test reports; `5x200` = the 200 images for each of five findings, see
            `benchx.datasets.five_by_200`.
        exclude_own: whether the query's own report is no candidate for class matches.
        rerank: how many of the first candidates the method's own similarity orders anew, where it has one; 0 = none.
    """

    kind: Literal["retrieve"]
    text: tuple[Literal["findings", "impression"], ...] = Field(min_length=1)
    candidates: Literal["pairs", "5x200"] = "pairs"
    exclude_own: bool = False
    rerank: int = Field(default=0, ge=0)


class ZeroShot(Extraction):
    """Classes scored by the similarity of images with prompts, without any training.

    Attributes:
        prompts: the texts, see `benchx.prompts`.
        scoring: `common` = the same rule for every method, `official` = the method's own.
        statistics: of the images whose mean and deviation a class's scores are standardised by, where the rule does
            so: `validation`, or `test` (transductive: the scores of a case depend on the other test cases).
        grounding: whether heat maps are compared with outlines, where the method and the dataset have them.
        overrides: as in `Finetune`.
    """

    kind: Literal["zero-shot"]
    prompts: PromptSet
    scoring: Literal["common", "official"] = "common"
    statistics: Literal["validation", "test"] = "validation"
    grounding: bool = False
    overrides: Overrides = Field(default_factory=dict)


class Generate(Training):
    """A report decoder trained on the patch features of an encoder.

    Attributes:
        encoder: as in `Segment`.
        decoder: `r2gen` (Chen et al. 2020) or a plain `transformer`.
        crop_from: pixels; training images are resized to a short side of so much, and a random part of the input's size
            is taken; null = no crops.
        views: images of a study that are looked at, at most.
        text: the sections that make up a report, joined in this order.
        cleaning: how a text becomes words: R2Gen's rules for IU X-Ray or for MIMIC-CXR.
        vocabulary_threshold: a word that the training reports hold less often is unknown.
        max_length: words of a report, the end included.
        beam: width of the search; 1 = greedy.
        block_ngrams: no sequence of so many words is written twice; 0 = allowed.
        references: what is compared with: `raw` = the text of the report, `cleaned` = as the decoder was taught it.
        selection: the validation metric that chooses the epoch.
    """

    kind: Literal["generate"]
    input: InputRule
    encoder: Literal["frozen", "trained"]
    decoder: Literal["r2gen", "transformer"]
    crop_from: int | None = None
    views: int = Field(ge=1, le=2)
    text: tuple[Literal["findings", "impression"], ...] = Field(min_length=1)
    cleaning: Literal["iu-xray", "mimic-cxr"]
    vocabulary_threshold: int = Field(ge=1)
    max_length: int = Field(ge=2)
    beam: int = Field(ge=1)
    block_ngrams: int = Field(default=0, ge=0)
    references: Literal["raw", "cleaned"] = "raw"
    selection: Literal["bleu_4", "loss"] = "bleu_4"
    overrides: Overrides = Field(default_factory=dict)


AnyProtocol = Frozen | Finetune | Segment | Retrieve | ZeroShot | Generate
Protocol = Annotated[AnyProtocol, Field(discriminator="kind")]


def read_protocol(settings: dict[str, Any]) -> AnyProtocol:
    """Return the protocol that a cell's settings hold as JSON-able values."""
    protocol: AnyProtocol = TypeAdapter(Protocol).validate_python(settings)
    return protocol


def resolved(protocol: AnyProtocol, dataset: str, method: str) -> AnyProtocol:
    """Return a protocol as it is for one dataset and method, its overrides applied."""
    overrides = getattr(protocol, "overrides", {})
    if not overrides:
        return protocol
    fields = protocol.model_dump(mode="json") | {"overrides": {}}
    for place in ("all", dataset):
        for name in ("all", method):
            for path, value in overrides.get(place, {}).get(name, {}).items():
                fields = with_field(fields, path, value)
    return read_protocol(fields)


def with_field(fields: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a protocol's fields with one of them set; a dot in the path reaches into a field."""
    first, _, rest = path.partition(".")
    return fields | {first: with_field(fields[first], rest, value) if rest else value}
