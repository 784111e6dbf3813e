from __future__ import annotations

import importlib.metadata

import pytest
from tiny_scorers import write_encoder, write_radgraph

from benchx.annotators.models import SCORERS, find_model, missing_files, scorer_digest
from benchx.errors import UsageError, WeightsMissing


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    monkeypatch.delenv("BENCHX_SCORERS", raising=False)


@pytest.fixture
def radgraph(tmp_path):
    model = write_radgraph(tmp_path)
    (model / "weights.th").write_bytes(b"weights")
    return model


@pytest.fixture
def chexbert(tmp_path):
    model = tmp_path / "chexbert"
    write_encoder(model)
    (model / "chexbert.pth").write_bytes(b"weights")
    return model


def test_the_models_folder_the_one_above_and_the_environments_are_found(radgraph, monkeypatch):
    assert find_model("radgraph-xl", radgraph) == find_model("radgraph-xl", radgraph.parent) == radgraph
    monkeypatch.chdir(radgraph)
    assert find_model("radgraph-xl", type(radgraph)(".")) == radgraph
    monkeypatch.setenv("BENCHX_SCORERS", str(radgraph.parent))
    assert find_model("radgraph-xl") == radgraph


def test_a_link_keeps_the_scorers_name(radgraph, tmp_path):
    (tmp_path / "links").mkdir()
    moved = radgraph.rename(tmp_path / "elsewhere")
    (tmp_path / "links" / "radgraph-xl").symlink_to(moved)
    assert find_model("radgraph-xl", tmp_path / "links").name == "radgraph-xl"


def test_a_file_of_annotations_takes_a_models_place(tmp_path):
    file = tmp_path / "annotations.json"
    file.write_text("{}")
    assert find_model("radgraph", file) == find_model("chexbert", file) == file
    empty = scorer_digest(file)
    file.write_text('{"0": {}}')
    assert scorer_digest(file) != empty


def test_no_folder_says_what_to_set():
    with pytest.raises(WeightsMissing, match="BENCHX_SCORERS"):
        find_model("radgraph")
    with pytest.raises(UsageError, match="did you mean 'radgraph'"):
        find_model("radgraf")


@pytest.mark.parametrize(
    "file",
    ["config.json", "weights.th", "vocabulary/non_padded_namespaces.txt", "encoder/config.json", "encoder/vocab.txt"],
)
def test_an_incomplete_radgraph_says_what_is_missing_and_where_it_comes_from(radgraph, file):
    (radgraph / file).unlink()
    with pytest.raises(WeightsMissing) as stopped:
        find_model("radgraph-xl", radgraph)
    text = str(stopped.value)
    assert text.startswith(f"no model for the scorer 'radgraph-xl': {file}\n")
    for said in ("StanfordAIMI/RRG_scorers", "radgraph-xl.tar.gz", "licence", "encoder/"):
        assert said in text


@pytest.mark.parametrize("file", ["chexbert.pth", "config.json", "vocab.txt"])
def test_an_incomplete_chexbert_says_so_too(chexbert, file):
    (chexbert / file).unlink()
    with pytest.raises(WeightsMissing, match=file) as stopped:
        find_model("chexbert", chexbert.parent)
    assert "bert-base-uncased" in str(stopped.value)


def test_an_empty_folder_lacks_everything(tmp_path):
    for name, scorer in SCORERS.items():
        assert set(missing_files(name, tmp_path / name)) > set(scorer.files)


@pytest.mark.parametrize(
    "file",
    ["config.json", "weights.th", "vocabulary/radgraph-xl__ner_labels.txt", "encoder/vocab.txt", "encoder/config.json"],
)
def test_the_digest_follows_every_file_that_matters(radgraph, file):
    before = scorer_digest(radgraph)
    assert scorer_digest(radgraph) == before
    (radgraph / "vocabulary" / ".lock").touch()
    (radgraph / "README.md").touch()
    assert scorer_digest(radgraph) == before
    with (radgraph / file).open("ab") as changed:
        changed.write(b" ")
    assert scorer_digest(radgraph) != before


def test_the_digest_does_not_follow_the_place_but_the_version_of_radgraph(radgraph, tmp_path, monkeypatch):
    before = scorer_digest(radgraph)
    (tmp_path / "other").mkdir()
    assert scorer_digest(radgraph.rename(tmp_path / "other" / "radgraph-xl")) == before
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1.19")
    assert scorer_digest(tmp_path / "other" / "radgraph-xl") != before


def test_a_missing_package_is_named(radgraph, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    with pytest.raises(UsageError, match="pip install .benchx.radgraph"):
        scorer_digest(radgraph)
