"""M3AE's joint reading of image-text pairs (Chen et al. 2022): co-attention of RoBERTa's words and CLIP's patches."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.errors import UsageError
from benchx.methods.coattention import FUSED, WIDTH, Stream, co_attend
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.fusion.base import Fusion
from benchx.methods.fusion.heads import answer_head, matched, matching_head
from benchx.methods.fusion.pairs import patches_of, words_of
from benchx.methods.text.base import TextFeatures

EPSILON = 1e-12
"""Of the fusion's LayerNorms: the default of the configuration that the official code builds them by. RoBERTa itself
has 1e-5."""

Head = Literal["itm", "irtr", "vqa"]
"""The head of the file: of matching (pretraining), of retrieval (fine-tuned on ROCO), or of answers."""


class Answering(Fusion):
    """A fusion with one of the heads of METER's followers; the others are not in the file, or not read."""

    def __init__(self, head: Head, answers: int) -> None:
        super().__init__(dim=FUSED, matches=head != "vqa", answers=answers)
        self.head = head
        if head == "itm":
            self.itm_head = matching_head()
        elif head == "irtr":
            self.irtr_head = nn.Linear(FUSED, 1)
        else:
            self.vqa_head = answer_head(answers)

    def match(self, fused: torch.Tensor) -> torch.Tensor:
        """Return how well image and text belong together, [M, 1536] -> [M]: a logit, higher is better.

        Raises:
            UsageError: the file is fine-tuned on questions and has no such head.
        """
        if self.head == "vqa":
            return super().match(fused)
        return matched(self.itm_head, fused) if self.head == "itm" else self.irtr_head(fused)[:, 0]

    def answer(self, fused: torch.Tensor) -> torch.Tensor:
        """Return the logits of the file's own answers, [M, 1536] -> [M, answers].

        Raises:
            UsageError: the file has no such head.
        """
        return self.vqa_head(fused) if self.head == "vqa" else super().answer(fused)


class M3AE(Answering):
    """Reads all of RoBERTa's tokens with all of CLIP's, the class token's and the patches', each after `ln_post`."""

    def __init__(self, head: Head, answers: int) -> None:
        super().__init__(head, answers)
        self.language, self.vision = Stream(EPSILON), Stream(EPSILON)
        self.modality_type_embeddings = nn.Embedding(2, WIDTH)

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Read M pairs, see Fusion; [M, 1536].

        Raises:
            UsageError: the features lack tokens or words, or a text is padding alone.
        """
        words, padding = words_of(text)
        return co_attend(self.language, self.vision, self.modality_type_embeddings, words, patches_of(images), padding)


def check_answers(head: Head, answers: int) -> None:
    """Refuse a number of answers that does not go with the head.

    Raises:
        UsageError: a head of answers without their number, or the number without the head.
    """
    if (head == "vqa") != (answers > 1):
        raise UsageError(
            f"the head '{head}' with {answers} answers",
            "a vqa head has two answers or more, the others have none",
            "mend the card's fusion.arguments",
        )


@validate_call
def m3ae(*, head: Head, answers: int = 0) -> M3AE:
    """Build M3AE's fusion.

    Args:
        head: `itm` in the pretrained file, `irtr` in the one fine-tuned on retrieval, `vqa` in those on questions.
        answers: of a `vqa` head: 498 VQA-RAD, 222 SLAKE, 79 MedVQA-2019.

    Raises:
        UsageError: answers without their head, or the head without answers.
    """
    check_answers(head, answers)
    return M3AE(head, answers)
