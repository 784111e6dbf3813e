"""`benchx new dataset`: what it writes can be used as it is, and its test fails until it should not."""

from __future__ import annotations

from runpy import run_path

import pytest
import timm
import torch

from benchx.datasets.described.schema import Columns, Description
from benchx.datasets.description import read_description
from benchx.errors import UsageError, WeightsMissing
from benchx.images.spec import InputSpec
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, EncoderChoice, Fingerprint, Layout, Weights
from benchx.scaffold import new_dataset, new_method
from benchx.suites import read_suite


def test_its_test_fails_until_the_classes_are_named(tmp_path):
    description, suite, test = new_dataset("my-data", tmp_path / "new")
    assert [path.name for path in (description, suite, test)] == [
        "my-data.yaml",
        "my-data-suite.yaml",
        "test_my_data.py",
    ]
    with pytest.raises(AssertionError, match=r"name the dataset's classes in my-data\.yaml"):
        run_path(str(test))["test_the_classes_are_named"]()
    description.write_text(description.read_text().replace("CHANGE-ME", "Pneumonia"))
    run_path(str(test))["test_the_classes_are_named"]()


def test_its_test_looks_for_absent_classes_and_images(tmp_path, monkeypatch):
    description, _, test = new_dataset("mydata", tmp_path)
    description.write_text(description.read_text().replace("CHANGE-ME", "Pneumonia, Effusion"))
    (tmp_path / "mydata" / "images").mkdir(parents=True)
    (tmp_path / "mydata" / "images" / "a.png").touch()
    table = tmp_path / "mydata" / "labels.csv"
    monkeypatch.setenv("BENCHX_DATA", str(tmp_path))
    check = run_path(str(test))["test_every_class_is_there_and_no_image_is_missing"]
    for rows in ("a.png,Effusion\n", "a.png,Effusion\nb.png,Pneumonia\n"):
        table.write_text("image,label\n" + rows)
        with pytest.raises(AssertionError):
            check()


def test_the_suite_holds_this_dataset_alone(tmp_path):
    _, suite, _ = new_dataset("mydata", tmp_path)
    read = read_suite(str(suite))
    assert read.name == "mydata-suite"
    assert list(read.datasets) == ["mydata"]
    assert read.dataset("mydata").classes == ("CHANGE-ME",)
    assert set(read.protocols) == set(read_suite("chestxray").protocols)


def test_the_description_is_valid_with_and_without_its_options(tmp_path):
    path = new_dataset("mydata", tmp_path)[0]
    assert read_description(path).name == "mydata"
    text = path.read_text()
    for field in (*Description.model_fields, *Columns.model_fields):
        assert f"{field}: " in text or f"{field}:\n" in text, f"the template does not explain {field}"
    for field in ("family", "sample", "patient", "study", "view", "sex", "age", "split", "report", "separator"):
        text = text.replace(f"# {field}: ", f"{field}: ")
    for field in ("negative", "splits"):
        text = text.replace(f"# {field}: ", f"{field}: ")
    path.write_text(text)
    assert read_description(path).name == "mydata"


@pytest.mark.parametrize("taken", ["mydata.yaml", "mydata-suite.yaml", "test_mydata.py"])
def test_nothing_is_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_dataset("mydata", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


@pytest.mark.parametrize("name", ["", "My", "a b", "../a", "-a", "nih", "a_b", "a\n"])
def test_a_name_that_is_none_or_is_taken_is_refused(tmp_path, name):
    with pytest.raises(UsageError):
        new_dataset(name, tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_card_of_a_new_method_explains_every_field(tmp_path):
    card, test = new_method("my-method.v2", tmp_path / "new")
    assert [card.name, test.name] == ["my-method.v2.yaml", "test_my_method_v2.py"]
    assert read_card(str(card)).name == "my-method.v2"
    text = card.read_text()
    for schema in (Card, EncoderChoice, Fingerprint, InputSpec):
        for field in schema.model_fields:
            assert f"{field}: " in text or f"{field}:\n" in text, f"the template does not explain {field}"
    rare = {"package", "join", "lead", "transpose"}
    for field in {*Layout.model_fields, *Weights.model_fields} - rare:
        assert f"{field}: " in text or f"{field}:\n" in text, f"the template does not explain {field}"


def test_the_test_of_a_new_method_fails_until_its_checkpoint_is_there(tmp_path, monkeypatch):
    card, test = new_method("mine", tmp_path)
    check = "test_the_checkpoint_fills_the_encoder_and_features_differ_between_images"
    monkeypatch.setenv("BENCHX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"mine\.pth"):
        run_path(str(test))[check]()
    card.write_text(card.read_text().replace("CHANGE-ME", "test_resnet"))
    torch.save(timm.create_model("test_resnet", pretrained=False).state_dict(), tmp_path / "mine.pth")
    run_path(str(test))[check]()


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", "medklip", "a.yaml", "timm:x"])
def test_a_method_name_that_is_none_or_is_taken_is_refused(tmp_path, name):
    with pytest.raises(UsageError):
        new_method(name, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["mine.yaml", "test_mine.py"])
def test_nothing_of_a_method_is_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_method("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [taken]
