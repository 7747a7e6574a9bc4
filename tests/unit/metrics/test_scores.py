import time

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from claimkind.labels import LABELS
from claimkind.metrics import bootstrap, calibration, scores

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 300)
PROBABILITIES = RANDOM.dirichlet([1, 1, 1], 300)
PREDICTED = PROBABILITIES.argmax(axis=1)


def estimated(truth, probabilities):
    groups = np.arange(len(truth)).astype(str)
    return bootstrap.estimate(truth, probabilities, groups, samples=20, seed=0)


def test_scores_are_those_of_scikit_learn():
    found = {name: estimate.value for name, estimate in estimated(TRUTH, PROBABILITIES).items()}
    expected = sklearn_metrics.precision_recall_fscore_support(TRUTH, PREDICTED)
    for index, label in enumerate(LABELS):
        own = [found[f"{name}_{label}"] for name in ("precision", "recall", "f1")]
        assert own == pytest.approx([values[index] for values in expected[:3]])
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(TRUTH, PREDICTED))
    assert scores.macro_f1(TRUTH, PREDICTED) == pytest.approx(
        sklearn_metrics.f1_score(TRUTH, PREDICTED, average="macro")
    )
    assert calibration.log_loss(TRUTH, PROBABILITIES) == pytest.approx(sklearn_metrics.log_loss(TRUTH, PROBABILITIES))


def test_a_class_without_any_case_counts_zero():
    assert scores.macro_f1(np.array([0, 0]), np.array([0, 0])) == pytest.approx(1 / 3)


def test_brier_score_and_calibration_error_of_known_cases():
    confident = np.eye(3)[[0, 1]]
    assert calibration.brier_score(np.array([0, 1]), confident) == 0
    assert calibration.brier_score(np.array([1, 0]), confident) == 2
    assert calibration.expected_calibration_error(np.array([0, 0]), confident) == pytest.approx(0.5)


def test_calibration_error_of_calibrated_predictions_is_small():
    random = np.random.default_rng(1)
    probabilities = random.dirichlet([1, 1, 1], 20_000)
    truth = np.array([random.choice(3, p=row) for row in probabilities])
    assert calibration.expected_calibration_error(truth, probabilities) < 0.02


def test_intervals_resample_groups_not_sentences():
    # Ten groups, each right or wrong as a whole: intervals over sentences would be far too narrow.
    truth = np.zeros(1000, dtype=int)
    right = np.repeat(np.arange(10) < 7, 100)
    probabilities = np.where(right[:, None], [[0.8, 0.1, 0.1]], [[0.1, 0.8, 0.1]])
    by_group = bootstrap.estimate(truth, probabilities, [str(i // 100) for i in range(1000)], samples=2000, seed=0)
    by_row = bootstrap.estimate(truth, probabilities, [str(i) for i in range(1000)], samples=2000, seed=0)
    assert by_group["accuracy"].value == by_row["accuracy"].value == pytest.approx(0.7)
    assert by_group["accuracy"].high - by_group["accuracy"].low > 0.4
    assert by_row["accuracy"].high - by_row["accuracy"].low < 0.07


def test_intervals_cover_the_truth_at_their_level():
    random = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        right = random.random(400) < 0.8
        probabilities = np.where(right[:, None], [[1.0, 0, 0]], [[0, 1.0, 0]])
        groups = [str(i) for i in range(400)]
        found = bootstrap.estimate(
            np.zeros(400, dtype=int), probabilities, groups, samples=400, seed=seed, metrics=[scores.ACCURACY]
        )["accuracy"]
        covered += found.low <= 0.8 <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_matthews_correlation_is_that_of_scikit_learn():
    expected = sklearn_metrics.matthews_corrcoef(TRUTH, PREDICTED)
    assert estimated(TRUTH, PROBABILITIES)["mcc"].value == pytest.approx(expected)
    same_prediction = np.eye(3)[np.zeros(300, dtype=int)]
    assert estimated(TRUTH, same_prediction)["mcc"].value == 0
    assert estimated(np.zeros(300, dtype=int), np.eye(3)[TRUTH])["mcc"].value == 0


@pytest.mark.parametrize("decimals", [16, 1], ids=["different scores", "many equal scores"])
@pytest.mark.parametrize("classes", [3, 2])
def test_macro_auroc_is_that_of_scikit_learn(decimals, classes):
    truth, probabilities = np.minimum(TRUTH, classes - 1), PROBABILITIES.round(decimals)
    areas = [sklearn_metrics.roc_auc_score(truth == index, probabilities[:, index]) for index in range(classes)]
    assert estimated(truth, probabilities)["macro_auroc"].value == pytest.approx(np.mean(areas))


@pytest.mark.parametrize("name", ["mcc", "macro_auroc", "accuracy", "macro_f1"])
def test_metrics_of_a_bootstrap_sample_are_those_of_scikit_learn_with_its_weights(name):
    probabilities = PROBABILITIES.round(1)
    members = np.arange(300) // 3
    drawn = bootstrap.draw_groups(members, 70, np.random.default_rng(0))
    weighted = scores.Samples(TRUTH, probabilities, members, drawn)
    found = scores.compute(weighted, scores.METRICS)[name]
    predicted = probabilities.argmax(axis=1)
    for row in (0, 69):
        weights = drawn[row, members]
        areas = [
            sklearn_metrics.roc_auc_score(index == TRUTH, probabilities[:, index], sample_weight=weights)
            for index in range(3)
        ]
        expected = {
            "mcc": sklearn_metrics.matthews_corrcoef(TRUTH, predicted, sample_weight=weights),
            "macro_auroc": np.mean(areas),
            "accuracy": sklearn_metrics.accuracy_score(TRUTH, predicted, sample_weight=weights),
            "macro_f1": sklearn_metrics.f1_score(TRUTH, predicted, sample_weight=weights, average="macro"),
        }
        assert found[row] == pytest.approx(expected[name])


def test_a_sample_without_a_class_does_not_change_its_area():
    truth = np.array([0] * 30 + [1] * 30 + [2])
    assert estimated(truth, np.eye(3)[truth])["macro_auroc"] == (1, 1, 1)


def test_macro_auroc_of_a_single_class_is_undefined():
    found = estimated(np.zeros(50, dtype=int), PROBABILITIES[:50])["macro_auroc"]
    assert str(found) == "undefined" and np.isnan(found).all()


def test_a_perfect_ranking_has_an_area_of_one_also_where_labels_are_wrong():
    truth = np.array([0, 1, 2] * 20)
    biased = np.eye(3)[truth] * 0.2 + np.array([0.8, 0, 0])  # everything is labelled factual
    found = estimated(truth, biased)
    assert found["macro_auroc"].value == 1 and found["mcc"].value == 0


def test_all_metrics_of_a_large_test_split_take_a_moment():
    random = np.random.default_rng(0)
    truth, probabilities = random.integers(3, size=2054), random.dirichlet([1, 1, 1], 2054)
    start = time.process_time()
    bootstrap.estimate(truth, probabilities, np.arange(2054).astype(str), samples=1000, seed=0)
    assert time.process_time() - start < 5
