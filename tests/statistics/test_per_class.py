"""The AUROC of every class against scikit-learn on weighted cases, replicate by replicate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchx.metrics.classification import auroc
from benchx.statistics import per_class
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.case_error import CaseError, holders
from benchx.statistics.per_class import MIN_CLUSTERS
from benchx.statistics.resampling import draw_clusters
from benchx.statistics.variance import mean_estimate

NAN = float("nan")


def make(patients: int = 40, seed: int = 0):
    """Two draws of scores of three classes on three images per patient, with ties and unknown labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((3 * patients, 3)) < (0.5, 0.3, 0.2)).astype(float)
    labels[rng.random(labels.shape) < 0.1] = NAN
    per_draw = [(np.round(rng.normal(size=labels.shape) + np.nan_to_num(labels), 1), labels) for _ in range(2)]
    return per_draw, np.repeat([f"p{number:03d}" for number in range(patients)], 3)


def class_scores(per_draw, names, draws, level=0.95):
    scores = np.array([[auroc(values[:, c], labels[:, c]) for c in range(len(names))] for values, labels in per_draw])
    replicates = np.stack([auroc_replicates(values, labels, draws) for values, labels in per_draw])
    return per_class.class_scores(scores, replicates, per_draw[0][1], names, draws, level)


def error_of(per_draw, column, draws):
    """The correction for a class that m of 40 patients hold."""
    m = int(holders(per_draw[0][1], draws.member)[column])
    return CaseError(40, m / (m - 1), 0.0, m - 1)


def reference(per_draw, column, draws):
    """Scores [S] and replicates [S, R] of one class, by scikit-learn on weighted cases."""
    known = ~np.isnan(per_draw[0][1][:, column])
    scores, replicates = [], []
    for values, labels in per_draw:
        case = labels[known, column], values[known, column]
        scores.append(roc_auc_score(*case))
        weights = [draws.weights(replicate)[known] for replicate in range(len(draws.counts))]
        replicates.append([roc_auc_score(*case, sample_weight=one) for one in weights])
    return np.array(scores), np.array(replicates)


def test_every_class_has_the_estimate_of_its_own_replicates():
    per_draw, clusters = make()
    draws = draw_clusters(clusters, 70, 0, per_draw[0][1])
    for index, found in enumerate(class_scores(per_draw, ["Mass", "Edema", "Hernia"], draws, 0.9)):
        expected = mean_estimate(*reference(per_draw, index, draws), error_of(per_draw, index, draws), 0.9)
        assert (found.name, found.reason) == (["Mass", "Edema", "Hernia"][index], None)
        assert found.positives == (per_draw[0][1][:, index] == 1).sum()
        assert found.negatives == (per_draw[0][1][:, index] == 0).sum()
        for field in ("value", "low", "high", "se", "df", "case_variance", "draw_variance"):
            assert getattr(found.estimate, field) == pytest.approx(getattr(expected, field), abs=1e-10), field


def test_a_class_that_few_patients_hold_gets_a_reason_instead_of_an_interval():
    per_draw, clusters = make()
    labels = per_draw[0][1]
    labels[:, 1] = 0
    labels[: 3 * (MIN_CLUSTERS - 1), 1] = 1  # twelve positives of four patients
    labels[:, 2] = NAN
    assert holders(labels, np.repeat(np.arange(40), 3)).tolist()[1:] == [4, 0]
    mass, edema, hernia = class_scores(per_draw, ["Mass", "Edema", "Hernia"], draw_clusters(clusters, 20, 0))
    assert mass.estimate is not None
    assert (edema.positives, edema.negatives, edema.estimate) == (12, 108, None)
    assert edema.reason == hernia.reason == "too few: fewer than 5 clusters hold a positive, or a negative"
    labels[3 * MIN_CLUSTERS - 1, 1] = 1
    assert class_scores(per_draw, ["Mass", "Edema", "Hernia"], draw_clusters(clusters, 20, 0))[1].estimate is not None


def test_replicates_without_a_value_are_left_out_for_that_class():
    per_draw, clusters = make()
    labels = per_draw[0][1]
    labels[:, 1] = 0
    labels[: 3 * MIN_CLUSTERS : 3, 1] = 1
    draws = draw_clusters(clusters, 60, 0)
    draws.counts[:4, :MIN_CLUSTERS] = 0
    kept = draws.counts[:, :MIN_CLUSTERS].any(axis=1)
    assert kept.sum() == 56
    (found,) = class_scores([(scores[:, 1:2], labels[:, 1:2]) for scores, _ in per_draw], ["Edema"], draws)
    held = replace(draws, counts=draws.counts[kept])
    assert found.estimate.se == pytest.approx(
        mean_estimate(*reference(per_draw, 1, held), error_of(per_draw, 1, held)).se, abs=1e-10
    )


def test_shapes_that_do_not_match_are_refused():
    per_draw, clusters = make()
    draws = draw_clusters(clusters, 5, 0)
    with pytest.raises(ValueError, match="2 classes and 120 cases"):
        class_scores(per_draw, ["Mass", "Edema"], draws)
