"""What a report decoder is trained on: the negative log-likelihood of the true words."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def token_loss(logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the negative log-likelihood summed over what is `counted`, and how much that is; both scalars.

    Their quotient over a batch is R2Gen's loss.

    Args:
        logits: [B, L - 1, words + 1], of what follows each of `tokens[:, :-1]`.
        tokens: int64 [B, L], begin, words, end, padding; see `Vocabulary.encode_batch`.
    """
    among = counted(tokens)
    return cross_entropy(logits[among].float(), tokens[:, 1:][among], reduction="sum"), among.sum()


def counted(tokens: Tensor) -> Tensor:
    """Return which of `tokens[:, 1:]` have a loss, bool [B, L - 1]: the first, and what follows a word.

    So the end counts, the padding after it does not.
    """
    among = tokens[:, :-1] != 0
    among[:, :1] = True
    return among
