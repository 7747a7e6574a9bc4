"""How well probabilities agree with the labels: losses, calibration errors, risk and coverage."""

from typing import NamedTuple

import numpy as np

from claimkind.metrics.scores import _CLASSES


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -log p(truth), in nats."""
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], 1e-15, 1)).mean())


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance between probabilities and truth, summed over classes (Brier 1950): 0 to 2."""
    return float(((probabilities - np.eye(_CLASSES)[truth]) ** 2).sum(axis=1).mean())


class ReliabilityBin(NamedTuple):
    """Predictions whose confidence lies in one bin."""

    confidence: float
    accuracy: float
    size: int


def reliability(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> list[ReliabilityBin]:
    """Mean confidence and accuracy in equally wide bins of confidence; empty bins are left out."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(float(confidence[index == b].mean()), float(hit[index == b].mean()), int((index == b).sum()))
        for b in np.unique(index)
    ]


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Mean gap between confidence and accuracy over the bins, weighted by their size (Guo et al. 2017)."""
    filled = reliability(truth, probabilities, bins)
    return sum(entry.size * abs(entry.confidence - entry.accuracy) for entry in filled) / len(truth)


def class_calibration_error(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean gap between the probability of one class and its frequency (Nixon et al. 2019, static calibration error).

    Args:
        truth: (n,) whether the sentence is of the class.
        probability: (n,) of the class.
        bins: equally wide.
    """
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(float(probability[index == b].mean() - truth[index == b].mean())) * int((index == b).sum())
        for b in np.unique(index)
    ]
    return sum(gaps) / len(truth)


def risk_coverage(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (n,) and risk (n,): the error of the surest predictions as more are taken (El-Yaniv and Wiener 2010)."""
    wrong = probabilities.argmax(axis=1) != truth
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    taken = np.arange(1, len(truth) + 1)
    return taken / len(truth), np.cumsum(wrong[order]) / taken


def coverage_and_precision(truth: np.ndarray, probabilities: np.ndarray, threshold: float) -> tuple[float, float]:
    """Share of the sentences whose label is at least so sure, and the share of these labels that is right, or 0."""
    sure = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    return float(sure.mean()), float(right[sure].mean()) if sure.any() else 0.0
