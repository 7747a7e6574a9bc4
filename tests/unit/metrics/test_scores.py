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
    sure = np.eye(3)[[0, 1]]
    assert calibration.brier_score(np.array([0, 1]), sure) == 0
    assert calibration.brier_score(np.array([1, 0]), sure) == 2
    assert calibration.expected_calibration_error(np.array([0, 0]), sure) == pytest.approx(0.5)


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


def test_intervals_cover_the_truth_as_often_as_they_say():
    random = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        right = random.random(400) < 0.8
        probabilities = np.where(right[:, None], [[1.0, 0, 0]], [[0, 1.0, 0]])
        groups = [str(i) for i in range(400)]
        found = bootstrap.estimate(np.zeros(400, dtype=int), probabilities, groups, samples=400, seed=seed)["accuracy"]
        covered += found.low <= 0.8 <= found.high
    assert 0.90 <= covered / 200 <= 0.99
