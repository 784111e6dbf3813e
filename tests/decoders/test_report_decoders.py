"""The two report decoders, against their formulas in NumPy (float64) and against PyTorch's own Transformer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from benchx.decoders.reports.decoder import Sizes
from benchx.decoders.reports.loss import counted, token_loss
from benchx.decoders.reports.plain import plain
from benchx.decoders.reports.r2gen import r2gen

SMALL = Sizes(dim=16, heads=4, layers=2, hidden=24)
WORDS, PATCH_DIM = 11, 6
BUILDERS = pytest.mark.parametrize("build", [r2gen, plain])


def case(cases=3, patches=5, length=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randn(cases, patches, PATCH_DIM, generator=generator)
    tokens = torch.randint(1, WORDS + 1, (cases, length), generator=generator)
    tokens[:, 0] = 0
    return pictures, tokens


def shaken(decoder, seed=1):
    """Draw every parameter anew, so that no gain is 1 and no shift 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return decoder.eval()


class ByHand:
    """R2Gen's formulas on a state dictionary, a word and a head at a time, without batches."""

    def __init__(self, decoder):
        self.weights = {name: value.double().numpy() for name, value in decoder.state_dict().items()}

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def mlp(self, x, name, last=2):
        return self.linear(np.maximum(self.linear(x, f"{name}.0"), 0), f"{name}.{last}")

    def norm(self, x, name, memory=None):
        gain, shift = self.weights[f"{name}.gain"], self.weights[f"{name}.shift"]
        if memory is not None:
            gain = gain + np.stack([self.mlp(one.ravel(), f"{name}.to_gain") for one in memory])
            shift = shift + np.stack([self.mlp(one.ravel(), f"{name}.to_shift") for one in memory])
        return gain * (x - x.mean(-1, keepdims=True)) / (x.std(-1, ddof=1, keepdims=True) + 1e-6) + shift

    def attention(self, x, to, name, causal=False):
        query, key, value = (
            self.linear(x, f"{name}.query"),
            self.linear(to, f"{name}.key"),
            self.linear(to, f"{name}.value"),
        )
        size = query.shape[1] // SMALL.heads
        heads = []
        for start in range(0, query.shape[1], size):
            part = slice(start, start + size)
            scores = query[:, part] @ key[:, part].T / math.sqrt(size)
            if causal:
                scores[np.triu_indices(len(x), 1)] = -1e9
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(weights / weights.sum(axis=1, keepdims=True) @ value[:, part])
        return self.linear(np.concatenate(heads, axis=1), f"{name}.output")

    def memories(self, words):
        memory, after = np.eye(SMALL.slots, SMALL.dim), []
        name = "transformer.memory"
        for word in words:
            seen = memory + self.attention(memory, np.vstack([memory, word]), f"{name}.attention")
            proposed = seen + np.maximum(self.mlp(seen, f"{name}.mlp"), 0)
            gates = self.linear(word, f"{name}.word_gates") + self.linear(np.tanh(memory), f"{name}.memory_gates")
            into, keep = np.split(1 / (1 + np.exp(-gates)), 2, axis=1)
            memory = into * np.tanh(proposed) + keep * memory
            after.append(memory)
        return after

    def logits(self, patches, tokens):
        name, dim = "transformer", SMALL.dim
        x = np.maximum(self.linear(patches, "patch_embedding.0"), 0)
        for layer in range(SMALL.layers):
            at = f"{name}.encoder.{layer}"
            normed = self.norm(x, f"{at}.norms.0")
            x = x + self.attention(normed, normed, f"{at}.attention")
            x = x + self.mlp(self.norm(x, f"{at}.norms.1"), f"{at}.feed_forward", last=3)
        encoded = self.norm(x, f"{name}.encoder_norm")
        code = [
            [(math.cos if odd % 2 else math.sin)(at / 10_000 ** ((odd - odd % 2) / dim)) for odd in range(dim)]
            for at in range(len(tokens))
        ]
        x = self.weights[f"{name}.words.weight"][tokens] * math.sqrt(dim) + np.array(code)
        memory = self.memories(x)
        for layer in range(SMALL.layers):
            at = f"{name}.decoder.{layer}"
            normed = self.norm(x, f"{at}.norms.0", memory)
            x = x + self.attention(normed, normed, f"{at}.to_words", causal=True)
            x = x + self.attention(self.norm(x, f"{at}.norms.1", memory), encoded, f"{at}.to_patches")
            x = x + self.mlp(self.norm(x, f"{at}.norms.2", memory), f"{at}.feed_forward", last=3)
        return self.linear(self.norm(x, f"{name}.decoder_norm"), "logits")


def test_r2gen_follows_its_formulas():
    decoder = shaken(r2gen(WORDS, PATCH_DIM, 0, SMALL)).double()
    patches, tokens = case()
    found = decoder(patches.double(), None, tokens).detach().numpy()
    reference = ByHand(decoder)
    for row in range(len(tokens)):
        expected = reference.logits(patches[row].double().numpy(), tokens[row].numpy())
        np.testing.assert_allclose(found[row], expected, atol=1e-5 * np.abs(expected).max())


def test_the_plain_decoder_is_pytorchs_pre_norm_transformer():
    decoder = shaken(plain(WORDS, PATCH_DIM, 0, SMALL))
    sizes = {"d_model": SMALL.dim, "nhead": SMALL.heads, "dim_feedforward": SMALL.hidden, "batch_first": True}
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**sizes, norm_first=True), SMALL.layers, nn.LayerNorm(SMALL.dim), False
    )
    speaker = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**sizes, norm_first=True), SMALL.layers, nn.LayerNorm(SMALL.dim)
    )

    def copy_attention(to, source):
        parts = (source.query, source.key, source.value)
        to.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        to.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        to.out_proj.load_state_dict(source.output.state_dict())

    def copy_rest(to, source):
        to.linear1.load_state_dict(source.feed_forward[0].state_dict())
        to.linear2.load_state_dict(source.feed_forward[3].state_dict())
        for number, norm in enumerate(source.norms, start=1):
            getattr(to, f"norm{number}").load_state_dict(norm.state_dict())

    with torch.no_grad():
        for to, source in zip(encoder.layers, decoder.transformer["encoder"], strict=True):
            copy_attention(to.self_attn, source.attention)
            copy_rest(to, source)
        for to, source in zip(speaker.layers, decoder.transformer["decoder"], strict=True):
            copy_attention(to.self_attn, source.to_words)
            copy_attention(to.multihead_attn, source.to_patches)
            copy_rest(to, source)
        encoder.norm.load_state_dict(decoder.transformer["encoder_norm"].state_dict())
        speaker.norm.load_state_dict(decoder.transformer["decoder_norm"].state_dict())
        encoder.eval(), speaker.eval()
        patches, tokens = case()
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 1], [0, 0, 0, 1, 0]], dtype=torch.bool)
        memory = encoder(decoder.patch_embedding(patches), src_key_padding_mask=~mask)
        words = decoder.transformer["words"](tokens) * SMALL.dim**0.5 + decoder.positions[: tokens.shape[1]]
        later = torch.ones(7, 7, dtype=torch.bool).triu(1)
        expected = decoder.logits(speaker(words, memory, tgt_mask=later, memory_key_padding_mask=~mask))
        torch.testing.assert_close(decoder(patches, mask, tokens), expected, atol=2e-5, rtol=1e-5)


@BUILDERS
@pytest.mark.parametrize("masked", [False, True])
def test_word_by_word_equals_all_at_once(build, masked):
    decoder = shaken(build(WORDS, PATCH_DIM, 0, SMALL))
    patches, tokens = case(length=20)
    mask = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) > 0.4 if masked else None
    with torch.no_grad():
        expected = decoder(patches, mask, tokens).log_softmax(dim=-1)
        state = decoder.start(decoder.encode(patches, mask), mask)
        for position in range(tokens.shape[1]):
            found, state = decoder.step(state, tokens[:, position : position + 1])
            torch.testing.assert_close(found[:, 0], expected[:, position], atol=1e-5, rtol=0)


@BUILDERS
def test_beams_may_change_places(build):
    decoder = shaken(build(WORDS, PATCH_DIM, 0, SMALL))
    patches, _ = case(cases=2)
    beams = torch.tensor([[[0, 3, 2], [0, 3, 7], [0, 5, 5]], [[0, 1, 1], [0, 4, 9], [0, 1, 6]]])
    with torch.no_grad():
        encoded = decoder.encode(patches, None)
        _, state = decoder.step(decoder.start(encoded, None), beams[:, :1, 0])
        state = state.select(torch.zeros(2, 3, dtype=torch.int64))
        _, state = decoder.step(state, torch.tensor([[5, 3, 8], [4, 1, 2]]))
        state = state.select(torch.tensor([[1, 1, 0], [1, 0, 1]]))
        found, _ = decoder.step(state, beams[:, :, 2])
        for number in range(3):
            expected = decoder(patches, None, beams[:, number]).log_softmax(dim=-1)[:, -1]
            torch.testing.assert_close(found[:, number], expected, atol=1e-5, rtol=0)


@BUILDERS
def test_what_is_masked_or_comes_later_does_not_matter(build):
    decoder = shaken(build(WORDS, PATCH_DIM, 0, SMALL))
    patches, tokens = case()
    mask = torch.ones(3, 10, dtype=torch.bool)
    mask[:, 5:] = False
    with torch.no_grad():
        alone = decoder(patches, None, tokens)
        garbage = torch.full((3, 5, PATCH_DIM), 1e3)
        torch.testing.assert_close(decoder(torch.cat([patches, garbage], 1), mask, tokens), alone, atol=1e-5, rtol=1e-5)
        changed = tokens.clone()
        changed[:, 4:] = 1
        torch.testing.assert_close(decoder(patches, None, changed)[:, :4], alone[:, :4])
        assert not torch.allclose(decoder(patches, None, changed)[:, 4:], alone[:, 4:], atol=1e-3)
        mask[1] = False
        with pytest.raises(ValueError, match="no patch"):
            decoder.encode(torch.cat([patches, garbage], 1), mask)


@BUILDERS
def test_weights_come_from_the_seed_alone(build):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second, other = (build(WORDS, PATCH_DIM, seed, SMALL).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["logits.weight"], other["logits.weight"])
    matrix = first["transformer.decoder.0.to_words.query.weight"]
    assert 0.9 < matrix.abs().max() / (6 / (2 * SMALL.dim)) ** 0.5 <= 1


def test_r2gen_at_full_size_has_the_logits_and_parameters_of_the_paper():
    decoder = r2gen(760, 2048, 0)
    assert decoder.logits.out_features == 761
    attention, d, slots = 4 * (512 * 512 + 512), 512, 3
    feed_forward = 2 * (d * d + d)
    conditioned = 2 * (slots * d * d + d + d * d + d) + 2 * d
    memory = attention + feed_forward + 2 * (d * 2 * d + 2 * d)
    total = 3 * (attention + feed_forward + 2 * 2 * d) + 3 * (2 * attention + feed_forward + 3 * conditioned)
    total += 2 * 2 * d + memory + 761 * d + (2048 * d + d) + (d * 761 + 761)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == total


def test_a_report_longer_than_the_positions_is_refused():
    decoder = plain(WORDS, PATCH_DIM, 0, SMALL)
    patches, _ = case()
    with pytest.raises(ValueError, match="60 positions"):
        decoder(patches, None, torch.zeros(3, 61, dtype=torch.int64))


def test_heads_must_share_the_channels():
    with pytest.raises(ValueError, match="5 heads"):
        plain(WORDS, PATCH_DIM, 0, Sizes(dim=16, heads=5))


def test_the_loss_is_over_words_and_ends():
    tokens = torch.tensor([[0, 3, 2, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    probabilities = logits.double().softmax(dim=-1)
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]
    expected = -sum(math.log(probabilities[row, at, tokens[row, at + 1]]) for row, at in places)
    total, count = token_loss(logits, tokens)
    assert count == len(places) == counted(tokens).sum()
    assert total.item() == pytest.approx(expected, rel=1e-5)
