"""Boards made up for tests: plausible numbers of any size, awkward names, and every gap that a real board can have."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from string import ascii_letters

import numpy as np
from scipy import special, stats

from benchx.metrics.calibration import Bin
from benchx.reporting.board import Board, Column, Friedman, Method, Pair, Place, Published, Scenario, Standing
from benchx.reporting.rows import Draw, Gap, OperatingPoint, Part, Rank, Row
from benchx.statistics.discriminability import Discriminability
from benchx.statistics.variance import Estimate

LEVEL = 0.95
AWKWARD = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "conv|irt `tick` $x_1$ & 50% #2 ~^\\{}",
    "=SUM(A1:A2)",
    "ünïcode\u2028line 中文",
    "a-method-with-a-very-long-name-that-nobody-would-choose-for-a-table",
)
PLAIN = (
    "medklip",
    "gloria",
    "biovil-t",
    "mgca-vit",
    "chexzero",
    "convirt",
    "imagenet-resnet50",
    "mrm",
    "refers",
    "m-flag",
)
DATASETS = ("nih", "rsna", "vindr-cxr", "covidx", "siim", "chexpert", "tbx11k", "mimic-cxr", "padchest", "object-cxr")
CLASSES = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
           "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia")  # fmt: skip
SUBGROUPS = ("sex: female", "sex: male", "age: 0-17", "age: 18-39", "age: 40-59", "age: 60-79", "age: 80+",
             "view: PA", "view: AP")  # fmt: skip
FRACTIONS = ((1.0,), (0.1, 1.0), (0.01, 0.1, 1.0))


def made_board(methods: int, datasets: int, fractions: int, seed: int = 0, *, data: str = "phantom") -> Board:
    """Return a board of `methods` rows and `datasets` x `fractions` (1 to 3) columns.

    Of every four names one is awkward (markup, formulas, line separators). The fourth of every four datasets is
    fine-tuned, the others frozen: two standings. The first two datasets are of one family. At the largest fraction
    nothing is drawn when frozen. The last method lacks the last column; the last but one lacks draws.
    """
    rng = np.random.default_rng([seed, methods, datasets, fractions])
    names = _names(methods)
    skill = np.sort(rng.normal(0, 0.02, methods))[::-1]
    columns = []
    for number in range(datasets):
        dataset = DATASETS[number] if number < len(DATASETS) else f"dataset-{number:02d}"
        for fraction in FRACTIONS[fractions - 1]:
            last = number == datasets - 1 and fraction == 1.0 and methods > 2
            present = names[:-1] if last else names
            column = _column(rng, dataset, number, fraction, present, skill[: len(present)])
            columns.append(replace(column, absent={names[-1]: "out of <memory> & time"} if last else {}))
    standings = tuple(
        _standing(rng, protocol, [column for column in columns if column.protocol == protocol], names)
        for protocol in ("frozen", "finetune")
        if any(column.protocol == protocol for column in columns)
    )
    return Board(
        suite="made-up <suite>",
        version=3,
        description='A board made up for tests; "quotes" & <b>markup</b>.',
        data=data,  # type: ignore[arg-type]
        newest="2031-02-03T04:05:06+00:00",
        level=LEVEL,
        replicates=2000,
        correction="holm",
        family="column",
        margin=0.01,
        baseline=names[0],
        methods=tuple(
            Method(
                name, f"Title of {name}", f"https://example.org/paper?a=1&b={i}", "MIT", f"{i:064x}" if i % 3 else None
            )
            for i, name in enumerate(names)
        ),
        columns=tuple(columns),
        standings=standings,
        empty=("iu-xray / classification / frozen / 1 %: data-missing <no root>",),
        notes=("2 results of suite version 2 <left out>",),
    )


def _names(methods: int) -> list[str]:
    plain, awkward = iter([*PLAIN, *(f"method-{i:02d}" for i in range(methods))]), iter(AWKWARD)
    return [next(awkward, f"odd-{i}") if i % 4 == 2 else next(plain) for i in range(methods)]


def _estimate(value: float, se: float, draws: int, *, difference: bool = False) -> Estimate:
    df = 180.0 if draws == 1 else 40.0
    reach = float(special.stdtrit(df, (1 + LEVEL) / 2)) * se
    low, high = value - reach, value + reach
    between = None if draws == 1 else 0.4 * se**2 * draws
    cases = se**2 - (0.0 if between is None else between / draws)
    p_value = float(2 * special.stdtr(df, -abs(value) / se)) if se else 1.0
    if not difference:
        low, high = max(0.0, low), min(1.0, high)
    return Estimate(
        value=value, low=low, high=high, se=se, df=df, level=LEVEL, p_value=p_value, draws=draws,
        case_variance=cases, case_df=799.0, clusters=800,
        draw_variance=between, draw_df=None if between is None else draws - 1.0,
        between_variance=None if between is None else 1.2 * between,
        interaction_variance=None if between is None else 0.2 * between,
        prior_df=0.0,
    )  # fmt: skip


def _column(
    rng: np.random.Generator, dataset: str, number: int, fraction: float, names: list[str], skill: np.ndarray
) -> Column:
    finetuned = number % 4 == 3
    blind = number % 4 == 1
    deterministic = fraction == 1.0 and not finetuned
    draws = 1 if deterministic else 3
    se = 0.006 + 0.004 * (1 - fraction) + (0.02 if blind else 0)
    centre = 0.78 + 0.03 * np.log10(fraction) + 0.02 * (number % 3)
    scores = centre + (0.1 if blind else 1) * skill + rng.normal(0, 0.2 * se, len(names))
    order = np.argsort(-scores)
    ordered = [float(scores[i]) for i in order]
    pairs, letters = _compared([names[i] for i in order], ordered, 0.8 * se, draws)
    rows = []
    for place, i in enumerate(order):
        short = i == len(names) - 2 and draws > 1
        rows.append(_row(rng, names[i], ordered[place], se, draws - short, draws, letters[place], place, len(names)))
    f = float(np.var(scores, ddof=1) / (0.4 * se**2)) if len(names) > 1 else 0.0
    return Column(
        dataset=dataset,
        family="nih" if number < 2 else dataset,
        task="classification",
        protocol="finetune" if finetuned else "frozen",
        fraction=fraction,
        split_kind="official",
        primary="macro_auroc",
        drawn="nothing" if deterministic else "subset and training" if finetuned else "subset",
        unit="image" if blind else "patient",
        cases=2400 - 100 * number % 1000,
        units=2400 if blind else 800,
        excluded={"Hernia": "no positive in test"} if number % 4 == 0 else {},
        shared_units=3 if blind else 0,
        redrawn=7,
        images=f"{number:064x}",
        split=f"{number + 100:064x}",
        rows=tuple(rows),
        pairs=tuple(pairs),
        discriminability=Discriminability(
            spread=float(np.std(scores, ddof=1)), noise=0.63 * se, f=f, p_value=0.3 if blind else 0.0004,
            reliability=max(0.0, 1 - 1 / f),
            verdict="cannot" if blind else "weakly" if number % 4 == 2 else "separates", detectable=3.1 * se,
            methods=len(names), df=40.0,
        ) if len(names) > 1 else None,
        absent={},
        published=(
            Published(names[0], "paper", round(centre + 0.01, 3), 0.004, "Table 2 of <the paper>"),
            Published(names[0], "authors-code", round(centre + 0.004, 3), None, "https://example.org/table?x=1&y=2"),
            Published("only-published", "paper", round(centre - 0.02, 3), None, "Table 3"),
        ) if number % 2 == 0 else (),
    )  # fmt: skip


def _compared(names: list[str], scores: list[float], se: float, draws: int) -> tuple[list[Pair], list[str]]:
    """Return every pair, Holm-corrected, and the letters that follow from it; all pairs have one standard error."""
    pairs = list(combinations(range(len(names)), 2))
    estimates = [_estimate(scores[i] - scores[j], se, draws, difference=True) for i, j in pairs]
    adjusted = np.ones(len(pairs))
    highest = 0.0
    for rank, k in enumerate(np.argsort([estimate.p_value for estimate in estimates], kind="stable")):
        highest = max(highest, min(1.0, (len(pairs) - rank) * estimates[k].p_value))
        adjusted[k] = highest
    different = {pair: adjusted[k] <= 1 - LEVEL for k, pair in enumerate(pairs)}
    groups: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = max([first, *(j for i, j in pairs if i == first and not different[i, j])])
        if not groups or last > groups[-1][1]:
            groups.append((first, last))
    letters = [
        "".join(ascii_letters[g % 52] for g, (first, last) in enumerate(groups) if first <= place <= last)
        for place in range(len(names))
    ]
    made = [
        Pair(names[i], names[j], estimate, float(adjusted[k]), bool(different[i, j]),
             bool(estimate.low > -0.01 and estimate.high < 0.01))
        for k, ((i, j), estimate) in enumerate(zip(pairs, estimates, strict=True))
    ]  # fmt: skip
    return made, letters


def _row(
    rng: np.random.Generator, name: str, score: float, se: float, draws: int, planned: int, letters: str, place: int,
    methods: int,
) -> Row:  # fmt: skip
    spread = stats.norm.pdf(np.arange(methods), place, 0.7 + methods / 20)
    probabilities = spread / spread.sum()
    cumulative = probabilities.cumsum()
    classes = tuple(
        Part(label, 3 * k, _estimate(float(value), 2 * se, draws) if k else None, None if k else "no positive in test")
        for k, (label, value) in enumerate(
            zip(reversed(CLASSES), np.clip(score + rng.normal(0, 0.05, len(CLASSES)), 0.3, 0.99), strict=True)
        )
    )  # fmt: skip
    subgroups = tuple(
        Part(group, 2, None, "too few: 2 cases") if "80" in group else
        Part(group, 300, _estimate(score + float(rng.normal(0, 0.02)), 1.5 * se, draws))
        for group in SUBGROUPS
    )  # fmt: skip
    gaps = (
        Gap("sex", "male", "female", _estimate(0.021, 0.012, draws, difference=True), 0.08, ("Mass", "Edema")),
        Gap("age", "40-59", "0-17", _estimate(0.052, 0.015, draws, difference=True), 0.004, ("Mass",)),
    )
    reliability = tuple(
        Bin((k + 0.5) / 10, float(np.clip((k + 0.5) / 11 + rng.normal(0, 0.02), 0.01, 0.95)), max(0.0, k / 11 - 0.05),
            min(1.0, (k + 1) / 11 + 0.07), 240)
        for k in range(10)
    )  # fmt: skip
    return Row(
        method=name,
        score=_estimate(score, se, draws),
        draws=tuple(
            Draw(
                name="deterministic" if planned == 1 else str(d), score=score + (d - (draws - 1) / 2) * 0.002,
                key=rng.bytes(32).hex(),
                created=f"2031-02-0{d + 1}T{rng.integers(24):02d}:{rng.integers(60):02d}:06+00:00", benchx="0.1.0",
                commit=None if place % 5 == 4 else f"{place:040x}", device="NVIDIA H100 <80GB> & co",
                precision="bf16" if place % 2 else None, wall_seconds=12.5 + 100 * d + place,
                peak_memory_bytes=3 * 2**30 + place,
            )
            for d in range(draws)
        ),
        planned_draws=planned,
        next_draw=None if planned == 1 else 1.9 * se,
        letters=letters,
        rank=Rank(
            int(np.searchsorted(cumulative, 0.025)) + 1,
            min(methods, int(np.searchsorted(cumulative, 0.975)) + 1),
            tuple(float(p) for p in probabilities),
            float(probabilities[0]),
        ),
        contaminated=("labels of <train>",) if place % 4 == 1 else (),
        certificate=f"{place + 1:040x}" if place % 3 == 0 else None,
        secondary={"macro_auprc": score - 0.3, "brier": 0.11, "ece": 0.034},
        classes=classes,
        subgroups=subgroups,
        gaps=gaps,
        reliability=reliability,
        operating_points=(OperatingPoint(0.9, 0.55, 0.893, 13), OperatingPoint(0.95, 0.41, 0.948, 13)),
        untrained=("Hernia",) if place == 0 else (),
        unreadable=2 if place == 1 else 0,
    )  # fmt: skip


def _standing(rng: np.random.Generator, protocol: str, columns: list[Column], names: list[str]) -> Standing:
    missing = {name: tuple(c.name for c in columns if c.row(name) is None) for name in names}
    ranked = [name for name in names if not missing[name]]
    blocks = tuple(dict.fromkeys(column.family for column in columns))
    by_block = np.array([
        np.mean([[[row.method for row in c.rows if row.method in ranked].index(n) + 1 for n in ranked]
                 for c in columns if c.family == block], axis=0)
        for block in blocks
    ])  # fmt: skip
    mean_ranks = by_block.mean(axis=0)
    order = [int(i) for i in np.argsort(mean_ranks)]
    reach = 1.2 if len(blocks) > 1 else None
    groups: list[tuple[int, int]] = []
    for first in range(len(order)):
        last = max(k for k in range(first, len(order))
                   if k == first or (reach or 1e9) >= mean_ranks[order[k]] - mean_ranks[order[first]])  # fmt: skip
        if not groups or last > groups[-1][1]:
            groups.append((first, last))
    places = []
    for place, i in enumerate(order):
        own = [(pair, pair.a == ranked[i]) for c in columns for pair in c.pairs if ranked[i] in (pair.a, pair.b)]
        wins = sum(pair.different and first for pair, first in own)
        losses = sum(pair.different and not first for pair, first in own)
        score = float(np.mean([row.score.value for c in columns if (row := c.row(ranked[i])) is not None]))
        rank = float(mean_ranks[i])
        letters = "".join(ascii_letters[g % 52] for g, (a, b) in enumerate(groups) if a <= place <= b)
        places.append(
            Place(ranked[i], rank, max(1.0, rank - 0.6), min(float(len(ranked)), rank + 0.7), 0.6 / 2**place, score,
                  score - 0.01, score + 0.012, letters, wins, len(own) - wins - losses, losses)
        )  # fmt: skip
    scenarios = [Scenario("as run", "as run", {p.method: p.mean_rank for p in places})]
    for kind, name in [
        *(("without a dataset", f"without {block}") for block in blocks if len(blocks) > 1),
        ("other metric", "macro_auprc"),
        ("one draw", "first draw only"),
        ("without contaminated methods", "without contaminated <methods>"),
    ]:
        kept = places[:-1] if kind == "without contaminated methods" and len(places) > 2 else places
        jitter = stats.rankdata([p.mean_rank + rng.normal(0, 0.8) for p in kept])
        scenarios.append(Scenario(kind, name, {p.method: float(r) for p, r in zip(kept, jitter, strict=True)}))
    return Standing(
        task="classification",
        protocol=protocol,
        columns=tuple(column.name for column in columns),
        blocks=blocks,
        places=tuple(places),
        left_out={name: lacks for name, lacks in missing.items() if lacks},
        friedman=Friedman(9.28, 0.026, 3.69, 0.02) if len(blocks) > 1 else None,
        critical_difference=reach,
        cliques=tuple(
            tuple(ranked[order[k]] for k in range(first, last + 1)) for first, last in groups if reach and last > first
        ),
        signed_rank=f"cannot decide over {len(blocks)} blocks (needs 9 or more)",
        false_wins=0.05 * len(columns),
        scenarios=tuple(scenarios),
    )
