"""Methods that query an image with texts: what they are asked, and their heat maps in a cell, image by image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_method import SmallEncoder
from torch import nn

from benchx.cell import execute
from benchx.errors import UsageError
from benchx.images.geometry import prepare
from benchx.images.masks import prepare_masks
from benchx.images.spec import InputSpec
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.kad import kad
from benchx.methods.scorers.medklip import medklip
from benchx.methods.scorers.medslip import medslip
from benchx.methods.text.base import TextFeatures
from benchx.metrics.grounding import THRESHOLDS, best_threshold, grounding
from benchx.phantom.writers import write
from benchx.planning import Cell
from benchx.prompts.queries import NAMES
from benchx.prompts.schema import Descriptions, Pairs, Queries
from benchx.protocols import ZeroShot
from benchx.results.store import Store
from benchx.tasks.zero_shot.asking import ask
from benchx.tasks.zero_shot.grounding import heat_of
from benchx.tasks.zero_shot.rules import COMMON, rule_of
from benchx.tasks.zero_shot.scores import fault
from benchx.workspace import Workspace

FAMILY = ("medklip", "medslip", "kad")
CLASSES = ("Effusion", "Cardiomegaly", "Mass")
DESCRIBED = {
    "kind": "descriptions",
    "classes": {"Normal": "Nothing.", "Mass": "A lump.", "Effusion": "Fluid.", "Cardiomegaly": "A large heart."},
}
SMALL = InputSpec(size=64, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)
PAIRS = Pairs.model_validate({"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["no {}"]}})


class Querying(SmallEncoder):
    """Patches of 16 pixels, queried by MedKLIP's scorer with random weights."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.token_projection = nn.Linear(8, 256)
            self.scorer = medklip()

    def encode_text(self, texts) -> TextFeatures:
        found = super().encode_text(texts).embedding.repeat(1, 64)
        return TextFeatures(found, found)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("queries")
    write("nih", root / "nih", 60, 3, 72, lambda done, total: None)
    (root / "weights.pt").write_bytes(b"weights")
    (root / "medklip" / "text").mkdir(parents=True)
    (root / "medklip" / "text" / "pytorch_model.bin").write_bytes(b"text")
    return root


@pytest.fixture
def workspace(place, tmp_path, monkeypatch) -> Workspace:
    made = Workspace(
        Store(tmp_path),
        cards={"medklip": read_card("medklip").model_copy(update={"input": SMALL})},
        roots={"nih": place / "nih"},
        weights_root=place,
        checkpoints={"medklip": place / "weights.pt"},
    )
    monkeypatch.setattr(made, "load_encoder", lambda method, size, text: Querying().eval())
    samples, (fold,) = made.dataset(cell().reading).samples, made.folds(cell().reading).folds
    samples.labels[fold.test] = (np.add.outer(np.arange(len(fold.test)), np.arange(samples.labels.shape[1])) // 2) % 2
    return made


def cell(batch: int = 16, prompts=DESCRIBED, split: str = "official") -> Cell:
    recipe = ZeroShot.model_validate(
        {
            "kind": "zero-shot",
            "input": {"preprocessing": "card", "size": None},
            "feature_batch": batch,
            "precision": "fp32",
            "prompts": prompts,
            "scoring": "official",
            "grounding": True,
        }
    )
    settings = {
        "protocol": recipe.model_dump(mode="json"),
        "classes": list(CLASSES),
        "uncertain": "unknown",
        "short_side": 72,
    }
    return Cell("s", 1, "medklip", "nih", "zero_shot", "zero-shot", split, 1.0, None, "macro_auroc", settings)


def heat_columns(workspace: Workspace, record):
    table = workspace.store.predictions(record.key).set_index("sample")
    assert fault(table.reset_index()) is None
    return table[[name for name in table if name.startswith(("pointing", "heat"))]].astype(np.float64)


def maps_of(workspace: Workspace, rows) -> np.ndarray:
    """Attention of the three classes, one image at a time, [n, 3, 4, 4]."""
    encoder, pixels = Querying().eval(), workspace.dataset(cell().reading).pixels
    names = list(DESCRIBED["classes"])
    with torch.inference_mode():
        text = encoder.encode_text(list(DESCRIBED["classes"].values()))
        seen = [encoder.encode(prepare(pixels.images([row]), SMALL)) for row in rows]
        maps = torch.cat([encoder.scorer.attention(encoder, one, text) for one in seen])
    return maps[:, [names.index(one) for one in CLASSES]].numpy()


def outlines(workspace: Workspace, rows) -> list[tuple[int, int, np.ndarray]]:
    """Position among the rows, class and mask of everything that is outlined."""
    dataset = workspace.dataset(cell().reading)
    found = []
    for position, row in enumerate(rows):
        sample = dataset.samples.table["sample"][row]
        if sample not in dataset.samples.regions:
            continue
        masks = dataset.samples.masks(sample, *map(int, dataset.pixels.original_shapes[row]))
        for index, name in enumerate(CLASSES):
            mask = prepare_masks([masks[[dataset.samples.mask_classes.index(name)]]], SMALL)[0, 0]
            if mask.any():
                found.append((position, index, mask))
    return found


def test_heat_maps_of_a_cell_are_the_attention_at_a_threshold_of_validation(workspace):
    """Cross-validation, because all outlines of ChestX-ray14 are of its official test images."""
    record = execute(cell(split="cv5"), workspace)
    columns = heat_columns(workspace, record)
    samples = workspace.dataset(cell().reading).samples.table["sample"]
    drawn = outlines(workspace, range(len(samples)))
    maps = maps_of(workspace, range(len(samples)))
    fits = {(row, index): grounding(maps[row, index], mask) for row, index, mask in drawn}
    thresholds = set()
    for number, fold in enumerate(workspace.folds(cell(split="cv5").reading).folds):
        for index, name in enumerate(CLASSES):
            known = [fits[row, index].ious for row in fold.val if (row, index) in fits]
            place = best_threshold(np.array(known).reshape(-1, 9))
            threshold = None if place is None else THRESHOLDS[place]
            thresholds.add(threshold)
            assert record.details["folds"][number]["heat_thresholds"][name] == threshold
            for case in fold.test:
                if (case, index) not in fits:
                    continue
                fit, row = fits[case, index], columns.loc[samples[case]]
                assert row[f"pointing:{name}"] == pytest.approx(fit.pointing, abs=1e-6)
                assert row[f"pointing_cell:{name}"] == fit.cell_pointing
                assert row[f"heat_ap:{name}"] == pytest.approx(fit.average_precision, abs=1e-4)
                assert row[f"heat_dice:{name}"] == pytest.approx(fit.dices.mean(), abs=0.01)
                for column, overlaps in (("heat_iou_chosen", fit.ious), ("heat_dice_chosen", fit.dices)):
                    expected = np.nan if place is None else overlaps[place]
                    assert row[f"{column}:{name}"] == pytest.approx(expected, abs=0.02, nan_ok=True)
    assert len(thresholds - {None}) > 1
    assert record.scores["heat_dice"] >= record.scores["heat_iou"]
    assert 0 <= record.scores["heat_ap"] <= 1


def test_the_result_of_an_image_does_not_depend_on_its_batch(workspace):
    together, alone = (heat_columns(workspace, execute(cell(batch), workspace)) for batch in (16, 1))
    assert not together.isna().all().all()
    assert together.to_numpy() == pytest.approx(alone.to_numpy(), abs=2e-3, nan_ok=True)


def test_divided_by_the_largest_value_of_a_batch_it_would(workspace):
    """The published script's rule: which cells reach a threshold changes with the images beside an image."""
    (fold,) = workspace.folds(cell().reading).folds
    maps = maps_of(workspace, fold.test)[:, 0]
    by_batch, by_image = maps / maps.max(), maps / maps.max((1, 2), keepdims=True)
    assert ((by_batch >= 0.9) != (by_image >= 0.9)).any()


def test_a_class_of_several_texts_has_the_mean_of_their_maps():
    features = Features(torch.zeros(2, 8), torch.randn(2, 9, 8, generator=torch.Generator().manual_seed(0)), (), ())
    encoder = Querying().eval()
    text = encoder.encode_text(["a", "b", "c"])
    with torch.inference_mode():
        found = heat_of(encoder, text, [(0, 2), (1,)])(features)
        maps = encoder.scorer.attention(encoder, features, text)
    assert torch.allclose(found[:, 0], (maps[:, 0] + maps[:, 2]) / 2)
    assert torch.equal(found[:, 1], maps[:, 1])


@pytest.mark.parametrize("build", [medklip, medslip, kad])
def test_every_scorer_of_the_family_gives_heat_maps(build):
    encoder = Querying().eval()
    encoder.scorer = build().eval()
    if build is kad:
        encoder.token_projection = nn.Linear(8, 768)
    features = Features(torch.zeros(1, 8), torch.ones(1, 16, 8), (), ())
    with torch.inference_mode():
        found = heat_of(encoder, encoder.encode_text(["a", "b"]), [(1,)])(features)
    assert found.shape == (1, 1, 4, 4)
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("method", FAMILY)
def test_descriptions_are_asked_all_together_whatever_the_classes(method):
    rule, described = rule_of(read_card(method), "official"), Descriptions.model_validate(DESCRIBED)
    for classes in (("Mass", "Effusion"), ("Effusion",)):
        asked = ask(rule, described, classes, None, method)
        assert asked.texts == ("Nothing.", "A lump.", "Fluid.", "A large heart.")
        assert [asked.texts[one] for (one,) in asked.positive] == [DESCRIBED["classes"][name] for name in classes]
        assert asked.negative == ((),) * len(classes)
        assert asked.described["kind"] == "descriptions"
    with pytest.raises(UsageError, match="lacks Hernia"):
        ask(rule, described, ("Mass", "Hernia"), None, method)


def test_descriptions_are_prompts_for_a_method_that_is_asked_by_prompts():
    asked = ask(COMMON, Descriptions.model_validate(DESCRIBED), ("Mass",), None, "clip-vit-b16")
    assert asked.texts == ("A lump.",)


def test_two_classes_may_share_a_description():
    same = Descriptions(kind="descriptions", classes={"A": "One.", "B": "One."})
    asked = ask(rule_of(read_card("kad"), "official"), same, ("A", "B"), None, "kad")
    assert (asked.texts, asked.positive) == (("One.",), ((0,), (0,)))


def test_kad_is_asked_the_names_of_the_classes_together():
    rule = rule_of(read_card("kad"), "official")
    for prompts in (PAIRS, Queries(kind="queries")):
        asked = ask(rule, prompts, ("Effusion", "Mass", "COVID-19", "Pleural Effusion"), None, "kad")
        assert asked.texts == ("pleural effusion", "lung mass", "covid-19")
        assert asked.positive == ((0,), (1,), (2,), (0,))


def test_medslip_is_asked_medklips_observations(tmp_path):
    (tmp_path / "medslip").mkdir()
    published = {name.replace("pneumonia", "eumonia"): f"On {name}." for name in NAMES}
    (tmp_path / "medslip" / "observation explanation.json").write_text(json.dumps(published))
    rule = rule_of(read_card("medslip"), "official")
    asked = ask(rule, PAIRS, ("Fibrosis", "Infiltration", "Pleural_Thickening"), tmp_path, "medslip")
    assert len(asked.texts) == 75
    assert [asked.texts[one] for (one,) in asked.positive] == ["On tail_abnorm_obs.", "On infiltrate.", "On thicken."]


def test_a_class_without_a_description_stops_the_cell(workspace):
    lacking = {**DESCRIBED, "classes": {"Mass": "A lump.", "Effusion": "Fluid."}}
    with pytest.raises(UsageError, match="the prompt set lacks Cardiomegaly"):
        execute(cell(prompts=lacking), workspace)


@pytest.mark.parametrize("method", FAMILY)
def test_a_renamed_card_is_asked_as_its_scorer_is(method):
    card = read_card(method)
    assert rule_of(card.model_copy(update={"name": "mine"}), "official") == rule_of(card, "official")
    assert rule_of(card, "official").asks != "prompts"
