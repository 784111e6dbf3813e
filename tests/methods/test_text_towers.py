"""Text towers: rules of pooling and of words, and tokens that do not fit."""

from __future__ import annotations

import pytest
import torch

from benchx.errors import UsageError
from benchx.methods.text.base import check_tokens
from benchx.methods.text.bert import bert, medclip_mean, token_mean
from benchx.methods.text.clip import clip_text
from benchx.methods.text.words import SEPARATOR, sum_pieces

IDS = torch.tensor([[101, 7, 8, 9, SEPARATOR, 0], [101, 7, SEPARATOR, 0, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture(scope="module")
def tower():
    tower = bert(vocabulary=200, layers=1, pooling="cls")
    tower.finish()
    return tower.eval()


def test_pieces_are_summed_into_words_up_to_the_separator():
    pieces = torch.arange(1.0, 7.0).expand(2, 6)[..., None]
    continued = torch.tensor([[False, True, False, True, True, False], [False, False, False, True, True, True]])
    words, present, last = sum_pieces(pieces, IDS, continued)
    assert words[..., 0].tolist() == [[3, 7, 5, 0, 0, 0], [1, 2, 3, 0, 0, 0]]
    assert present.sum(dim=1).tolist() == [3, 3]
    assert last.tolist() == [2, 2]


def test_words_need_an_end():
    with pytest.raises(UsageError, match=r"no \[SEP\]"):
        sum_pieces(torch.ones(1, 2, 1), torch.tensor([[101, 7]]), torch.zeros(1, 2, dtype=torch.bool))


def test_means_with_and_without_padding():
    hidden = tuple(torch.full((1, 2, 1), value) for value in (9.0, 1.0, 2.0, 9.0))
    last = torch.tensor([[[4.0], [8.0]]])
    assert token_mean((*hidden, last), torch.tensor([[1, 0]])).item() == 4
    assert medclip_mean((*hidden, last), torch.tensor([[1, 0]])).item() == 3


def test_padding_does_not_change_the_embedding(tower):
    with torch.inference_mode():
        torch.testing.assert_close(tower(IDS).embedding[1], tower(IDS[1:, :3]).embedding[0])
        torch.testing.assert_close(tower(IDS, MASK).embedding, tower(IDS).embedding)


def test_one_token_is_a_text(tower):
    assert tower(torch.tensor([[101]])).embedding.shape == (1, 768)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(1, 513, dtype=torch.int64) + 5, "too long"),
        (torch.tensor([[101, 200]]), "from 101 to 200"),
        (torch.tensor([[101, -1]]), "from -1 to 101"),
        (torch.zeros(1, 3, dtype=torch.int64), "no token"),
        (torch.zeros(1, 0, dtype=torch.int64), "one token or more"),
        (torch.zeros(0, 3, dtype=torch.int64), "one token or more"),
        (torch.tensor([101, 5]), "one token or more"),
        (torch.ones(1, 3), "one token or more"),
    ],
)
def test_tokens_that_do_not_fit(tower, ids, message):
    with pytest.raises(UsageError, match=message):
        tower(ids)


def test_masks_of_another_shape(tower):
    with pytest.raises(UsageError, match="attention_mask does not fit"):
        tower(IDS, MASK[:1])


def test_the_last_position_and_id_are_read():
    check_tokens(torch.full((1, 77), 49407), torch.ones(1, 77), 49408, 77)


def test_clips_padding_follows_the_largest_id():
    with torch.device("meta"):
        tower = clip_text(width=512)
    ids = torch.tensor([[49406, 320, 49407, 0, 0], [49406, 49407, 49407, 49407, 49407]])
    assert tower.padding_mask(ids).tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
