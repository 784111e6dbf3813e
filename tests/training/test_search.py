"""The declared search: its grid, its halving, what it chooses, and that a kill at any moment changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchx.errors import BenchxError
from benchx.protocols import Finetune, read_protocol
from benchx.training import search
from benchx.training.learner import Learner
from benchx.training.loop import Diverged, train
from benchx.training.optimizers import parameter_groups
from benchx.training.recipe import Batch, Recipe, TrainingSet, recipe_of
from benchx.training.search import Choice, best_so_far, choose, grid, with_settings


def protocol(space: dict[str, list[Any]] | None, halving: tuple[float, ...] = (), **fields: Any) -> Finetune:
    found = read_protocol(
        {
            "kind": "finetune",
            "input": {"preprocessing": "card"},
            "augmentation": {"scale": [1.0, 1.0], "ratio": [1.0, 1.0], "horizontal_flip": 0.0},
            "epochs": 8,
            "batch_size": 4,
            "lr": 0.1,
            "head_lr": 0.1,
            "weight_decay": 0.0,
            "patience": 99,
            "precision": "fp32",
            "search": None if space is None else {"space": space, "halving": halving},
        }
        | fields
    )
    assert isinstance(found, Finetune)
    return found


EIGHT = {"lr": [0.1, 0.2, 0.3, 0.4], "head.layer_norm": [False, True]}


class Table:
    """Attempts that train nothing: the score of each trial by epoch, what was asked, and a state file of its epoch."""

    def __init__(self, scores: dict[int, Any], diverging: dict[int, int] | None = None) -> None:
        self.scores, self.diverging = scores, diverging or {}
        self.asked: list[tuple[int, int | None]] = []
        self.life = 10**9

    def __call__(self, one: Finetune, state_file: Path, until: int | None) -> float | None:
        trial = int(state_file.stem.removeprefix("trial"))
        assert one.search is None
        reached = json.loads(state_file.read_text()) if state_file.exists() else 0
        self.asked.append((trial, until))
        for epoch in range(reached + 1, (until or one.epochs) + 1):
            if epoch == self.diverging.get(trial):
                state_file.unlink(missing_ok=True)
                raise Diverged("loss is NaN", "epoch", "lower the rate")
            state_file.parent.mkdir(parents=True, exist_ok=True)
            state_file.write_text(json.dumps(epoch))
            self.life -= 1
            if self.life == 0:
                raise KeyboardInterrupt
        score = self.scores[trial]
        return score(until or one.epochs) if callable(score) else score


def silent(done: int, total: int) -> None:
    assert 0 < done <= total


def without_seconds(choice: Choice[Finetune]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in choice.trials]


def test_a_grid_varies_the_last_field_first() -> None:
    declared = protocol({"lr": [0.1, 0.2], "weight_decay": [0.0], "head.layer_norm": [False, True]})
    assert grid(declared) == [
        {"lr": 0.1, "weight_decay": 0.0, "head.layer_norm": False},
        {"lr": 0.1, "weight_decay": 0.0, "head.layer_norm": True},
        {"lr": 0.2, "weight_decay": 0.0, "head.layer_norm": False},
        {"lr": 0.2, "weight_decay": 0.0, "head.layer_norm": True},
    ]


def test_settings_reach_into_fields_and_leave_the_others_alone() -> None:
    declared = protocol({"lr": [0.1]})
    found = with_settings(declared, {"lr": 3.0, "head.layer_norm": True, "optimizer": "sgd"})
    assert (found.lr, found.head.layer_norm, found.optimizer, found.search) == (3.0, True, "sgd", None)
    assert found.head.weight_std == declared.head.weight_std
    assert found == declared.model_copy(update={"lr": 3.0, "optimizer": "sgd", "search": None, "head": found.head})


def test_a_setting_that_the_protocol_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="momentun"):
        with_settings(protocol({"lr": [0.1]}), {"momentun": 0.9})


def test_nothing_to_search_is_one_training_without_trials(tmp_path: Path) -> None:
    one = protocol(None)
    choice = choose(one, tmp_path, Table({}), silent)
    assert (choice.protocol, choice.trials, choice.details) == (one, (), {})
    assert choice.state_file == tmp_path / "state.pt"
    assert not list(tmp_path.iterdir())


def test_a_plain_grid_tries_everything_to_its_end_and_takes_the_best(tmp_path: Path) -> None:
    table = Table({0: 0.5, 1: 0.7, 2: None, 3: 0.6})
    choice = choose(protocol({"lr": [0.1, 0.2, 0.3, 0.4]}), tmp_path, table, silent)
    assert table.asked == [(trial, None) for trial in range(4)]
    assert (choice.protocol.lr, choice.protocol.search) == (0.2, None)
    assert choice.state_file.read_text() == "8"
    assert choice.state_file == tmp_path / "trial1.pt"
    assert choice.details["search"] == {
        "chosen": {"lr": 0.2},
        "trial": 1,
        "trials": 4,
        "best_so_far": [0.5, 0.7, 0.7, 0.7],
    }
    assert without_seconds(choice)[2] == {
        "trial": 2, "settings": {"lr": 0.3}, "epochs": 8, "score": None, "state": "finished",
    }  # fmt: skip
    assert all(row["seconds"] >= 0 for row in choice.trials)
    json.dumps([choice.trials, choice.details], allow_nan=False)


@pytest.mark.parametrize(
    ("scores", "best"),
    [([0.5, 0.5, 0.5], 0), ([0.4, 0.5, 0.5], 1), ([None, None, None], 0), ([None, -5.0, None], 1)],
)
@pytest.mark.parametrize("halving", [(), (0.5,)])
def test_of_equals_the_first(tmp_path: Path, scores: list[float | None], best: int, halving: tuple[float]) -> None:
    table = Table(dict(enumerate(scores)))
    choice = choose(protocol({"lr": [0.1, 0.2, 0.3]}, halving), tmp_path, table, silent)
    assert choice.details["search"]["trial"] == best


def test_halving_keeps_the_better_half_rounded_up(tmp_path: Path) -> None:
    scores = [0.1, 0.8, 0.3, 0.6, 0.5, 0.7, 0.2]
    table, seen = Table(dict(enumerate(scores))), []
    declared = protocol({"lr": [0.1 * (1 + n) for n in range(7)]}, (0.25, 0.5))
    choice = choose(declared, tmp_path, table, lambda done, total: seen.append((done, total)))
    first, second, third = list(range(7)), [1, 3, 4, 5], [1, 5]
    assert table.asked == [(n, 2) for n in first] + [(n, 4) for n in second] + [(n, None) for n in third]
    assert seen == [(done, 13) for done in range(1, 14)]
    assert choice.details["search"]["trial"] == 1
    assert [row["state"] for row in choice.trials] == [
        "halved", "finished", "halved", "halved", "halved", "finished", "halved",
    ]  # fmt: skip
    assert [row["epochs"] for row in choice.trials] == [2, 8, 2, 4, 4, 8, 2]
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["trial1.pt", "trial5.pt"]


def test_what_was_halved_is_not_chosen_even_if_it_scored_higher(tmp_path: Path) -> None:
    # Trial 0 leads early and falls; trial 3 was out with more than trial 0 has in the end.
    table = Table({0: lambda epoch: 0.9 if epoch < 8 else 0.2, 1: 0.8, 2: 0.1, 3: 0.7})
    choice = choose(protocol({"lr": [0.1, 0.2, 0.3, 0.4]}, (0.5,)), tmp_path, table, silent)
    assert choice.details["search"]["trial"] == 1
    assert [row["score"] for row in choice.trials] == [0.2, 0.8, 0.1, 0.7]
    assert choice.details["search"]["best_so_far"] == [0.2, 0.8, 0.8, 0.8]


def test_halving_waits_for_the_first_evaluation(tmp_path: Path) -> None:
    table = Table(dict.fromkeys(range(4), 0.5))
    declared = protocol({"lr": [0.1, 0.2, 0.3, 0.4]}, (0.1, 0.75), epochs=20, first_evaluation=10)
    choose(declared, tmp_path, table, silent)
    assert [until for _, until in table.asked] == [10] * 4 + [15] * 2 + [None]
    again = Table(dict.fromkeys(range(4), 0.5))
    never = protocol({"lr": [0.1, 0.2, 0.3, 0.4]}, (0.5,), epochs=3, first_evaluation=10)
    choose(never, tmp_path / "never", again, silent)
    assert [until for _, until in again.asked] == [3] * 4 + [None] * 2


def test_one_trial_is_halved_to_one(tmp_path: Path) -> None:
    table = Table({0: 0.5})
    choice = choose(protocol({"lr": [0.3]}, (0.01, 0.5)), tmp_path, table, silent)
    assert table.asked == [(0, 1), (0, 4), (0, None)]
    assert (choice.protocol.lr, len(choice.trials)) == (0.3, 1)


def test_a_trial_that_diverges_is_out(tmp_path: Path) -> None:
    table = Table({0: 0.9, 1: 0.5, 2: 0.8, 3: 0.7}, diverging={0: 1, 2: 6})
    choice = choose(protocol({"lr": [0.1, 0.2, 0.3, 0.4]}, (0.5,)), tmp_path, table, silent)
    # Of the three that are left after the first share, two go on.
    assert table.asked == [(0, 4), (1, 4), (2, 4), (3, 4), (2, None), (3, None)]
    assert choice.details["search"] == {
        "chosen": {"lr": 0.4},
        "trial": 3,
        "trials": 4,
        "best_so_far": [None, 0.5, 0.5, 0.7],
    }
    assert [row["state"] for row in choice.trials] == [
        "failed: loss is NaN", "halved", "failed: loss is NaN", "finished",
    ]  # fmt: skip
    assert [row["score"] for row in choice.trials] == [None, 0.5, None, 0.7]


@pytest.mark.parametrize("diverging", [{0: 1, 1: 3, 2: 2}, {0: 1, 1: 8, 2: 7}])
def test_a_search_without_a_survivor_is_an_error(tmp_path: Path, diverging: dict[int, int]) -> None:
    table = Table(dict.fromkeys(range(3), 0.5), diverging)
    declared = protocol({"lr": [0.1, 0.2, 0.3]}, (0.5,))
    for _ in range(2):  # and once more from its files
        with pytest.raises(BenchxError, match="of 3 trials every one that went on diverged") as caught:
            choose(declared, tmp_path, table, silent)
        assert caught.value.why == "loss is NaN"
    assert not list(tmp_path.glob("*.pt"))


def test_another_error_is_no_divergence(tmp_path: Path) -> None:
    def broken(one: Finetune, state_file: Path, until: int | None) -> float | None:
        raise BenchxError("out of memory", "why", "what to do")

    with pytest.raises(BenchxError, match="out of memory"):
        choose(protocol({"lr": [0.1]}), tmp_path, broken, silent)


@pytest.mark.parametrize(
    ("scores", "curve"),
    [
        ([], []),
        ([None, None], [None, None]),
        ([None, 0.2, None, 0.1, 0.3], [None, 0.2, 0.2, 0.2, 0.3]),
        ([0.0, -1.0], [0.0, 0.0]),
    ],
)
def test_best_so_far(scores: list[float | None], curve: list[float | None]) -> None:
    assert best_so_far([{"score": score} for score in scores]) == curve


def scripted() -> Table:
    scores = [0.1, lambda epoch: 0.3 + 0.02 * epoch, 0.4, 0.45, None, 0.44, 0.3, 0.43]
    return Table(dict(enumerate(scores)), diverging={0: 2, 3: 5})


def test_a_kill_at_any_epoch_changes_neither_choice_nor_rows(tmp_path: Path) -> None:
    declared = protocol(EIGHT, (0.25, 0.5))
    calm = scripted()
    whole = choose(declared, tmp_path / "whole", calm, silent)
    assert {row["state"] for row in whole.trials} == {"failed: loss is NaN", "halved", "finished"}
    lives = 0
    for life in range(1, 100):
        work, table = tmp_path / str(life), scripted()
        table.life = life
        try:
            found = choose(declared, work, table, silent)
        except KeyboardInterrupt:
            table.life = 10**9
            asked = len(table.asked)
            found = choose(declared, work, table, silent)
            # Of what was asked before, only the attempt that was under way is asked again.
            assert table.asked[:asked] + table.asked[asked + 1 :] == calm.asked
            lives += 1
        assert (found.protocol, found.details) == (whole.protocol, whole.details)
        assert found.state_file.name == whole.state_file.name
        assert without_seconds(found) == without_seconds(whole)
        if table.life > 0 and table.asked == calm.asked:
            break
    assert lives > 25


@pytest.mark.parametrize("stage", range(1, 15))
def test_a_kill_between_an_attempt_and_its_note_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: int
) -> None:
    declared, noted = protocol(EIGHT, (0.25, 0.5)), []
    whole = choose(declared, tmp_path / "whole", scripted(), silent)
    real = search.write_whole

    def killed(path: Path, content: bytes) -> None:
        noted.append(path)
        if len(noted) == stage:
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(search, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        choose(declared, tmp_path / "killed", scripted(), silent)
    found = choose(declared, tmp_path / "killed", scripted(), silent)
    assert (found.protocol, found.details) == (whole.protocol, whole.details)
    assert without_seconds(found) == without_seconds(whole)


class Bowl(Learner):
    """A weight that SGD draws to the cases' mean, through dropout."""

    def __init__(self) -> None:
        super().__init__("cpu", "fp32")
        self.weight = nn.Parameter(torch.zeros(3))
        self.dropout = nn.Dropout(0.3)

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        return parameter_groups([(self, recipe.lr)], recipe)

    def loss_sum(self, batch: Batch) -> Tensor:
        return (self.dropout(self.weight) - batch[0]).square().sum()

    def count(self, batch: Batch) -> Tensor:
        return torch.tensor(len(batch[0]))


POINTS = torch.randn((12, 3), generator=torch.Generator().manual_seed(0)) + 2


def bowl_attempts(on_epoch: Callable[[dict[str, Any]], None] | None, models: dict[str, Bowl]) -> search.Attempt:
    """Train a bowl by the one loop, from its state."""

    def attempt(one: Finetune, state_file: Path, until: int | None) -> float | None:
        model = models[state_file.name] = Bowl()
        cases = TrainingSet(12, lambda rows, rng: (POINTS[rows] + 0.1 * float(rng.normal()),))

        def evaluate(learner: Learner, micro_batch: int) -> float:
            assert isinstance(learner, Bowl)
            return -(learner.weight.detach() - 2).square().sum().item()

        recipe = recipe_of(one)
        return train(
            model, cases, recipe, 0, state_file=state_file, on_epoch=on_epoch, evaluate=evaluate, until=until
        ).best_score

    return attempt


def test_trials_of_the_loop_go_on_bit_for_bit_after_a_kill_at_any_epoch(tmp_path: Path) -> None:
    rates = [1e-4, 0.3, 0.02, 1e30]  # too low, high, right, and one that diverges
    declared = protocol({"lr": rates}, (0.5,), optimizer="sgd", epochs=4, batch_size=4)
    models: dict[str, Bowl] = {}
    rows: list[dict[str, Any]] = []
    whole = choose(declared, tmp_path / "whole", bowl_attempts(rows.append, models), silent)
    expected = models[whole.state_file.name].weight
    assert whole.trials[3]["state"] == "failed: loss is infinite"
    assert len(rows) >= 10
    for life in range(1, len(rows) + 1):
        epochs = iter(range(1, life))

        def kill(row: dict[str, Any], epochs: Any = epochs) -> None:
            if next(epochs, None) is None:
                raise KeyboardInterrupt

        work, resumed = tmp_path / str(life), {}
        with pytest.raises(KeyboardInterrupt):
            choose(declared, work, bowl_attempts(kill, {}), silent)
        found = choose(declared, work, bowl_attempts(None, resumed), silent)
        assert (found.protocol, found.details) == (whole.protocol, whole.details)
        assert without_seconds(found) == without_seconds(whole)
        bowl_attempts(None, resumed)(found.protocol, found.state_file, None)
        assert torch.equal(resumed[found.state_file.name].weight, expected)
