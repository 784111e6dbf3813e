"""The words and forms of numbers that all written forms of a board share."""

from __future__ import annotations

from benchx.reporting.board import Board, Column, Correction, Drawn, Family, Published
from benchx.reporting.rows import Row
from benchx.statistics.variance import Estimate
from benchx.words import plural

DOTS = {"separates": "●", "weakly": "◐", "cannot": "○"}
"""The mark of a discriminability verdict."""

VERDICTS = {
    "separates": "separates the methods",
    "weakly": "separates the methods weakly",
    "cannot": "cannot separate the methods",
}
CORRECTIONS: dict[Correction, str] = {
    "holm": "Holm (1979)",
    "benjamini-hochberg": "Benjamini and Hochberg (1995)",
}
FAMILIES: dict[Family, str] = {
    "column": "within one column (dataset, task, protocol, fraction)",
    "board": "over all columns of the board together",
}
METRICS = {
    "macro_auroc": "the area under the receiver operating characteristic curve (AUROC), averaged over classes",
    "macro_auprc": "macro AUPRC",
    **{
        f"macro_auroc_at_{shots}": f"the AUROC at {plural(shots, 'shot')} per class and side, averaged over draws and "
        "classes"
        for shots in (1, 2, 4, 8, 16)
    },
    "f1": "F1 at log-odds above 0, averaged over classes",
    "dice": "the Dice coefficient of the foreground, averaged over images",
    "dice_positive": "the Dice coefficient of the foreground, averaged over images that have one",
    "pooled_dice": "the Dice coefficient of the foreground, pixels pooled over the test set",
    "mdice": "the mean Dice coefficient of background and foreground, pixels pooled over the test set",
    "bleu_4": "BLEU-4 of the test set",
    "cleaned_bleu_4": "BLEU-4 of the test set against cleaned references",
    "rouge_l": "ROUGE-L, averaged over studies",
    "radgraph_f1": "F1-RadGraph, averaged over studies",
    "accuracy": "the share of questions answered exactly",
    "accuracy_open": "the share of open questions answered exactly",
    "accuracy_closed": "the share of closed questions answered exactly",
    **{
        f"{way}_recall_at_{depth}": f"recall at {depth} of {words} retrieval"
        for way, words in (("i2t", "image-to-report"), ("t2i", "report-to-image"))
        for depth in (1, 5, 10)
    },
    **{
        f"i2t_class_{what}_at_{depth}": f"{words} at {depth} of class matches in image-to-report retrieval"
        for what, words in (("hit", "hits"), ("precision", "precision"))
        for depth in (1, 5, 10)
    },
}
"""What a metric is called in a sentence."""

CASES = {
    "report_generation": ("test study", "test studies"),
    "retrieval": ("query", "queries"),
    "vqa": ("test question", "test questions"),
}
"""What a test case is called, where it is not one image; singular and plural."""

TRANSDUCTIVE = "scores are standardised over the test images, so each depends on the others"
"""What ‡ says."""

VARIED: dict[Drawn, str] = {
    "subset": "the labelled subset",
    "training": "the course of training",
    "subset and training": "the labelled subset and the course of training",
}
"""What the draws of a column differ in, where anything is drawn."""

DRAWN: dict[Drawn, str] = {
    "nothing": "nothing is drawn, so every method has one result",
    **{drawn: f"draws differ in {varied}" for drawn, varied in VARIED.items()},
}
ORIGINS = {"paper": "paper", "authors-code": "authors' code"}
PHANTOM = "Simulated images (phantom): says nothing about patients."


def percent(fraction: float) -> str:
    """Write a share in percent: `10 %`."""
    return f"{100 * fraction:g} %"


def number(value: float, *, digits: int = 3, signed: bool = False) -> str:
    """Write a score, or a difference with its sign; zero has no minus."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed else ''}.{digits}f}"


def interval(value: float, low: float, high: float, *, digits: int = 3, signed: bool = False) -> str:
    """Write a value with its interval: `0.801 [0.792, 0.810]`."""
    shown = [number(one, digits=digits, signed=signed) for one in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def estimate_text(estimate: Estimate) -> str:
    """Write an estimate with its interval."""
    return interval(estimate.value, estimate.low, estimate.high)


def digest_start(digest: str) -> str:
    """Return enough of a digest to find it; board.json has the whole."""
    return digest[:12]


def p_value(p: float) -> str:
    """Write a p value: `p < 0.001`, `p = 0.012`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def published_value(row: Published) -> str:
    """Write a published score with its standard deviation over seeds, where there is one."""
    return number(row.value) if row.std is None else f"{number(row.value)} ± {number(row.std)}"


def secondary_value(value: float) -> str:
    """Write another score: three digits, or one for distances and ranks from 10 on."""
    return number(value, digits=3 if abs(value) < 10 else 1)


def cases(column: Column) -> str:
    """Write how many test cases a column has: `1372 test images`."""
    return plural(column.cases, *CASES.get(column.task, ("test image",)))


def late_words(row: Row) -> str:
    """Say whether a method might have gained from more trials than its searches had."""
    searches = f"{plural(row.searches, 'search', 'searches')} of {plural(row.trials, 'trial')}"
    late = f"in {row.late_trials} of {searches} the best was among the last third"
    return f"{late}, so more of them might pay" if row.late_trials else f"{late}, so more of them would hardly pay"


def against_published(column: Column, row: Published) -> str:
    """Write by how much the score here exceeds a published one: `+0.012 (1.4 σ)`; empty where none is here."""
    against = column.against(row)
    return "" if against is None else f"{number(against[0], signed=True)} ({number(abs(against[1]), digits=1)} σ)"


def drawn_words(column: Column) -> str:
    """Say what the draws of a column differ in; few shots are drawn within each result."""
    return "every method has one result, the mean over its draws" if column.task == "few_shot" else DRAWN[column.drawn]


def rules(board: Board) -> tuple[str, ...]:
    """Say by which rules a board was made, one sentence group each."""
    alpha = 1 - board.level
    return (
        "Scores are computed for every draw and then averaged; predictions never are. Intervals are "
        f"{percent(board.level)} t intervals whose variance is that of the test cases (bootstrap of the units named "
        f"with each dataset, {board.replicates} replicates, corrected for classes that few of them hold) plus that "
        "between draws divided by their number (degrees of freedom by Satterthwaite 1946 and Cochran 1964). With one "
        "draw they cover the test cases only.",
        "Two methods are compared on the same resampled test cases and draw by draw where they share draws; the "
        "variance between draws of a pair is moderated by that of the column's other methods (Smyth 2004). "
        "The p values of all pairs are corrected by "
        f"{CORRECTIONS[board.correction]} {FAMILIES[board.family]}; 'different' is a corrected p of at most "
        f"{alpha:.2g}. "
        "Intervals of differences, and equivalence, are each by themselves and not corrected.",
        "Methods that share a letter are not told apart (compact letter display, Piepho 2004); sharing one does not "
        "show that they are equal.",
        "A test set separates the methods (●) if the spread of their scores exceeds its noise (F test at 5 %) and "
        "noise is less than a fifth of the variance of the scores; weakly (◐) if it is more; and cannot (○) if the F "
        "test does not reject. 'Detectable' is the difference of two methods that an uncorrected test at 5 % would "
        "find with 80 % power.",
        "Ranks are taken within every bootstrap replicate; P(best) is the share in which a method is first, ties "
        "shared. The replicates vary test cases and draws as the tests take them to vary.",
        "Missing results: a standing across datasets ranks only the methods that have a result in every one of "
        "its columns; the others are listed with what they lack and are not ranked. Nothing is filled in.",
        "Datasets from one source count once: the ranks of their columns are averaged to one block. Friedman's test, "
        "Iman and Davenport's correction (1980) and Nemenyi's critical difference (Demsar 2006) are over blocks.",
        "IQM is the interquartile mean, over blocks and draws, of the differences of a method's scores from their "
        "column's mean, with a stratified bootstrap interval over draws (Agarwal et al. 2021). Where the columns have "
        "several metrics there is none, since their differences have no common unit.",
        *(
            ()
            if board.margin is None
            else (
                f"Equivalent: two one-sided tests (Schuirmann 1987) at {alpha:.2g} place the difference within "
                f"±{board.margin:g}.",
            )
        ),
        "† marks a result whose method saw something of the dataset in its pretraining.",
        *(
            (f"‡ marks a result of which {TRANSDUCTIVE}.",)
            if any(row.transductive for column in board.columns for row in column.rows)
            else ()
        ),
        "Published scores are what their sources print; they were not run here, and are neither ranked nor tested. "
        "Beside a score of the same method stands its difference in units (σ) of its uncertainty: the root of the "
        "squared standard errors of the score here, over patients and draws, and of the published mean, over its seeds "
        "where a standard deviation is printed.",
    )
