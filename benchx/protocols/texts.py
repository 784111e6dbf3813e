"""Protocols that read or write texts: retrieval, zero-shot classification, report generation, questions."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from benchx.prompts.schema import PromptSet
from benchx.protocols.inputs import Extraction, InputRule, Overrides
from benchx.protocols.training import Training
from benchx.strict import Strict


class Joint(Strict):
    """How a method that reads pairs ranks them.

    Attributes:
        mode: `rerank` = the first candidates of a dual encoder are ordered anew; `full` = every image is read with
            every text.
        first: how many are ordered anew.
        dual_encoder: the method whose embeddings give the first ranking; null = the method's own.
    """

    mode: Literal["rerank", "full"]
    first: int = Field(default=100, ge=2)
    dual_encoder: str | None = None


class Retrieve(Extraction):
    """Images and reports ranked by the similarity of their embeddings, over the whole test set.

    Attributes:
        text: the sections that make up a text, joined in this order; a report without any of them is left out.
        candidates: `pairs` = all test reports; `5x200` = the 200 images for each of five findings, see
            `benchx.datasets.five_by_200`.
        exclude_own: whether the query's own report is no candidate for class matches.
        rerank: how many of the first candidates the method's own similarity orders anew, where it has one; 0 = none.
        joint: how methods that read pairs take part; null = by their embeddings alone, if they have any.
    """

    later: ClassVar[tuple[str, ...]] = ("joint",)

    kind: Literal["retrieve"]
    text: tuple[Literal["findings", "impression"], ...] = Field(min_length=1)
    candidates: Literal["pairs", "5x200"] = "pairs"
    exclude_own: bool = False
    rerank: int = Field(default=0, ge=0)
    joint: Joint | None = None


class ZeroShot(Extraction):
    """Classes scored by the similarity of images with prompts, without any training.

    Attributes:
        prompts: the texts, see `benchx.prompts`.
        scoring: `common` = the same rule for every method, `official` = the method's own.
        statistics: of the images whose mean and deviation a class's scores are standardised by, where the rule does
            so: `validation`, or `test` (transductive: the scores of a case depend on the other test cases).
        grounding: whether heat maps are compared with outlines, where the method and the dataset have them.
        search: other prompt sets; of these and `prompts` every method takes the one with which it has the best macro
            AUROC on validation, of equals the first.
        overrides: as in `Finetune`.
    """

    later: ClassVar[tuple[str, ...]] = ("search",)

    kind: Literal["zero-shot"]
    prompts: PromptSet
    scoring: Literal["common", "official"] = "common"
    statistics: Literal["validation", "test"] = "validation"
    grounding: bool = False
    search: tuple[PromptSet, ...] = ()
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


class Answer(Training):
    """Questions about images answered from a vocabulary, by a head on the features of image and question.

    Attributes:
        feature_batch: images per forward pass.
        encoder: as in `Segment`; `trained` takes the method's text tower and fusion along.
        fusion_lr: peak learning rate of a fusion that is trained along; null = `lr`.
        questions: what reads the questions of a method without fusion: `own` = its text tower, else the name of a
            method with one, the same for every method. A method that encodes no images answers from the question alone.
        vocabulary: `train` = the answers of training questions; `all` = also those of validation and test questions,
            as the papers have it.
        head: `linear`; `mlp` = linear, LayerNorm, GELU, linear, as in M3AE; or `own` = the head of the method's fusion,
            with the answers that its `answers.txt` lists in place of the vocabulary: nothing is trained or searched.
        selection: the validation score that chooses the epoch.
    """

    kind: Literal["answer"]
    input: InputRule
    feature_batch: int = Field(ge=1)
    encoder: Literal["frozen", "trained"]
    fusion_lr: float | None = Field(default=None, gt=0)
    questions: str
    vocabulary: Literal["train", "all"] = "train"
    head: Literal["linear", "mlp", "own"]
    selection: Literal["accuracy"] = "accuracy"
    overrides: Overrides = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nothing_to_train(self) -> Self:
        if self.head == "own" and self.encoder == "trained":
            raise ValueError("head: own trains nothing; set encoder: frozen")
        if self.search is not None and "own" in (self.head, *self.search.space.get("head", ())):
            raise ValueError("search: head: own trains nothing, so there is nothing to search over")
        return self
