"""PRIOR against its official forward pass written out in plain torch, and its traps one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from comparing import keyed, relative
from official_files import certificate
from plain_readings import attention_pool, below, bert, cubic, linear, resnet50
from torch import Tensor
from torch.nn.functional import normalize

from benchx.errors import UsageError
from benchx.methods.attention_pool import AttentionPool
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder, Features, map_tokens
from benchx.methods.encoders.prior import scrambled
from benchx.methods.keyed_init import keyed_tensor, seeded_images
from benchx.methods.scorers.prior import prior
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.prior import PRIORText, prior_text

IDS = torch.tensor([[101, 7, 8, 9, 10, 102], [101, 5, 6, 102, 0, 0]])


def image_reading(tensors: dict[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """`image_encoder` and its two projections; official names."""
    feature_map = resnet50(below(tensors, "image_encoder.encoder."), images)
    count, channels = feature_map.shape[:2]
    pooled = attention_pool(below(tensors, "image_encoder.atten_pool."), feature_map.flatten(2).transpose(1, 2))
    parts = feature_map.contiguous().view(count, -1, channels)
    return {
        "pooled": pooled,
        "projection": linear(tensors, "global_image_projection", pooled),
        "parts": linear(tensors, "local_image_projection", parts),
    }


def sentence_reading(tensors: dict[str, Tensor], words: Tensor) -> tuple[Tensor, Tensor]:
    """What the words [W, 768] of one prompt become: its prototype [768] and its embedding [768]."""
    sentence = linear(tensors, "local_text_projection", words).mean(dim=0)
    bank = tensors["sentence_bank.embed.weight"]
    shares = (bank @ sentence / 0.9).softmax(dim=0)
    prototype = shares @ bank
    return prototype, attention_pool(below(tensors, "global_text_attention."), prototype[None, None])[0]


def text_reading(tensors: dict[str, Tensor], ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """The prompts, one at a time."""
    hidden = bert(below(tensors, "text_encoder.encoder."), ids, mask)
    words = [row[1:-1][kept[1:-1] == 1] for row, kept in zip(hidden, mask, strict=True)]
    prototypes, embeddings = zip(*(sentence_reading(tensors, some) for some in words), strict=True)
    return {
        "pooled": torch.stack([some.mean(dim=0) for some in words]),
        "sentences": torch.stack(prototypes),
        "embedding": torch.stack(embeddings),
    }


def score_reading(tensors: dict[str, Tensor], images: dict[str, Tensor], text: dict[str, Tensor]) -> Tensor:
    """One image at a time, one prompt per class, as `shared_step` with batches of one."""
    rows = []
    for whole, parts in zip(images["projection"], images["parts"], strict=True):
        logits, local = [], []
        for embedding, sentence in zip(text["embedding"], text["sentences"], strict=True):
            cosine = whole @ embedding / (whole.norm() * embedding.norm())
            logits.append(tensors["logit_scale"] * cosine)
            of = below(tensors, "local_cross_attention.")
            towards = (linear(of, "query2", sentence) @ linear(of, "key1", parts).T / 768**0.5).sigmoid()
            back = (linear(of, "query1", parts) @ linear(of, "key2", sentence) / 768**0.5).sigmoid()
            local.append((towards.mean() + back.mean()) / 2)
        rows.append(torch.stack(logits).softmax(dim=0) + 0.5 * torch.stack(local).softmax(dim=0))
    return torch.stack(rows)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The card's encoder for images of 64 px, with keyed weights."""
    card = read_card("prior")
    card = card.model_copy(update={"input": card.input.scaled_to(64)})
    encoder = build_encoder(card)
    encoder.load_state_dict(keyed(encoder))
    return encoder.eval()


@pytest.fixture
def tower() -> PRIORText:
    """The text tower, all but its BERT with keyed weights; what BERT gives is drawn."""
    with torch.device("meta"):
        tower = prior_text()
    for name in ("local_text_projection", "sentence_bank", "global_text_attention"):
        part = getattr(tower, name).to_empty(device="cpu")
        part.load_state_dict({key: keyed_tensor(f"{name}.{key}", one.shape) for key, one in part.state_dict().items()})
    drawn = 3 * torch.randn(2, 6, 768, generator=torch.Generator().manual_seed(0))
    tower.hidden = lambda ids, mask, positions=None: (drawn[: len(ids), : ids.shape[1]],)
    return tower.eval()


@pytest.mark.parametrize("places", [None, 49])
def test_attention_pooling_is_clips(places):
    pool = AttentionPool(64, places)
    pool.load_state_dict(keyed(pool))
    vectors = torch.randn(3, 49, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert relative(pool(vectors), attention_pool(pool.state_dict(), vectors)) < 1e-5


@torch.inference_mode()
def test_the_image_side_is_the_official_one(encoder):
    images = seeded_images(64, channels=1)
    official = {
        ("image_encoder.encoder." if name.startswith("trunk.") else "") + name.removeprefix("trunk."): value
        for name, value in encoder.state_dict().items()
    }
    for ours, theirs in (
        ("attention_pool.", "image_encoder.atten_pool."),
        ("projection.", "global_image_projection."),
    ):
        official |= {theirs + name: value for name, value in below(official, ours).items()}
    expected, found = image_reading(official, images), encoder.encode(images)
    assert relative(found.pooled, expected["pooled"]) < 1e-5
    assert relative(encoder(images), expected["pooled"]) < 1e-5
    assert relative(encoder.project(found), expected["projection"]) < 1e-5
    assert relative(encoder.project_tokens(found), expected["parts"]) < 1e-5
    assert [one.shape[1:] for one in found.maps] == [(256, 16, 16), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)]


@torch.inference_mode()
def test_local_features_are_scrambled_in_every_memory_format(encoder):
    images = seeded_images(64, channels=1)
    found = encoder.encode(images)
    places = map_tokens(found.maps[-1])
    assert found.tokens.shape == places.shape
    assert torch.equal(found.tokens.flatten(), found.maps[-1].flatten())
    assert relative(found.tokens, places) > 0.5
    last = encoder.encode(images.contiguous(memory_format=torch.channels_last))
    assert relative(last.tokens, found.tokens) < 1e-5
    numbered = torch.arange(24.0).reshape(1, 6, 2, 2)
    assert torch.equal(scrambled(numbered), torch.arange(24.0).reshape(1, 4, 6))
    assert torch.equal(scrambled(numbered.contiguous(memory_format=torch.channels_last)), scrambled(numbered))


@torch.inference_mode()
def test_no_heat_map_is_drawn_by_what_are_no_places(encoder):
    """Heat maps are cosines of projected tokens: here they would look like one and mean nothing."""
    assert encoder.token_projection is None
    without = Features(torch.zeros(1, 2048), None, (), ())
    with pytest.raises(UsageError, match="does not project tokens"):
        encoder.project_tokens(without)


def test_the_first_layer_sees_one_channel(encoder):
    assert encoder.trunk.conv1.weight.shape == (64, 1, 7, 7)
    with pytest.raises(UsageError, match="B, 1, S, S"):
        encoder(torch.zeros(1, 3, 64, 64))


@torch.no_grad()
def test_positions_of_the_pooling_follow_the_size_of_the_images():
    card = read_card("prior")
    with torch.device("meta"):
        encoder = build_encoder(card)
        fixed = build_encoder(card.model_copy(update={"encoder": card.encoder.model_copy(update={"arguments": {}})}))
    before = keyed_tensor("image_encoder.atten_pool.positional_embedding", (50, 2048))
    encoder.attention_pool.positional_embedding = torch.nn.Parameter(before.clone())
    with pytest.raises(UsageError, match="load it with image_size"):
        encoder(torch.empty(1, 1, 320, 320, device="meta"))
    encoder.resize(320)
    ours = encoder.attention_pool.positional_embedding
    assert torch.equal(ours[0], before[0])
    assert relative(ours[1:], cubic(before[1:].reshape(7, 7, -1), 10, aligned=False).flatten(0, 1)) < 1e-5
    with pytest.raises(UsageError, match="does not allow to resize"):
        fixed.resize(320)
    with pytest.raises(UsageError, match="too small"):
        encoder.resize(16)


@torch.inference_mode()
def test_a_text_is_the_mean_of_its_words_in_prototypes(tower):
    official = {
        name.replace("sentence_bank.", "sentence_bank.embed."): value
        for name, value in tower.state_dict().items()
        if not name.startswith("trunk.")
    }
    found, hidden = tower(IDS), tower.hidden(IDS, None)[-1]
    # [CLS] and the last position are no words; the [SEP] of the second text, which is padded, is one.
    words = (hidden[0, 1:5], hidden[1, 1:4])
    for row, some in enumerate(words):
        prototype, embedding = sentence_reading(official, some)
        assert relative(found.pooled[row], some.mean(dim=0)) < 1e-5
        assert relative(found.words[row, 0], prototype) < 1e-5
        assert relative(found.embedding[row], embedding) < 1e-5
    assert relative(found.pooled[1], hidden[1, 1:3].mean(dim=0)) > 1e-2
    assert found.word_mask.tolist() == [[True], [True]]


@torch.inference_mode()
def test_nothing_is_drawn(tower):
    """The official Gumbel-softmax gives another embedding at every call."""
    first = tower(IDS).embedding
    torch.manual_seed(1)
    assert torch.equal(tower(IDS).embedding, first)
    sentence = tower.local_text_projection(tower(IDS).pooled)
    logits = sentence @ tower.sentence_bank.weight.T
    noisy = torch.nn.functional.gumbel_softmax(logits, tau=0.9) @ tower.sentence_bank.weight
    assert relative(noisy, tower.quantised(sentence)) > 1e-2


def test_a_text_without_words_is_refused(tower):
    with pytest.raises(UsageError, match="no word"):
        tower(torch.tensor([[101, 102], [101, 102]]))
    padded = torch.tensor([[101, 102, 0, 0]])
    assert tower(padded).pooled.isfinite().all()


class Seen:
    """An encoder whose projections are the features themselves."""

    def project(self, features: Features) -> Tensor:
        return features.pooled

    def project_tokens(self, features: Features) -> Tensor:
        return features.tokens


@pytest.fixture
def compared():
    """A scorer, three images and four texts, and the same for the reading; attention that is far from flat."""
    scorer = prior().eval()
    weights = keyed(scorer) | {"logit_scale": torch.tensor(2.3)}
    scorer.load_state_dict(weights)
    draws = torch.Generator().manual_seed(0)
    pooled, parts = torch.randn(3, 768, generator=draws), torch.randn(3, 49, 768, generator=draws)
    embedding, sentences = torch.randn(4, 768, generator=draws), 3 * torch.randn(4, 768, generator=draws)
    images = Features(pooled, parts, (), ())
    text = TextFeatures(embedding, embedding, sentences[:, None], torch.ones(4, 1, dtype=torch.bool))
    expected = score_reading(
        weights, {"projection": pooled, "parts": parts}, {"embedding": embedding, "sentences": sentences}
    )
    return scorer, images, text, expected


@torch.inference_mode()
def test_the_score_is_two_softmaxes_over_the_texts(compared):
    scorer, images, text, expected = compared
    found = scorer(Seen(), images, text)
    assert relative(found, expected) < 1e-5
    assert torch.allclose(found.sum(dim=1), torch.full((3,), 1.5))


@torch.inference_mode()
def test_an_image_is_scored_alone_as_among_others(compared):
    """The official local term is a mean over the batch, which is right for batches of one."""
    scorer, images, text, _ = compared
    together = scorer(Seen(), images, text)
    for row in range(3):
        alone = scorer(Seen(), Features(images.pooled[[row]], images.tokens[[row]], (), ()), text)
        assert torch.allclose(alone[0], together[row], atol=1e-6)
    local = scorer.local_attention(Seen(), images, text.words[:, 0])
    over_the_batch = scorer.global_logits(Seen(), images, text).softmax(1) + 0.5 * local.mean(0).softmax(0)
    assert not torch.allclose(over_the_batch, together, atol=1e-4)


@torch.inference_mode()
def test_the_scale_is_used_as_it_is(compared):
    scorer, images, text, _ = compared
    cosines = normalize(images.pooled, dim=1) @ normalize(text.embedding, dim=1).T
    logits = scorer.global_logits(Seen(), images, text)
    assert torch.allclose(logits, 2.3 * cosines, atol=1e-6)
    assert not torch.allclose(logits, torch.tensor(2.3).exp() * cosines, atol=1e-2)


@torch.inference_mode()
def test_embeddings_alone_have_the_global_term(compared):
    scorer, images, text, _ = compared
    bare = TextFeatures(text.embedding, text.embedding)
    expected = scorer.global_logits(Seen(), images, text).softmax(dim=1)
    assert torch.equal(scorer(Seen(), images, bare), expected)


@pytest.mark.slow
def test_the_plain_reading_gives_the_kept_figures():
    facts = certificate("prior")
    tensors = {name: keyed_tensor(name, shape) for name, shape in facts["tensors"].items()}
    ids, mask = torch.tensor(facts["text"]["ids"]), torch.tensor(facts["text"]["mask"])
    with torch.inference_mode():
        images, text = image_reading(tensors, seeded_images(224, channels=1)), text_reading(tensors, ids, mask)
        found = {
            "pooled": images["pooled"][0],
            "projection": images["projection"][0],
            "token_projection_mean": images["parts"][0].mean(0),
            "text_pooled": text["pooled"][0],
            "text_embedding": text["embedding"][0],
            "text_words_mean": text["sentences"][0],
            "similarity": score_reading(tensors, images, text)[0],
        }
    assert set(facts["expected"]) == set(found)
    for name, kept in facts["expected"].items():
        difference = np.abs(found[name].numpy()[kept["index"]] - np.array(kept["row0"])).max()
        assert difference / kept["largest"] < 1e-5, name
