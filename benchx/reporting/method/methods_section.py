"""Sentences for a paper's methods section, from the settings that a board was made with, and what they cite."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from benchx.datasets.samples import UNITS
from benchx.reporting.board import Board, Column, Drawn, Standing
from benchx.reporting.method.parts import joined
from benchx.reporting.wording import CASES, CORRECTIONS, FAMILIES, METRICS, VARIED, number, p_value, percent
from benchx.statistics.moderation import PRIOR_DF
from benchx.tasks.kinds import KINDS
from benchx.words import agreeing, plural

SPLITS = {
    "official": "official split",
    "cv5": "five-fold cross-validation over patients",
    "benchx-2024": "split lists of BenchX (Zhou et al. 2024)",
}
REFERENCES = {
    "Brier 1950": "Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev 1950;78:1-3.",
    "Benjamini and Hochberg 1995": "Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B "
    "1995;57:289-300.",
    "Bloom 1995": "Bloom HS. Minimum detectable effects. Eval Rev 1995;19:547-556.",
    "Cochran 1964": "Cochran WG. Approximate significance levels of the Behrens-Fisher test. Biometrics "
    "1964;20:191-195.",
    "Davison and Hinkley 1997": "Davison AC, Hinkley DV. Bootstrap Methods and their Application. Cambridge University "
    "Press 1997.",
    "DeLong, DeLong and Clarke-Pearson 1988": "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two "
    "or more correlated receiver operating characteristic curves: a nonparametric approach. Biometrics "
    "1988;44:837-845.",
    "Demsar 2006": "Demsar J. Statistical comparisons of classifiers over multiple data sets. J Mach Learn Res "
    "2006;7:1-30.",
    "Guo et al. 2017": "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. ICML 2017.",
    "Holm 1979": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "Iman and Davenport 1980": "Iman RL, Davenport JM. Approximations of the critical region of the Friedman "
    "statistic. Commun Stat Theory Methods 1980;9:571-595.",
    "Piepho 2004": "Piepho HP. An algorithm for a letter-based representation of all-pairwise comparisons. J Comput "
    "Graph Stat 2004;13:456-466.",
    "Satterthwaite 1946": "Satterthwaite FE. An approximate distribution of estimates of variance components. "
    "Biometrics Bull 1946;2:110-114.",
    "Schuirmann 1987": "Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach. "
    "J Pharmacokinet Biopharm 1987;15:657-680.",
    "Smyth 2004": "Smyth GK. Linear models and empirical Bayes methods for assessing differential expression in "
    "microarray experiments. Stat Appl Genet Mol Biol 2004;3:3.",
    "Zhou et al. 2024": "Zhou Y, et al. BenchX: a unified benchmark framework for medical vision-language pretraining "
    "on chest X-rays. NeurIPS Datasets and Benchmarks 2024.",
}


_DONE = {
    "few_shot": "adapted with few training cases of each class and as many without it, drawn again and again, and "
    "tested"
}
"""What is done with a method, where neither all labels teach it nor none."""

_CALIBRATION = (
    "Calibration is described by the Brier score (Brier 1950) and the expected calibration error (Guo et al. 2017), "
    "means over classes and draws."
)


def methods_section(board: Board, method: str) -> tuple[str, ...]:
    """Return the paragraphs: data and adaptation, intervals, comparisons in a column, comparisons across datasets.

    Args:
        board: the board.
        method: has a result in some column.
    """
    columns = [column for column in board.columns if column.row(method) is not None]
    compared = [column for column in columns if len(column.rows) > 1]
    paragraphs = [" ".join(_data(board, method, columns)), " ".join(_intervals(board, columns))]
    if compared:
        paragraphs += [" ".join(_comparisons(board)), " ".join(_across(board))]
    return tuple(paragraphs)


def references(paragraphs: Sequence[str]) -> tuple[str, ...]:
    """Return the works that some paragraphs cite, by author."""
    text = " ".join(paragraphs).replace("(", "").replace(")", "")
    return tuple(whole for key, whole in sorted(REFERENCES.items()) if key in text)


def _data(board: Board, method: str, columns: Sequence[Column]) -> Iterator[str]:
    versions = dict.fromkeys(draw.benchx for column in columns if (row := column.row(method)) for draw in row.draws)
    simulated = "simulated images of " if board.data == "phantom" else ""
    yield (
        f"{method} was evaluated with benchx (version {joined(list(versions))}) on {simulated}suite {board.suite}, "
        f"version {board.version}."
    )
    sets = dict.fromkeys(f"{column.dataset} ({_size(column)})" for column in columns)
    yield f"The test {agreeing(len(sets), 'set was', 'sets were')} {joined(list(sets))}."
    yield from _adaptation(columns)
    short = [column for column in columns if (row := column.row(method)) and len(row.draws) < row.planned_draws]
    if short:
        yield f"In {plural(len(short), 'column')} fewer draws of {method} than planned were available."
    yield (
        f"The primary metric was {_metrics(columns)}; it was computed for every draw and then averaged over draws, "
        "which predictions never were."
    )
    excluded = {f"{name} of {column.dataset} ({why})" for column in columns for name, why in column.excluded.items()}
    if excluded:
        yield f"Classes that could not be scored were left out: {joined(sorted(excluded))}."
    if any(row.reliability for column in columns for row in column.rows):
        yield _CALIBRATION


def _metrics(columns: Sequence[Column]) -> str:
    """Name the metrics, where there are several with the columns that each is of."""
    datasets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for column in columns:
        datasets[column.primary, column.task].append(column.dataset)
    if len({primary for primary, _ in datasets}) == 1:
        return METRICS[columns[0].primary]
    return "; ".join(
        f"of {task} on {joined(list(dict.fromkeys(names)))} {METRICS[primary]}"
        for (primary, task), names in datasets.items()
    )


def _size(column: Column) -> str:
    units = "" if column.unit == "image" else f" of {plural(column.units, column.unit, UNITS[column.unit])}"
    cases = plural(column.cases, *CASES.get(column.task, ("image",)))
    return f"n = {cases}{units}, {SPLITS.get(column.split_kind, column.split_kind)}"


def _adaptation(columns: Sequence[Column]) -> Iterator[str]:
    """Say by which protocols, with which fractions, and how many draws."""
    groups: dict[tuple[str, str], dict[tuple[Drawn, int], set[float]]] = defaultdict(lambda: defaultdict(set))
    for column in columns:
        planned = column.rows[0].planned_draws
        groups[column.task, column.protocol][column.drawn, planned].add(column.fraction)
    for (task, protocol), draws in groups.items():
        told = []
        for (drawn, planned), fractions in draws.items():
            shares = joined([percent(fraction) for fraction in sorted(fractions)])
            alone = "the mean over draws" if task == "few_shot" else "since nothing is drawn"
            many = f"one result, {alone}" if drawn == "nothing" else (
                f"{plural(planned, 'draw')}, which differ in {VARIED[drawn]}"
            )  # fmt: skip
            told.append(f"with {shares} of the training data ({many})")
        done = _DONE.get(task, "adapted" if KINDS[task].trained else "used, without training,")
        yield f"For {task} it was {done} by the suite's protocol '{protocol}' {joined(told)}."


def _intervals(board: Board, columns: Sequence[Column]) -> Iterator[str]:
    units = joined(list(dict.fromkeys(UNITS[column.unit] for column in columns)))
    repeated = any(row.score.draw_variance is not None for column in columns for row in column.rows)
    yield (
        f"Intervals are {percent(board.level)} t intervals. The variance due to the test cases is that of "
        f"{board.replicates} bootstrap replicates, in which whole {units} were drawn with replacement (Davison and "
        "Hinkley 1997); a replicate that lacked a value of a class was drawn again."
    )
    primaries = dict.fromkeys(column.primary for column in columns)
    ranking = [name for name in primaries if name.startswith("macro_auroc")]
    measures = [METRICS[name] for name in primaries if name not in ranking]
    if ranking:
        yield (
            f"Since the AUROC of a class rests on the fewest {units} m that hold a positive, or a negative, each "
            "class's part of that variance was multiplied by m/(m - 1) and has m - 1 degrees of freedom (parts joined "
            f"as by Satterthwaite 1946, at most one less than the {units} behind all classes). Where one alone holds a "
            "class, or a class was told apart without an error, the variance of one score anywhere in [0, 1] was added."
        )
    if any(name != "macro_auroc" for name in ranking):
        yield (
            "An AUROC averaged over draws of few training cases followed in every replicate from the mean placements "
            "of its cases (DeLong, DeLong and Clarke-Pearson 1988), to first order; its interval is over test cases, "
            "with the draws as they were."
        )
    if measures:
        yield (
            f"In every replicate {joined(measures)} followed from sums over its cases; with m {units} that hold a case "
            "that counts the variance was multiplied by m/(m - 1) and has m - 1 degrees of freedom, and where no "
            f"two {units} differ it is that of one more whose place is anywhere in [0, 1]."
        )
    if repeated:
        yield (
            "To the variance of the test cases was added that between draws divided by their number S, less the part "
            "that the interaction of draws and test cases contributes to it, since the bootstrap holds that already "
            "(method of moments). The degrees of freedom df follow from 1/df = (1 - w)/c + w/(S - 1), with c those of "
            "the test cases and w the share of the observed variance between draws in the whole (to first order, "
            "Cochran 1964)."
        )
    yield "Intervals of scores are made on the logit scale."
    if not repeated or any(row.score.draw_variance is None for column in columns for row in column.rows):
        yield "A result of one draw has an interval over the test cases only."


def _comparisons(board: Board) -> Iterator[str]:
    alpha = 1 - board.level
    tests = [len(column.pairs) for column in board.columns if column.pairs]
    yield (
        "Two methods were compared by a two-sided t test of their difference on the same test cases, with the variance "
        "of the difference over the same bootstrap replicates (paired by case)."
    )
    yield from _drawn(board)
    sizes = joined(sorted({str(size) for size in tests}, key=int))
    yield (
        f"There were {plural(sum(tests), 'comparison')} in {plural(len(tests), 'column')} ({sizes} each); p values "
        f"were corrected by {CORRECTIONS[board.correction]} {FAMILIES[board.family]}, and methods called different "
        f"at a corrected p of at most {alpha:.2g}."
    )
    yield "Methods that share a letter are not told apart (compact letter display, Piepho 2004)."
    if board.margin is not None:
        yield (
            f"Equivalence within ±{board.margin:g} was tested by two one-sided tests at {alpha:.2g} (Schuirmann 1987), "
            "without correction."
        )
    yield (
        "Whether a test set separates the methods was judged by an F test at 5 % of the spread of their scores against "
        "its noise; the detectable difference is that of two methods which one uncorrected test at 5 % finds with 80 % "
        "power (Bloom 1995). Intervals of ranks and the probability of being best are over the same replicates, with "
        "the variation between draws added as normal deviates."
    )


def _drawn(board: Board) -> Iterator[str]:
    """Say how draws enter a difference: paired, with the column's help where enough methods share them, or not."""
    if not any(row.score.draw_variance is not None for column in board.columns for row in column.rows):
        return
    sharing = [
        Counter(tuple(draw.name for draw in row.draws) for row in column.rows if len(row.draws) > 1)
        for column in board.columns
    ]
    helped = max((count for shared in sharing for count in shared.values()), default=0) > 2
    moderated = (
        ", and the variance between the draws of their difference was moderated (Smyth 2004): the mean of their own "
        f"and of that of all such methods of the column, weighted by degrees of freedom, S - 1 and at most {PRIOR_DF}"
    )
    yield (
        f"Methods with the same draws were also paired by draw{moderated if helped else ''}; otherwise their draws "
        "counted as independent, with the degrees of freedom of Satterthwaite (1946)."
    )


def _across(board: Board) -> Iterator[str]:
    """Say how the columns were joined, and what was tested or could not be."""
    yield (
        "Across datasets only the methods with a result in every column of a task and protocol were ranked; nothing "
        "was filled in for missing results. Ranks were taken in every column and averaged over the columns of datasets "
        "from one source, which form one block."
    )
    for standing in board.standings:
        yield from _standing(standing, 1 - board.level)


def _standing(standing: Standing, alpha: float) -> Iterator[str]:
    blocks, name = plural(len(standing.blocks), "block"), f"{standing.task}, {standing.protocol}"
    left_out = f"; {plural(len(standing.left_out), 'method')} lacked some and had no rank" if standing.left_out else ""
    ranked = plural(len(standing.places), "method")
    intro = f"For {name} there were {ranked}, {plural(len(standing.columns), 'column')} and {blocks}{left_out}"
    if standing.friedman is None or standing.critical_difference is None:
        yield f"{intro}; with so few, no test across datasets was made."
        return
    test = standing.friedman
    f = "" if test.f is None else f" = {number(test.f, digits=2)}"
    yield (
        f"{intro}: the ranks were compared by Friedman's test with the F of Iman and Davenport (1980) (F{f}, "
        f"{p_value(test.f_p)}) and Nemenyi's critical difference ({number(standing.critical_difference, digits=2)} at "
        f"{alpha:.2g}), as Demsar (2006) recommends. {standing.signed_rank}."
    )
