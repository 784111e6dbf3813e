"""Beam search, against all sequences there are and against a loop over one hypothesis at a time without a cache."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from pycocoevalcap.bleu.bleu import Bleu
from torch.nn.utils import clip_grad_norm_

from benchx.decoders.reports.beam import generate, search
from benchx.decoders.reports.decoder import Sizes
from benchx.decoders.reports.loss import token_loss
from benchx.decoders.reports.plain import plain
from benchx.decoders.reports.r2gen import r2gen
from benchx.decoders.reports.vocabulary import Vocabulary
from benchx.errors import BenchxError

SMALL = Sizes(dim=16, heads=4, layers=2, hidden=24)


@dataclass
class Chain:
    """A Markov chain per case: log-probabilities [L, B, V, V] of the next word by position and last word."""

    table: torch.Tensor
    position: int = 0

    def select(self, beams):
        return self

    def step(self, state, tokens):
        log_probs = self.table[state.position, torch.arange(len(tokens))[:, None], tokens]
        return log_probs, Chain(self.table, state.position + 1)

    def search(self, **options):
        begin = torch.zeros((self.table.shape[1], 1), dtype=torch.int64)
        return search(self.step, self, begin, longest=len(self.table), **options)

    def cases(self):
        return self.table.transpose(0, 1).tolist()


def chain(longest, cases, words, seed):
    table = torch.randn(longest, cases, words, words, generator=torch.Generator().manual_seed(seed))
    return Chain((3 * table).log_softmax(dim=-1))


def all_sequences(words, longest):
    for length in range(longest):
        for body in itertools.product(range(1, words), repeat=length):
            yield (*body, 0)
    yield from itertools.product(range(1, words), repeat=longest)


def score(table, sequence):
    return sum(table[at][before][after] for at, (before, after) in enumerate(itertools.pairwise((0, *sequence))))


def repeats(sequence, n):
    parts = [sequence[at : at + n] for at in range(len(sequence) - n + 1)]
    return len(set(parts)) < len(parts)


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_a_search_wide_enough_finds_the_best_of_all_sequences(block):
    words, longest = 4, 5
    speaker = chain(longest, 6, words, seed=block)
    found = speaker.search(beams=words**longest, block_ngrams=block)
    for case, table in enumerate(speaker.cases()):
        allowed = [one for one in all_sequences(words, longest) if not (block and repeats(one, block))]
        best = max(allowed, key=lambda one: score(table, one))
        assert tuple(found.tokens[case].tolist()) == best + (0,) * (longest - len(best))
        assert found.scores[case].item() == pytest.approx(score(table, best), abs=1e-5)


def loop(log_probs_after, beams, longest, block=0):
    """The rule on lists: `log_probs_after(sequence)` gives a list; R2Gen's bookkeeping to the longest length."""
    live, done = [(0.0, ())], []
    for position in range(longest):
        candidates = []
        for place, (total, sequence) in enumerate(live):
            for word, value in enumerate(log_probs_after(sequence)):
                if not (block and repeats((*sequence, word), block)):
                    candidates.append((-(total + value), place, word, (*sequence, word)))
        live = []
        for total, _, word, sequence in sorted(candidates)[:beams]:
            if word == 0 or position == longest - 1:
                done.append((-total, sequence))
            else:
                live.append((-total, sequence))
    best = max(done, key=lambda one: one[0])
    return best[1] + (0,) * (longest - len(best[1])), best[0]


@pytest.mark.parametrize("beams", [1, 2, 3, 8])
@pytest.mark.parametrize("block", [0, 2])
def test_it_is_the_rule_applied_to_one_case_after_another(beams, block):
    for seed in range(10):
        speaker = chain(12, 7, 6, seed)
        found = speaker.search(beams=beams, block_ngrams=block)
        for case, table in enumerate(speaker.cases()):
            after = lambda said, table=table: table[len(said)][said[-1] if said else 0]  # noqa: E731
            expected, total = loop(after, beams, 12, block)
            assert tuple(found.tokens[case].tolist()) == expected
            assert found.scores[case].item() == pytest.approx(total, abs=1e-4)


def test_greedy_takes_the_likeliest_word_each_time():
    speaker = chain(10, 20, 5, 0)
    found = speaker.search(beams=1)
    for case in range(20):
        word, said = 0, []
        while len(said) < 10 and (word := int(speaker.table[len(said), case, word].argmax())):
            said.append(word)
        assert found.tokens[case].tolist() == said + [0] * (10 - len(said))


def test_of_equals_the_lowest_number_and_the_earliest_end_win():
    flat = Chain(torch.full((4, 2, 4, 4), math.log(0.25)))
    assert flat.search(beams=3).tokens.tolist() == [[0, 0, 0, 0]] * 2
    endless = torch.full((4, 2, 4, 4), math.log(1 / 3))
    endless[..., 0] = -torch.inf
    assert Chain(endless).search(beams=3).tokens.tolist() == [[1, 1, 1, 1]] * 2
    assert Chain(endless).search(beams=3, block_ngrams=2).tokens.tolist() == [[1, 1, 2, 1]] * 2


def test_with_every_word_blocked_the_report_ends():
    sure = torch.log(torch.tensor([[0.001, 0.998, 0.001], [0.001, 0.001, 0.998], [0.001, 0.499, 0.5]]))
    speaker = Chain(sure.expand(6, 1, 3, 3))
    assert speaker.search(beams=1, block_ngrams=1).tokens.tolist() == [[1, 2, 0, 0, 0, 0]]
    assert speaker.search(beams=1).tokens.tolist() == [[1, 2, 2, 2, 2, 2]]


def test_nan_is_an_error_and_not_a_report():
    broken = chain(4, 2, 4, 0)
    broken.table[0, 1, 0, 2] = torch.nan
    with pytest.raises(BenchxError, match="NaN"):
        broken.search(beams=3)


def pictures(cases, seed=0):
    patches = torch.randn(cases, 6, 5, generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(cases, 6, dtype=torch.bool)
    mask[::3, 3:] = False
    return patches, mask


def talkative(build, words=12):
    """A decoder whose weights are larger than at birth, so that its words depend on what it sees and has said."""
    decoder = build(words, 5, 0, SMALL).eval()
    with torch.no_grad():
        decoder.logits.weight.mul_(4)
        decoder.logits.bias[0] -= 3
    return decoder


@pytest.mark.parametrize("build", [r2gen, plain])
@pytest.mark.parametrize("block", [0, 3])
def test_cached_and_batched_says_what_a_slow_loop_says(build, block):
    decoder = talkative(build)
    patches, mask = pictures(5)
    found = generate(decoder, patches, mask, longest=15, block_ngrams=block)
    lengths = set()
    for case in range(len(patches)):
        one, seen = patches[case : case + 1], mask[case : case + 1]

        @torch.no_grad()
        def after(sequence, one=one, seen=seen):
            return decoder(one, seen, torch.tensor([[0, *sequence]])).log_softmax(dim=-1)[0, -1].tolist()

        expected, total = loop(after, 3, 15, block)
        assert tuple(found.tokens[case].tolist()) == expected
        assert found.scores[case].item() == pytest.approx(total, abs=1e-4)
        lengths.add(sum(word > 0 for word in expected))
    assert max(lengths) > 3


@pytest.mark.parametrize("build", [r2gen, plain])
def test_a_case_does_not_depend_on_its_batch(build):
    decoder = talkative(build)
    patches, mask = pictures(9)
    together = generate(decoder, patches, mask)
    for size in (1, 2, 4):
        parts = [
            generate(decoder, some, seen) for some, seen in zip(patches.split(size), mask.split(size), strict=True)
        ]
        assert torch.equal(torch.cat([part.tokens for part in parts]), together.tokens)
        torch.testing.assert_close(torch.cat([part.scores for part in parts]), together.scores, atol=1e-4, rtol=0)


def test_generation_is_for_evaluation():
    decoder = r2gen(12, 5, 0, SMALL).train()
    with pytest.raises(ValueError, match="evaluation"):
        generate(decoder, *pictures(1))


@pytest.mark.slow
@pytest.mark.parametrize("build", [r2gen, plain])
def test_16_reports_are_learnt_by_heart(build):
    generator = torch.Generator().manual_seed(0)
    words = [f"w{number}" for number in range(30)]
    reports = [
        " ".join(words[int(number)] for number in torch.randint(30, (int(length),), generator=generator))
        for length in torch.randint(8, 40, (16,), generator=generator)
    ]
    vocabulary = Vocabulary.build(reports, least=1)
    patches = torch.randn(16, 6, 8, generator=generator)
    decoder = build(len(vocabulary), 8, 0, Sizes(dim=64, heads=4, layers=2, hidden=64))
    optimizer = torch.optim.Adam(decoder.parameters(), lr=2e-3, amsgrad=True)
    tokens = vocabulary.encode_batch(reports)
    decoder.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(400):
            optimizer.zero_grad()
            total, count = token_loss(decoder(patches, None, tokens[:, :-1]), tokens)
            (total / count).backward()
            clip_grad_norm_(decoder.parameters(), 1.0)
            optimizer.step()
    decoder.eval()
    for beams in (1, 3):
        said = [vocabulary.decode(row.tolist()) for row in generate(decoder, patches, None, beams=beams).tokens]
        keys = range(16)
        scores, _ = Bleu(4).compute_score({k: [reports[k]] for k in keys}, {k: [said[k]] for k in keys}, verbose=0)
        assert scores[3] > 0.9
