"""Tokenizers from local folders of every kind, without network and without code of the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchx.errors import UsageError, WeightsMissing
from benchx.methods.cards.schema import TokenizerChoice
from benchx.methods.text.tokenizer import LocalTokenizer, read_tokenizer
from benchx.methods.weights import tokenizer_folder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "pleural", "effusion", "pneumo", "##thorax", "##s"]
CHOICE = TokenizerChoice(repo="owner/name", max_length=6)


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tokenizer_folder(CHOICE, tmp_path)
    folder.mkdir(parents=True)
    return folder


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")


def test_a_bare_vocabulary(tmp_path, folder):
    write_vocabulary(folder)
    tokens = LocalTokenizer(CHOICE, tmp_path)(["No pneumothoraxs", ""])
    assert tokens.ids.tolist() == [[2, 5, 8, 9, 10, 3], [2, 3, 0, 0, 0, 0]]
    assert tokens.mask.tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0]]
    assert tokens.continued.tolist() == [[False, False, False, True, True, False], [False] * 6]


def test_long_texts_are_cut_with_their_special_tokens_kept(tmp_path, folder):
    write_vocabulary(folder)
    assert LocalTokenizer(CHOICE, tmp_path)(["no " * 20]).ids.tolist() == [[2, 5, 5, 5, 5, 3]]


def test_padding_to_the_maximal_length(tmp_path, folder):
    write_vocabulary(folder)
    padded = CHOICE.model_copy(update={"padded": True})
    assert LocalTokenizer(padded, tmp_path)(["no"]).ids.tolist() == [[2, 5, 3, 0, 0, 0]]
    assert LocalTokenizer(CHOICE, tmp_path)(["no"]).ids.tolist() == [[2, 5, 3]]


def test_a_class_of_the_folders_own_is_not_run(tmp_path, folder):
    write_vocabulary(folder)
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    own = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(own))
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}))
    assert LocalTokenizer(CHOICE, tmp_path)(["no"]).ids.tolist() == [[2, 5, 3]]
    assert not (tmp_path / "ran").exists()


def test_a_fast_tokenizer(tmp_path, folder):
    write_vocabulary(folder)
    read_tokenizer(folder).save_pretrained(folder)
    (folder / "vocab.txt").unlink()
    assert (folder / "tokenizer.json").is_file()
    assert LocalTokenizer(CHOICE, tmp_path)(["no effusion"]).ids.tolist() == [[2, 5, 7, 3]]


def test_clips_tokenizer(tmp_path, folder):
    pieces = ["n", "o", "o</w>", "no</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({piece: index for index, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\nn o</w>\n")
    tokens = LocalTokenizer(CHOICE, tmp_path)(["No", "no no"])
    assert tokens.ids.tolist() == [[4, 3, 5, 5], [4, 3, 3, 5]]
    assert tokens.mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert not torch.any(tokens.continued)


def test_absent_files(tmp_path, folder):
    for root in (None, tmp_path / "other", tmp_path):
        with pytest.raises(WeightsMissing, match="no tokenizer of owner/name"):
            LocalTokenizer(CHOICE, root)(["no"])


def test_damaged_files(tmp_path, folder):
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="does not read"):
        LocalTokenizer(CHOICE, tmp_path)(["no"])


def test_no_texts(tmp_path):
    with pytest.raises(UsageError, match="no texts"):
        LocalTokenizer(CHOICE, tmp_path)([])
