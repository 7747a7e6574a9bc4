"""Quality of probabilities: proper scores, calibration errors, and risk against coverage."""

from typing import NamedTuple

import numpy as np

from claimkind.labels import LABELS


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log-likelihood of the true labels, in nats.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
    """
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], 1e-15, 1)).mean())


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance between probabilities and one-hot truth, summed over classes (Brier 1950): 0 to 2."""
    return float(((probabilities - np.eye(len(LABELS))[truth]) ** 2).sum(axis=1).mean())


class ReliabilityBin(NamedTuple):
    """The predictions whose confidence lies in one bin."""

    confidence: float
    """Mean confidence."""
    accuracy: float
    size: int
    """Number of predictions."""


def reliability(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> list[ReliabilityBin]:
    """Mean confidence (the highest probability) and accuracy in bins of equal width; empty bins are left out."""
    return _binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, bins)


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Mean absolute gap between confidence and accuracy over bins, weighted by their size (Guo et al. 2017)."""
    return _mean_gap(reliability(truth, probabilities, bins))


def class_calibration_error(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean absolute gap between the probability and the frequency of a class (Nixon et al. 2019).

    Args:
        truth: (n,) bool, whether each sentence is of the class.
        probability: (n,) of the class.
        bins: number of bins of equal width.
    """
    return _mean_gap(_binned(probability, truth, bins))


def _binned(confidence: np.ndarray, right: np.ndarray, bins: int) -> list[ReliabilityBin]:
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(float(confidence[index == b].mean()), float(right[index == b].mean()), int((index == b).sum()))
        for b in np.unique(index)
    ]


def _mean_gap(filled: list[ReliabilityBin]) -> float:
    return sum(b.size * abs(b.confidence - b.accuracy) for b in filled) / sum(b.size for b in filled)


def risk_coverage(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Risk-coverage curve of selective classification (El-Yaniv and Wiener 2010).

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).

    Returns:
        Coverage (n,), the share of predictions that are kept, highest confidence first; and risk (n,), the share of
        these that is wrong.
    """
    wrong = probabilities.argmax(axis=1) != truth
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    kept = np.arange(1, len(truth) + 1)
    return kept / len(truth), np.cumsum(wrong[order]) / kept


def coverage_and_precision(truth: np.ndarray, probabilities: np.ndarray, threshold: float) -> tuple[float, float]:
    """Share of the predictions whose confidence reaches a threshold, and their accuracy; 0 where there are none.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
        threshold: least confidence.
    """
    kept = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    return float(kept.mean()), float(right[kept].mean()) if kept.any() else 0.0
