"""Zero-shot cells end to end on simulated radiographs with a small method, against a plain loop over its images."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import f1_score, roc_auc_score
from tiny_method import SmallEncoder, tiny_method
from torch.nn.functional import cosine_similarity, interpolate, normalize
from zero_shot_cells import ALONE, CLASSES, PAIRS, cell

from benchx.cell import execute
from benchx.errors import BenchxError, UsageError, WeightsMissing
from benchx.images.geometry import prepare
from benchx.images.masks import prepare_masks
from benchx.methods.loading import load
from benchx.methods.scorers.conceptclip import conceptclip
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.tokens import Tokens
from benchx.metrics.grounding import grounding
from benchx.metrics.zero_shot import common_scores
from benchx.results.store import Store
from benchx.tasks.zero_shot.scores import fault, score
from benchx.workspace import Workspace


@pytest.fixture
def by_hand(workspace):
    """Cosines of every image with some texts, one image and one text at a time."""

    def cosines(texts) -> np.ndarray:
        pixels, encoder = workspace.dataset(cell().reading).pixels, SmallEncoder()
        rows = []
        with torch.inference_mode():
            embeddings = [encoder.encode_text([text]).embedding[0] for text in texts]
            for number in range(len(pixels.samples)):
                features = encoder.encode(prepare(pixels.images([number]), workspace.card("mgca-vit").images))
                image = encoder.project(features)[0]
                rows.append([float(cosine_similarity(image, one, dim=0)) for one in embeddings])
        return np.array(rows)

    return cosines


def stored(workspace, record, column):
    table = workspace.store.predictions(record.key)
    return table[[f"{column}:{name}" for name in CLASSES]].to_numpy(np.float64)


def test_official_pairs_of_chexzero(workspace, by_hand):
    simple = {"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["no {}"]}}
    record = execute(cell("chexzero", prompts=simple, scoring="official"), workspace)
    (fold,) = workspace.folds(cell().reading).folds
    present, absent = by_hand(CLASSES), by_hand([f"no {name}" for name in CLASSES])
    expected = np.exp(present) / (np.exp(present) + np.exp(absent))
    assert stored(workspace, record, "score") == pytest.approx(expected[fold.test], abs=2e-6)
    assert record.details["rule"].startswith("softmax")
    assert record.details["transductive"] is False
    assert record.details["folds"][0]["standardised_by"] is None
    assert record.details["prompts"]["classes"]["Mass"] == {"positive": ["Mass"], "negative": ["no Mass"]}


def test_medclip_takes_the_mean_and_benchx_the_best_prompt(workspace, by_hand):
    (fold,) = workspace.folds(cell().reading).folds
    both = np.stack([by_hand(CLASSES), by_hand([f"there is a {name}" for name in CLASSES])])
    mean = execute(cell("medclip-vit", prompts=ALONE, scoring="official"), workspace)
    assert stored(workspace, mean, "score") == pytest.approx(both.mean(0)[fold.test], abs=2e-6)
    best = execute(cell(prompts=ALONE, scoring="official"), workspace)
    top = both.max(0)
    expected = (top - top[fold.val].mean(0)) / top[fold.val].std(0)
    assert stored(workspace, best, "score") == pytest.approx(expected[fold.test], abs=2e-3)
    assert best.details["folds"][0]["standardised_by"] == "validation"


@pytest.mark.parametrize("prompts", [PAIRS, ALONE])
def test_thresholds_come_from_validation_and_calls_from_thresholds(workspace, prompts):
    record = execute(cell(prompts=prompts), workspace)
    (fold,) = workspace.folds(cell().reading).folds
    labels = workspace.dataset(cell().reading).samples.class_labels(CLASSES)[fold.test]
    scores, calls = stored(workspace, record, "score"), stored(workspace, record, "call")
    for index, name in enumerate(CLASSES):
        threshold = record.details["folds"][0]["f1_thresholds"][name]
        values = record.scores["per_class"][name]
        assert calls[:, index].tolist() == (scores[:, index] > threshold).astype(float).tolist()
        assert values["auroc"] == pytest.approx(roc_auc_score(labels[:, index], scores[:, index]), abs=1e-12)
        assert values["f1"] == pytest.approx(f1_score(labels[:, index], calls[:, index]), abs=1e-12)
    assert record.details["folds"][0]["images"]["train"] == 0
    table = workspace.store.predictions(record.key)
    assert fault(table) is None
    assert score(table) == record.scores
    assert record.scores["n"] == len(fold.test)


def test_labels_of_test_cases_change_no_call(workspace):
    first = execute(cell(), workspace)
    dataset = workspace.dataset(cell().reading)
    (fold,) = workspace.folds(cell().reading).folds
    before = stored(workspace, first, "call")
    assert not np.isnan(before).any()
    dataset.samples.labels[fold.test] = 1 - dataset.samples.labels[fold.test]
    second = execute(cell(), workspace)
    assert (stored(workspace, second, "call") == before).all()
    assert second.scores["macro_auroc"] == pytest.approx(1 - first.scores["macro_auroc"], abs=1e-12)


def test_the_transductive_variant_is_marked(workspace):
    usual, marked = (execute(cell(prompts=ALONE, statistics=one), workspace) for one in ("validation", "test"))
    assert marked.details["transductive"]
    assert "depends on the others" in marked.details["note"]
    assert not usual.details["transductive"]
    assert "note" not in usual.details
    scores = stored(workspace, marked, "score")
    assert scores.mean(0) == pytest.approx(np.zeros(3), abs=1e-5)
    assert scores.std(0) == pytest.approx(np.ones(3), abs=1e-5)
    assert marked.scores["macro_auroc"] == pytest.approx(usual.scores["macro_auroc"], abs=1e-12)
    assert not execute(cell(statistics="test"), workspace).details["transductive"]  # pairs are not standardised


def test_every_fold_has_thresholds_of_its_own(workspace):
    record = execute(cell(split="cv5"), workspace)
    table = workspace.store.predictions(record.key)
    assert sorted(table["sample"]) == sorted(workspace.dataset(cell().reading).samples.table["sample"])
    assert len({fold["f1_thresholds"]["Effusion"] for fold in record.details["folds"]}) > 1
    for fold in record.details["folds"]:
        part = table[table["fold"] == fold["fold"]]
        threshold = fold["f1_thresholds"]["Effusion"]
        if threshold is None:
            assert part["call:Effusion"].isna().all()
        else:
            called = part["score:Effusion"].to_numpy(np.float64) > threshold
            assert (part["call:Effusion"] == called).all()


def test_heat_maps_against_outlines(workspace):
    record = execute(cell(prompts=ALONE, grounding=True), workspace)
    dataset, spec = workspace.dataset(cell().reading), workspace.card("mgca-vit").images
    (fold,) = workspace.folds(cell().reading).folds
    encoder = SmallEncoder()
    table = workspace.store.predictions(record.key).set_index("sample")
    seen = 0
    with torch.inference_mode():
        for row in fold.test:
            name = dataset.samples.table["sample"][row]
            drawn = {region.label for region in dataset.samples.regions.get(name, ())}
            for one in CLASSES:
                if one not in drawn:
                    assert np.isnan(table.loc[name, f"pointing:{one}"])
                    continue
                texts = normalize(encoder.encode_text([one, f"there is a {one}"]).embedding, dim=1).mean(0)
                features = encoder.encode(prepare(dataset.pixels.images([row]), spec))
                grid = cosine_similarity(encoder.project_tokens(features)[0], texts[None], dim=1).reshape(1, 1, 4, 4)
                heat = interpolate(grid, (64, 64), mode="bilinear", align_corners=False)[0, 0].numpy()
                masks = dataset.samples.masks(name, *map(int, dataset.pixels.original_shapes[row]))
                mask = prepare_masks([masks[[dataset.samples.mask_classes.index(one)]]], spec)[0, 0]
                fit = grounding(heat, mask)
                assert table.loc[name, f"pointing:{one}"] == pytest.approx(fit.pointing, abs=1e-6)
                assert table.loc[name, f"heat_iou:{one}"] == pytest.approx(fit.ious.mean(), abs=0.01)
                assert table.loc[name, f"heat_cnr:{one}"] == pytest.approx(fit.contrast_to_noise, abs=1e-3)
                seen += 1
    assert seen > 3
    per_class = record.scores["per_class"]
    assert sum(values["outlined"] for values in per_class.values()) == seen
    known = [values["pointing_game"] for values in per_class.values() if values["outlined"]]
    assert record.scores["pointing_game"] == pytest.approx(np.mean(known))
    assert fault(workspace.store.predictions(record.key)) is None


def test_grounding_that_cannot_be_done_says_why(workspace):
    record = execute(cell(classes=("Hernia", "Effusion"), grounding=True), workspace)
    assert "pointing:Hernia" not in workspace.store.predictions(record.key)
    dataset = workspace.dataset(cell().reading)
    workspace._datasets[cell().reading] = replace(dataset, samples=replace(dataset.samples, regions={}))
    record = execute(cell(grounding=True), workspace)
    assert "no image" in record.details["without_grounding"]
    assert "pointing_game" not in record.scores


def test_methods_that_cannot_be_asked_are_not_applicable(workspace):
    without = execute(cell("random-efficientnet-lite0"), workspace)
    assert without.state == "not-applicable"
    assert "reads no text" in without.reason
    queries = execute(cell(prompts={"kind": "queries"}, scoring="official"), workspace)
    assert queries.state == "not-applicable"
    assert "not asked by fixed queries" in queries.reason
    samples = workspace.dataset(cell().reading).samples
    samples.labels[:] = 0
    nothing = execute(cell(), workspace)
    assert nothing.state == "not-applicable"
    assert "no class of nih can be scored" in nothing.reason


def test_a_prompt_set_that_lacks_a_class_is_an_error(workspace):
    lacking = {"kind": "class-prompts", "classes": {"Mass": ["mass"]}}
    with pytest.raises(UsageError, match="the prompt set lacks Effusion, Cardiomegaly"):
        execute(cell(prompts=lacking), workspace)


@pytest.mark.parametrize("scoring", ["common", "official"])
def test_values_that_are_not_finite_stop_the_cell(workspace, monkeypatch, scoring):
    class Broken(SmallEncoder):
        def encode_text(self, texts):
            found = super().encode_text(texts).embedding * np.inf
            return TextFeatures(found, found)

    monkeypatch.setattr(workspace, "load_encoder", lambda method, size, text: Broken().eval())
    with pytest.raises(BenchxError, match="'mgca-vit' gives NaN or infinite values"):
        execute(cell(scoring=scoring), workspace)


@pytest.mark.slow
def test_a_method_from_its_files(place, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHX_WEIGHTS", str(tmp_path))
    card = tiny_method(tmp_path)
    workspace = Workspace(Store(tmp_path), cards={"tiny": card}, roots={"nih": place / "nih"}, weights_root=tmp_path)
    record = execute(cell("tiny", grounding=True), workspace)
    dataset, encoder = workspace.dataset(cell().reading), load(card)
    (fold,) = workspace.folds(cell().reading).folds
    with torch.inference_mode():
        images = encoder.project(encoder.encode(prepare(dataset.pixels.images(fold.test), card.images))).numpy()
        texts = [encoder.encode_text(some).embedding.numpy() for some in (["Mass", "there is a Mass"], ["no Mass"])]
    expected = common_scores(images, texts[:1], texts[1:])[:, 0]
    found = workspace.store.predictions(record.key)["score:Mass"]
    assert found.to_numpy() == pytest.approx(expected, abs=1e-5)
    assert "pointing_game" in record.scores
    (tmp_path / "tokenizers" / "tiny--words" / "vocab.txt").unlink()
    with pytest.raises(WeightsMissing, match="no tokenizer of tiny/words"):
        execute(cell("tiny"), workspace)


class ConceptEncoder(SmallEncoder):
    """The small encoder with ConceptCLIP's scorer; a word's embedding is drawn from it and its place."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = conceptclip()
        scales = {"logit_scale": 1.0, "logit_bias": -9.0, "concept_logit_scale": 2.0, "concept_logit_bias": 9.0}
        self.scorer.load_state_dict({name: torch.tensor(value) for name, value in scales.items()})
        self.tokenizer = by_words

    def encode_text(self, texts) -> TextFeatures:
        whole = super().encode_text(texts).embedding
        words = torch.stack([torch.stack([word_of(word, place) for place, word in spelled(one)]) for one in texts])
        return TextFeatures(whole, whole, words, torch.ones(words.shape[:2]).bool())


def spelled(text: str) -> list[tuple[int, str]]:
    words = ["[CLS]", *text.split(), "[SEP]"]
    return list(enumerate(words + ["[PAD]"] * (8 - len(words))))


def word_of(word: str, place: int) -> torch.Tensor:
    return torch.randn(12, generator=torch.Generator().manual_seed(zlib.crc32(f"{word} {place}".encode())))


def by_words(texts) -> Tokens:
    ids = torch.tensor([[zlib.crc32(word.encode()) for _, word in spelled(one)] for one in texts])
    mask = torch.tensor([[int(word != "[PAD]") for _, word in spelled(one)] for one in texts])
    return Tokens(ids, mask, torch.zeros_like(mask).bool())


def concept_logits(workspace, texts: dict[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Logits of whole images and of their places, [N, K], image by image; the class is the last word of each text."""
    pixels, encoder = workspace.dataset(cell().reading).pixels, SmallEncoder()
    whole, local = [], []
    with torch.inference_mode():
        for number in range(len(pixels.samples)):
            features = encoder.encode(prepare(pixels.images([number]), workspace.card("conceptclip").images))
            image, patches = encoder.project(features)[0], encoder.project_tokens(features)[0]
            for some in texts.values():
                direction = normalize(encoder.encode_text(some).embedding, dim=1).mean(dim=0)
                word = torch.stack([word_of(one.split()[-1], len(one.split())) for one in some]).mean(dim=0)
                whole.append(np.e * float(cosine_similarity(image, direction, dim=0)))
                local.append(np.e**2 * float(cosine_similarity(patches, word[None], dim=1).mean()))
    shape = len(pixels.samples), len(texts)
    return np.reshape(whole, shape), np.reshape(local, shape)


def test_conceptclip_weighs_whole_images_and_the_words_of_names(workspace, monkeypatch):
    monkeypatch.setattr(workspace, "load_encoder", lambda method, size, text: ConceptEncoder().eval())
    (fold,) = workspace.folds(cell().reading).folds
    present = {name: [name, f"there is a {name}"] for name in CLASSES}
    record = execute(cell("conceptclip", prompts=ALONE, scoring="official"), workspace)
    whole, local = concept_logits(workspace, present)
    expected = (softmax(whole, axis=1) + softmax(local, axis=1)) / 2
    assert stored(workspace, record, "score") == pytest.approx(expected[fold.test], abs=1e-5)
    assert record.details["folds"][0]["standardised_by"] is None

    record = execute(cell("conceptclip", prompts=PAIRS, scoring="official"), workspace)
    absent = concept_logits(workspace, {name: [f"no {name}"] for name in CLASSES})
    weighed = [softmax(np.stack(both, axis=2), axis=2)[:, :, 0] for both in zip((whole, local), absent, strict=True)]
    assert stored(workspace, record, "score") == pytest.approx(np.mean(weighed, axis=0)[fold.test], abs=1e-5)


def test_conceptclip_looks_where_the_words_of_a_name_are(workspace, monkeypatch):
    monkeypatch.setattr(workspace, "load_encoder", lambda method, size, text: ConceptEncoder().eval())
    record = execute(cell("conceptclip", prompts=PAIRS, grounding=True), workspace)
    dataset, spec, encoder = workspace.dataset(cell().reading), workspace.card("conceptclip").images, SmallEncoder()
    table = workspace.store.predictions(record.key).set_index("sample")
    seen = 0
    for row in workspace.folds(cell().reading).folds[0].test:
        sample = dataset.samples.table["sample"][row]
        for name in {region.label for region in dataset.samples.regions.get(sample, ())} & set(CLASSES):
            word = torch.stack([word_of(name, 1), word_of(name, 4)]).mean(dim=0)
            with torch.inference_mode():
                places = encoder.project_tokens(encoder.encode(prepare(dataset.pixels.images([row]), spec)))[0]
                grid = cosine_similarity(places, word[None], dim=1).reshape(1, 1, 4, 4)
            masks = dataset.samples.masks(sample, *map(int, dataset.pixels.original_shapes[row]))
            mask = prepare_masks([masks[[dataset.samples.mask_classes.index(name)]]], spec)[0, 0]
            fit = grounding(interpolate(grid, (64, 64), mode="bilinear", align_corners=False)[0, 0].numpy(), mask)
            assert table.loc[sample, f"pointing:{name}"] == pytest.approx(fit.pointing, abs=1e-6)
            assert table.loc[sample, f"heat_cnr:{name}"] == pytest.approx(fit.contrast_to_noise, abs=1e-3)
            seen += 1
    assert seen > 3


def test_conceptclip_needs_two_classes_or_absence_and_the_names(workspace, monkeypatch):
    monkeypatch.setattr(workspace, "load_encoder", lambda method, size, text: ConceptEncoder().eval())
    alone = execute(cell("conceptclip", classes=("Mass",), prompts=ALONE, scoring="official"), workspace)
    assert alone.state == "not-applicable"
    assert "cannot be asked about Mass alone" in alone.reason
    assert execute(cell("conceptclip", classes=("Mass",), scoring="official"), workspace).state == "done"
    nameless = {**ALONE, "classes": {"Mass": ["a round shadow"]}}
    record = execute(cell("conceptclip", prompts=nameless, scoring="official"), workspace)
    assert record.state == "not-applicable"
    assert "no word of 'Mass' stands in its prompts" in record.reason


def test_unimed_takes_differences_of_cosines_of_template_ensembles(workspace, by_hand):
    (fold,) = workspace.folds(cell().reading).folds
    templates = {"ct": ["ct of {}"], "chest-xray": ["{}", "there is a {}", "{} is seen"]}
    several = {"kind": "by-modality", "modality": "chest-xray", "templates": templates, "first": 1}
    first = execute(cell("unimed-b16", prompts=several, scoring="official"), workspace)
    cosines = by_hand(CLASSES)
    assert stored(workspace, first, "score") == pytest.approx(cosines[fold.test], abs=2e-6)
    assert first.details["folds"][0]["standardised_by"] is None
    simple = {"kind": "pairs", "templates": {"positive": ["{}"], "negative": ["no {}"]}}
    both = execute(cell("unimed-b16", prompts=simple, scoring="official"), workspace)
    expected = cosines - by_hand([f"no {name}" for name in CLASSES])
    assert stored(workspace, both, "score") == pytest.approx(expected[fold.test], abs=2e-6)
