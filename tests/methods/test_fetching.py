from __future__ import annotations

import hashlib
import os

import pytest
from filelock import FileLock
from hub_server import Hub, running_hub

from benchx.errors import BenchxError, CheckpointError, UsageError, WeightsMissing
from benchx.methods import downloading
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.fetching import fetch

BODY = os.urandom(5000)
SHA256 = hashlib.sha256(BODY).hexdigest()
PATH = "/owner/net/resolve/v1/model.safetensors"


@pytest.fixture
def hub(monkeypatch):
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: os.environ.get("HF_TOKEN"))
    monkeypatch.setattr(downloading, "PAUSES", (0, 0))
    monkeypatch.setattr(downloading, "BLOCK", 1000)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files[PATH] = BODY
        yield hub


def card(**weights) -> Card:
    source = {"hub": {"repo": "owner/net", "file": "model.safetensors", "revision": "v1"}} | weights
    known = {"files": ("net.safetensors",), "page": "https://example.org/net", "sha256": SHA256} | source
    return read_card("gloria").model_copy(
        update={"name": "net", "weights": Card.model_fields["weights"].annotation(**known), "text": None}
    )


def with_text(one: Card, **text) -> Card:
    tower = {"name": "bert", "tokenizer": {"repo": "owner/words", "max_length": 8}} | text
    return one.model_copy(update={"text": Card.model_validate(one.model_dump() | {"text": tower}).text})


def unseen(title):
    return lambda done, total: None


def part(root):
    return root / "net" / "net.safetensors.part"


def breaks_off(hub: Hub, root, after: int) -> None:
    """Leave a download of `after` bytes behind."""
    hub.cut = after
    with pytest.raises(CheckpointError, match=f"cut short\nwhy: {after} of 5000 bytes"):
        fetch(card(), root, unseen)
    assert part(root).read_bytes() == BODY[:after]
    hub.requests.clear()


def test_a_hub_file_comes_by_redirect_checked_and_with_progress(hub, tmp_path):
    seen = []
    (done,) = fetch(card(), tmp_path, lambda title: lambda *advance: seen.append((title, *advance)))
    assert (done.path, done.sha256, done.official, done.new) == (
        tmp_path / "net" / "net.safetensors",
        SHA256,
        True,
        True,
    )
    assert done.path.read_bytes() == BODY
    assert seen == [("net: net.safetensors", size, 5000) for size in range(1000, 6000, 1000)]
    assert [file.name for file in done.path.parent.iterdir()] == ["net.safetensors"]


def test_a_url_is_fetched_without_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    (done,) = fetch(card(hub=None, url=hub.store_url + PATH), tmp_path, unseen)
    assert done.path.read_bytes() == BODY
    assert not hub.asked("resolve")
    assert "Authorization" not in hub.asked("send")[0].headers


def test_what_is_there_is_kept_and_nothing_is_asked(hub, tmp_path):
    fetch(card(), tmp_path, unseen)
    hub.requests.clear()
    (done,) = fetch(card(), tmp_path, unseen)
    assert (done.new, done.official, hub.requests) == (False, True, [])


def test_without_a_known_sha256_any_file_is_kept_and_its_sha256_told(hub, tmp_path):
    (done,) = fetch(card(sha256=None), tmp_path, unseen)
    assert (done.official, done.sha256) == (None, SHA256)
    assert SHA256 in str(done)
    done.path.write_bytes(b"mine")
    (kept,) = fetch(card(sha256=None), tmp_path, unseen)
    assert (kept.new, kept.path.read_bytes()) == (False, b"mine")


def test_a_file_that_is_not_the_official_one_is_fetched_anew(hub, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.safetensors").write_bytes(b"another")
    (done,) = fetch(card(), tmp_path, unseen)
    assert (done.new, done.path.read_bytes()) == (True, BODY)


def test_a_broken_off_download_goes_on(hub, tmp_path):
    breaks_off(hub, tmp_path, 2500)
    (done,) = fetch(card(), tmp_path, unseen)
    assert done.path.read_bytes() == BODY
    assert [request.headers.get("Range") for request in hub.asked("send")] == ["bytes=2500-"]
    assert not part(tmp_path).exists()


@pytest.mark.parametrize("checks_if_range", [True, False])
def test_a_file_that_changed_meanwhile_starts_anew(hub, tmp_path, checks_if_range):
    hub.checks_if_range = checks_if_range
    breaks_off(hub, tmp_path, 2500)
    hub.files[PATH] = BODY[::-1]
    (done,) = fetch(card(sha256=None), tmp_path, unseen)
    assert done.path.read_bytes() == BODY[::-1]


def test_a_server_without_ranges_starts_anew(hub, tmp_path):
    hub.knows_ranges = False
    breaks_off(hub, tmp_path, 2500)
    (done,) = fetch(card(), tmp_path, unseen)
    assert done.path.read_bytes() == BODY


def test_a_weak_etag_does_not_promise_the_same_bytes(hub, tmp_path):
    hub.weak_etags = True
    breaks_off(hub, tmp_path, 2500)
    fetch(card(), tmp_path, unseen)
    assert "Range" not in hub.asked("send")[0].headers


def test_a_part_that_was_whole_is_fetched_anew(hub, tmp_path):
    breaks_off(hub, tmp_path, 2500)
    part(tmp_path).write_bytes(BODY)
    (done,) = fetch(card(), tmp_path, unseen)
    assert done.path.read_bytes() == BODY


def test_a_body_of_unknown_length_is_taken(hub, tmp_path):
    hub.says_length = False
    (done,) = fetch(card(), tmp_path, unseen)
    assert done.path.read_bytes() == BODY


def test_passing_failures_of_the_server_are_tried_again(hub, tmp_path):
    hub.failures = [503, 429]
    (done,) = fetch(card(), tmp_path, unseen)
    assert done.path.read_bytes() == BODY
    assert len(hub.asked("send")) == 3


def test_lasting_failures_are_one_error(hub, tmp_path):
    hub.failures = [500] * 3
    with pytest.raises(CheckpointError, match="the server answers 500"):
        fetch(card(), tmp_path, unseen)


def test_no_network_is_one_error(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="check the network"):
        fetch(card(), tmp_path, unseen)


def test_another_file_than_the_cards_never_gets_the_name(hub, tmp_path):
    with pytest.raises(CheckpointError, match=f"its sha256 is {SHA256}, the card's is {'0' * 64}"):
        fetch(card(sha256="0" * 64), tmp_path, unseen)
    assert list((tmp_path / "net").iterdir()) == []


def test_a_web_page_is_refused(hub, tmp_path):
    hub.content_type = "text/html; charset=utf-8"
    with pytest.raises(CheckpointError, match="is a web page"):
        fetch(card(hub=None, url=hub.store_url + PATH, sha256=None), tmp_path, unseen)
    assert list((tmp_path / "net").iterdir()) == []


def test_a_full_disk_is_an_error_before_the_download(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda _: downloading.shutil._ntuple_diskusage(9, 9, 4999))
    with pytest.raises(CheckpointError, match="does not fit on the disk"):
        fetch(card(), tmp_path, unseen)


@pytest.mark.parametrize("block", [1000, 10_000])
def test_a_disk_that_fills_up_meanwhile_is_one_error(hub, tmp_path, monkeypatch, block):
    monkeypatch.setattr(downloading, "BLOCK", block)
    (tmp_path / "net").mkdir()
    part(tmp_path).symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"cannot be written\nwhy: No space left on device\ndo:  make room"):
        fetch(card(), tmp_path, unseen)
    assert len(hub.asked("send")) == 1


def test_a_file_where_a_folder_should_be_is_one_error(hub, tmp_path):
    (tmp_path / "net").write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be written"):
        fetch(card(), tmp_path, unseen)


@pytest.mark.parametrize("root", ["{file}", "{file}/sub", "/proc/nope"])
def test_a_root_that_cannot_be_used_is_one_error(hub, tmp_path, root):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=r"weights root .* cannot be used\n.*\ndo:  give another --root"):
        fetch(card(), type(tmp_path)(root.format(file=tmp_path / "file")), unseen)
    assert not hub.requests


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("{here}", "307: it redirects in a circle"),
        ("file:///etc/passwd", "it redirects to file:///etc/passwd, but an address begins with http"),
        ("ftp://127.0.0.1/x", "it redirects to ftp://127.0.0.1/x, but"),
        ("http://127.0.0.1:port/x", "it redirects to http://127.0.0.1:port/x, but"),
    ],
)
def test_redirects_that_lead_nowhere_are_told_in_one_line_and_not_tried_again(hub, tmp_path, to, said):
    hub.moved[PATH] = to.format(here=PATH)
    with pytest.raises(CheckpointError, match=said) as stopped:
        fetch(card(), tmp_path, unseen)
    assert len(str(stopped.value).splitlines()) == 3
    assert len(hub.requests) <= 5


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/x", "http://127.0.0.1/a b", "http://[::1/x", "no address"])
def test_a_malformed_address_is_not_tried_again(tmp_path, monkeypatch, url):
    monkeypatch.setattr(downloading.time, "sleep", lambda _: pytest.fail("tried again"))
    with pytest.raises(CheckpointError, match=r"the address is malformed.*\ndo:  mend the address in the card"):
        downloading.download(url, tmp_path / "x", lambda done, total: None)


@pytest.mark.parametrize("endpoint", ["ftp://x", "huggingface.co", "http://", "http://x:port"])
def test_a_hub_that_is_no_address_is_one_error(hub, tmp_path, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(UsageError, match=f"HF_ENDPOINT is {endpoint.rstrip('/')}"):
        fetch(card(), tmp_path, unseen)


@pytest.mark.parametrize("token", ["hf_sécret", "hf_a\nX: y"])
def test_a_token_that_no_header_takes_is_an_error_that_does_not_show_it(hub, tmp_path, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UsageError, match="HF_TOKEN is not a token") as stopped:
        fetch(card(), tmp_path, unseen)
    assert token not in str(stopped.value)


def test_a_gated_file_says_what_to_accept_where_and_how_to_give_a_token(hub, tmp_path):
    hub.gated.add(PATH)
    with pytest.raises(CheckpointError) as stopped:
        fetch(card(gated="accept the data use agreement"), tmp_path, unseen)
    text = str(stopped.value)
    for said in ("accept the data use agreement", "401", "restricted", "Apache-2.0", "example.org/net", "HF_TOKEN"):
        assert said in text
    assert len(hub.requests) == 1


def test_what_a_server_says_is_one_line(hub, tmp_path):
    hub.gated.add(PATH)
    hub.says = "no\t\taccess \x1c here"
    with pytest.raises(CheckpointError, match="401: no access here"):
        fetch(card(), tmp_path, unseen)


@pytest.mark.parametrize("denial", [401, 403])
def test_a_token_without_access_is_told_apart(hub, tmp_path, monkeypatch, denial):
    hub.gated.add(PATH)
    hub.denial = denial
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(CheckpointError, match="the one in use has no access") as stopped:
        fetch(card(), tmp_path, unseen)
    assert "hf_other" not in str(stopped.value)


def test_the_token_goes_to_the_hub_alone(hub, tmp_path, monkeypatch):
    hub.gated.add(PATH)
    hub.moved["/owner/old/resolve/v1/model.safetensors"] = PATH
    monkeypatch.setenv("HF_TOKEN", hub.token)
    old = {"repo": "owner/old", "file": "model.safetensors", "revision": "v1"}
    fetch(card(hub=old), tmp_path, unseen)
    assert [request.headers.get("Authorization") for request in hub.asked("resolve")] == ["Bearer hf_secret"] * 2
    assert ["Authorization" in request.headers for request in hub.asked("send")] == [False]


def test_a_file_or_revision_that_is_not_there_is_an_error(hub, tmp_path):
    with pytest.raises(CheckpointError, match=r"is not at .*\n.*404: Entry not found"):
        fetch(card(hub={"repo": "owner/net", "file": "model.safetensors", "revision": "v2"}), tmp_path, unseen)


def test_a_file_that_only_a_person_gets_says_where_and_where_to_put_it(hub, tmp_path):
    with pytest.raises(WeightsMissing) as stopped:
        fetch(card(hub=None), tmp_path, unseen)
    assert "example.org/net" in str(stopped.value)
    assert str(tmp_path / "net" / "net.safetensors") in str(stopped.value)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.safetensors").write_bytes(BODY)
    assert not fetch(card(hub=None), tmp_path, unseen)[0].new
    (tmp_path / "net" / "net.safetensors").write_bytes(b"another")
    with pytest.raises(CheckpointError, match="is not the official file"):
        fetch(card(hub=None), tmp_path, unseen)
    assert not hub.requests


def test_text_tower_and_tokenizer_come_too_even_if_the_images_weights_cannot(hub, tmp_path):
    words = {"page": "https://example.org/words", "files": ("words.bin",)}
    words["hub"] = {"repo": "owner/words", "file": "words.bin"}
    hub.files |= {
        f"/owner/words/resolve/main/{name}": name.encode() for name in ("words.bin", "vocab.txt", "config.json")
    }
    with pytest.raises(WeightsMissing, match="by hand"):
        fetch(with_text(card(hub=None), weights=words), tmp_path, unseen)
    assert (tmp_path / "net" / "text" / "words.bin").read_bytes() == b"words.bin"
    folder = tmp_path / "tokenizers" / "owner--words"
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "vocab.txt"]
    done = fetch(with_text(card(), weights=words), tmp_path, unseen)
    assert [file.new for file in done] == [True, False, False, False]


def test_what_fails_and_what_a_person_has_to_get_are_both_said(hub, tmp_path):
    words = {"page": "https://example.org/words", "files": ("words.bin",)}
    words["hub"] = {"repo": "owner/words", "file": "words.bin"}
    hub.files["/owner/words/resolve/main/vocab.txt"] = b"vocab.txt"
    with pytest.raises(CheckpointError) as stopped:
        fetch(with_text(card(hub=None), weights=words), tmp_path, unseen)
    for said in ("net.safetensors of 'net' has to be fetched by hand", "words.bin of 'net' is not at", "404"):
        assert said in str(stopped.value)
    assert not isinstance(stopped.value, WeightsMissing)
    assert (tmp_path / "tokenizers" / "owner--words" / "vocab.txt").is_file()


def test_a_repository_without_tokenizer_files_is_an_error(hub, tmp_path):
    with pytest.raises(CheckpointError, match="no tokenizer of 'net' in the repository owner/words"):
        fetch(with_text(card()), tmp_path, unseen)


def test_random_and_packaged_weights_need_no_fetching(hub, tmp_path):
    with pytest.raises(UsageError, match="drawn from seed 0"):
        fetch(read_card("random-resnet50"), tmp_path, unseen)
    (done,) = fetch(read_card("imagenet-efficientnet-lite0"), tmp_path, unseen)
    assert (done.new, done.official) == (False, True)
    assert not hub.requests


def test_offline_contacts_nothing(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        fetch(card(), tmp_path, unseen)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BenchxError, match="HF_HUB_OFFLINE is set"):
        fetch(card(hub=None, url=hub.store_url + PATH), tmp_path, unseen)
    assert not hub.requests


def test_two_fetches_do_not_write_one_file(hub, tmp_path):
    with FileLock(tmp_path / ".fetch.lock"), pytest.raises(UsageError, match="another fetch is at work"):
        fetch(card(), tmp_path, unseen)
