"""Names and addresses in a card: files stay in their folder, and an address is one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, HubFile, TokenizerChoice, Weights

GLORIA = read_card("gloria")


@pytest.mark.parametrize("name", ["../x", "..", ".", "", "/etc/x", "a/b", "a\\b", "a\x00", "a\n"])
def test_files_have_plain_names(name):
    with pytest.raises(ValidationError):
        Weights(files=(name,), page="https://example.org")


@pytest.mark.parametrize("name", ["a/../b", "..", "../a", "a/..", "/a", "a/", "a//b", "a/./b"])
def test_methods_and_hub_files_stay_in_their_folders(name):
    with pytest.raises(ValidationError):
        Card.model_validate(GLORIA.model_dump() | {"name": name})
    with pytest.raises(ValidationError):
        HubFile(repo="owner/net", file=name)


@pytest.mark.parametrize("repo", ["../..", "..", "owner/..", "./x", "/x", "a/b/c", "x/", ""])
def test_repositories_stay_in_their_folders(repo):
    with pytest.raises(ValidationError):
        HubFile(repo=repo, file="x")
    with pytest.raises(ValidationError):
        TokenizerChoice(repo=repo, max_length=8)


def test_names_that_are_right_are_taken():
    assert HubFile(repo="owner/net", file="folder/x..y.bin").file == "folder/x..y.bin"
    assert TokenizerChoice(repo="roberta-base", max_length=8).repo == "roberta-base"
    for name in ("timm:vit.a_b", "open_clip:hf-hub:owner/net", "random:x"):
        assert Card.model_validate(GLORIA.model_dump() | {"name": name}).name == name


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "//x/y", "https:///y", "https://x:port/y", "https://x/a b", "https://[x"]
)
def test_an_address_is_http_with_a_host(url):
    with pytest.raises(ValidationError):
        Weights(files=("net.safetensors",), page="https://example.org/net", url=url)


def test_an_address_that_is_one_is_taken():
    url = "https://example.org:8443/a/b.pth?download=1"
    assert Weights(files=("net.safetensors",), page="https://example.org/net", url=url).url == url
