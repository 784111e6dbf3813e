"""`benchx methods` as a user calls it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from benchx.digests import digest_file
from benchx.methods.certificates import Certificate
from benchx.resources import resource_dir

BODY = os.urandom(3000)
SHA256 = hashlib.sha256(BODY).hexdigest()
METHOD = "random-efficientnet-lite0"


@pytest.fixture
def methods(benchx):
    """Call `benchx methods`: no error may be an unforeseen one."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code, out, err = benchx("methods", *arguments)
        assert "unforeseen" not in err
        return code, out, err

    return call


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "methods")
    from hub_server import running_hub

    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("benchx.methods.downloading.PAUSES", (0, 0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files["/owner/net/resolve/main/net.pth"] = BODY
        yield hub


@pytest.fixture
def card(tmp_path):
    """Write a card with weights on the hub, with changes."""

    def write(name: str = "net", **weights: object) -> Path:
        raw = yaml.safe_load((resource_dir("baselines") / "imagenet-resnet50.yaml").read_text())
        known = {"files": ["net.pth"], "page": "https://example.org", "sha256": SHA256}
        hub = {"hub": {"repo": "owner/net", "file": "net.pth"}}
        file = tmp_path / "card.yaml"
        file.write_text(yaml.safe_dump({**raw, "name": name, "weights": {**known, **(weights or hub)}}))
        return file

    return write


@pytest.fixture
def certified(monkeypatch):
    """Let every method agree with its official code, without computing."""
    found = Certificate(METHOD, "owner/code", "0" * 40, "that code", "1" * 64, "2" * 64, 64, 1e-7)
    monkeypatch.setattr("benchx.methods.certifying.certify", lambda name: found)
    return found


def test_fetch_shows_licence_and_file_and_keeps_what_is_there(methods, hub, card):
    code, out, _ = methods("fetch", card(), "--root", "weights")
    assert code == 0
    assert Path("weights/net/net.pth").read_bytes() == BODY
    for said in ("licence: ", "weights/net/net.pth (fetched", SHA256, "as on the card"):
        assert said in out
    assert "was there" in methods("fetch", card(), "--root", "weights")[1]
    assert len(hub.asked("send")) == 1


def test_fetch_goes_to_the_weights_root_of_the_environment(methods, hub, card, monkeypatch):
    code, _, err = methods("fetch", card())
    assert code == 2
    assert "no weights root" in err
    monkeypatch.setenv("BENCHX_WEIGHTS", "mine")
    assert methods("fetch", card())[0] == 0
    assert Path("mine/net/net.pth").is_file()


@pytest.mark.parametrize("root", ["card.yaml", "card.yaml/x", "/proc/nope"])
def test_fetch_into_what_is_no_folder(methods, hub, card, root):
    code, _, err = methods("fetch", card(), "--root", root)
    assert code == 2
    assert "--root" in err


def test_fetch_of_what_is_not_there(methods, hub, card):
    hub.files.clear()
    code, _, err = methods("fetch", card(), "--root", "weights")
    assert code == 1
    assert "404" in err


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"files": ["../../net.pth"], "page": "x"}, "weights.files"),
        ({"url": "file:///etc/passwd"}, "weights.url"),
        ({"hub": {"repo": "../..", "file": "x"}}, "weights.hub.repo"),
        ({"name": "a/../../b"}, "name"),
    ],
)
def test_a_card_that_leads_out_of_the_weights_root_is_refused(methods, hub, card, change, where):
    code, _, err = methods("fetch", card(**change), "--root", "weights")
    assert code == 2
    assert f"is not a valid method card: {where}" in err
    assert not hub.requests
    assert not Path("weights").exists()


def test_check_reports_as_json(methods):
    code, out, _ = methods("check", "random:timm:test_vit", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["checkpoint"], report["missing"], report["dim"]) == (None, 0, 64)
    assert len(report["features"]["first"]) == 4


def test_check_of_a_folder(methods):
    code, _, err = methods("check", "mrm", "--checkpoint", ".")
    assert code == 1
    assert "it is a folder, not a file" in err


def test_convert_writes_safetensors_once(methods):
    torch.save({"net": {"model": {"w": torch.arange(6.0)}}, "ema": {"w": torch.ones(2)}}, "net.pth")
    code, out, _ = methods("convert", "net.pth", "net.safetensors", "--container", "net.model")
    assert code == 0
    assert "1 tensors" in out
    assert digest_file(Path("net.safetensors")) in out
    assert load_file("net.safetensors")["w"].tolist() == list(range(6))
    code, _, err = methods("convert", "net.pth", "net.safetensors", "--container", "net.model")
    assert code == 2
    assert "exists already" in err


def test_certify_writes_into_the_folder_of_out(methods, certified):
    code, out, _ = methods("certify", METHOD, "--out", "mine")
    assert code == 0
    assert f"written: mine/{METHOD}.json" in out
    assert json.loads(Path(f"mine/{METHOD}.json").read_text())["commit"] == certified.commit
    code, out, _ = methods("certify", METHOD, "--out", "mine", "--json")
    assert json.loads(out)["figures"] == 64


def test_certify_where_nothing_can_be_written(methods, certified, monkeypatch):
    Path("file").write_bytes(b"")
    code, _, err = methods("certify", METHOD, "--out", "file/x")
    assert code == 1
    assert "give --out DIR" in err
    monkeypatch.setattr("benchx.methods.certificates.resource_dir", lambda kind: Path("/proc") / kind)
    code, _, err = methods("certify", METHOD)
    assert code == 1
    assert "/proc/baselines/certificates" in err
    assert "give --out DIR" in err
