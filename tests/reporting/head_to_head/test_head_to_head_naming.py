"""How `ADAPTED:BASE` is read, where names hold colons themselves."""

from __future__ import annotations

import pytest

from benchx.errors import UsageError
from benchx.reporting.head_to_head.naming import read_pairs

KNOWN = {"mrm", "gloria", "random:mrm", "random:gloria", "timm:resnet18", "open_clip:ViT-B-32/x", "./my.yaml"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mrm:gloria", ("mrm", "gloria")),
        ("mrm:random:mrm", ("mrm", "random:mrm")),
        ("random:mrm:mrm", ("random:mrm", "mrm")),
        ("random:mrm:random:gloria", ("random:mrm", "random:gloria")),
        ("timm:resnet18:open_clip:ViT-B-32/x", ("timm:resnet18", "open_clip:ViT-B-32/x")),
        ("./my.yaml:mrm", ("./my.yaml", "mrm")),
    ],
)
def test_a_pair_is_read_so_that_both_are_methods(text, expected):
    assert read_pairs([text], KNOWN) == [expected]


@pytest.mark.parametrize(
    ("texts", "what", "todo"),
    [
        (["mrm"], "--pairs mrm is not ADAPTED:BASE", "give e.g."),
        ([""], "--pairs  is not ADAPTED:BASE", "give e.g."),
        (["mrm:"], "--pairs mrm: is not ADAPTED:BASE", "give e.g."),
        ([":mrm"], "--pairs :mrm is not ADAPTED:BASE", "give e.g."),
        (["mrm:gloira"], "unknown method 'gloira'", "did you mean 'gloria'"),
        (["mrn:gloria"], "unknown method 'mrn'", "did you mean 'mrm'"),
        (["mrm:random:glora"], "unknown method 'random:glora'", "did you mean 'random:gloria'"),
        (["timm:resnet19:mrm"], "unknown method 'timm:resnet19'", "did you mean 'timm:resnet18'"),
        (["mrm:mrm"], "'mrm' is set against itself", "name the base"),
        (["mrm:gloria", "mrm:gloria"], "'mrm:gloria' is given twice", "give it once"),
    ],
)
def test_what_is_no_pair_is_one_clear_error(texts, what, todo):
    with pytest.raises(UsageError) as refused:
        read_pairs(texts, KNOWN)
    assert refused.value.what == what
    assert todo in refused.value.todo


def test_a_pair_that_can_be_read_in_two_ways_says_so():
    with pytest.raises(UsageError, match="can be read in two ways") as refused:
        read_pairs(["a:b:c"], {"a", "b:c", "a:b", "c"})
    assert refused.value.why == "'a' against 'b:c' or 'a:b' against 'c'"
