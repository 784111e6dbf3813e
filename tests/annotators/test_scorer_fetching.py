from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile

import pytest
from filelock import FileLock
from methods.hub_server import running_hub
from tiny_scorers import radgraph_config

from benchx.annotators.fetching import fetch_model
from benchx.annotators.models import find_model
from benchx.errors import CheckpointError, UsageError
from benchx.methods import downloading

SCORERS, ENCODER, BERT = (
    f"/{name}/resolve/main/" for name in ("StanfordAIMI/RRG_scorers", "owner/bert", "google-bert/bert-base-uncased")
)


@pytest.fixture
def hub(monkeypatch):
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: os.environ.get("HF_TOKEN"))
    monkeypatch.setattr(downloading, "PAUSES", (0, 0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        for repository in (ENCODER, BERT):
            hub.files |= {repository + name: name.encode() for name in ("config.json", "vocab.txt")}
        hub.files[SCORERS + "chexbert.pth"] = b"labeler"
        hub.files[SCORERS + "radgraph-xl.tar.gz"] = archive()
        yield hub


def archive(prefix: str = "", encoder: str = "owner/bert", **others: bytes) -> bytes:
    files = {
        "weights.th": b"weights",
        "config.json": json.dumps(radgraph_config(encoder)).encode(),
        "vocabulary/non_padded_namespaces.txt": b"*labels\n",
        "vocabulary/radgraph-xl__ner_labels.txt": b"\n",
        "log/out.txt": b"noise",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (files | others).items():
            if content:
                member = tarfile.TarInfo(prefix + name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def unseen(title):
    return lambda done, total: None


def contents(folder):
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} - {".fetch.lock"}


@pytest.mark.parametrize("prefix", ["", "./"])
def test_radgraph_comes_whole_with_the_encoder_that_it_names(hub, tmp_path, prefix):
    hub.files[SCORERS + "radgraph-xl.tar.gz"] = archive(prefix)
    titles = []
    model = fetch_model("radgraph-xl", tmp_path, lambda title: titles.append(title) or (lambda done, total: None))
    assert model == find_model("radgraph-xl", tmp_path)
    assert titles[0] == "radgraph-xl: radgraph-xl.tar.gz"
    parts = ["config.json", "weights.th", "encoder/config.json", "encoder/vocab.txt"]
    vocabulary = ["vocabulary/non_padded_namespaces.txt", "vocabulary/radgraph-xl__ner_labels.txt"]
    assert contents(tmp_path) == {f"radgraph-xl/{name}" for name in parts + vocabulary}
    hub.requests.clear()
    assert fetch_model("radgraph-xl", tmp_path, unseen) == model
    assert not hub.requests


def test_chexbert_comes_with_the_vocabulary_of_bert(hub, tmp_path):
    fetch_model("chexbert", tmp_path, unseen)
    assert find_model("chexbert", tmp_path) == tmp_path / "chexbert"
    assert contents(tmp_path) == {"chexbert/chexbert.pth", "chexbert/config.json", "chexbert/vocab.txt"}


def test_only_what_is_missing_is_fetched(hub, tmp_path):
    fetch_model("radgraph-xl", tmp_path, unseen)
    (tmp_path / "radgraph-xl" / "encoder" / "vocab.txt").unlink()
    hub.requests.clear()
    fetch_model("radgraph-xl", tmp_path, unseen)
    assert not any("RRG_scorers" in request.path for request in hub.requests)


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "vocabulary/../../escaped.txt"])
def test_nothing_leaves_the_folder(hub, tmp_path, name):
    hub.files[SCORERS + "radgraph-xl.tar.gz"] = archive(**{name: b"evil"})
    with contextlib.suppress(CheckpointError):
        fetch_model("radgraph-xl", tmp_path / "inner" / "folder", unseen)
    assert not list(tmp_path.rglob("escaped*"))


def test_an_archive_that_reaches_out_is_refused(hub, tmp_path):
    hub.files[SCORERS + "radgraph-xl.tar.gz"] = archive(**{"vocabulary/../../escaped.txt": b"evil"})
    with pytest.raises(CheckpointError, match="does not unpack"):
        fetch_model("radgraph-xl", tmp_path, unseen)
    assert not (tmp_path / "radgraph-xl" / "weights.th").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no archive", "does not unpack"),
        (archive()[:200], "does not unpack"),
        (archive(**{"weights.th": b""}), "is not the archive of a RadGraph model"),
        (archive(**{"config.json": b"{}"}), "is not the configuration of a RadGraph model"),
        (archive(encoder="/home/me/bert"), "is not on the hub"),
        (archive(encoder="owner/gone"), "is not complete"),
    ],
)
def test_what_is_no_radgraph_is_one_error(hub, tmp_path, body, said):
    hub.files[SCORERS + "radgraph-xl.tar.gz"] = body
    with pytest.raises(CheckpointError, match=said) as stopped:
        fetch_model("radgraph-xl", tmp_path, unseen)
    assert len(str(stopped.value).splitlines()) == 3


def test_a_file_that_is_gone_or_gated_says_where_to_look(hub, tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"radgraph.tar.gz of the scorer 'radgraph' is not given.*\n.*404"):
        fetch_model("radgraph", tmp_path, unseen)
    hub.gated.add(SCORERS + "chexbert.pth")
    with pytest.raises(CheckpointError, match="401.*licence.*\n.*HF_TOKEN"):
        fetch_model("chexbert", tmp_path, unseen)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert fetch_model("chexbert", tmp_path, unseen).is_dir()


def test_refusals_are_one_error(hub, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="unknown scorer"):
        fetch_model("green", tmp_path, unseen)
    with FileLock(tmp_path / ".fetch.lock"), pytest.raises(UsageError, match="another fetch is at work"):
        fetch_model("chexbert", tmp_path, unseen)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        fetch_model("chexbert", tmp_path / "file", unseen)
    monkeypatch.setenv("HF_TOKEN", "hf_a\nX: y")
    with pytest.raises(UsageError, match="HF_TOKEN is not a token") as stopped:
        fetch_model("chexbert", tmp_path, unseen)
    assert "hf_a" not in str(stopped.value)
    monkeypatch.setenv("HF_ENDPOINT", "ftp://x")
    with pytest.raises(UsageError, match="no address of a hub"):
        fetch_model("chexbert", tmp_path, unseen)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        fetch_model("chexbert", tmp_path, unseen)
    assert not hub.requests
