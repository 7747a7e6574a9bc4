"""Calibration of a fitted classifier of any family: a temperature, and a confidence below which it abstains."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar

from claimkind.errors import ClaimkindError
from claimkind.metrics.calibration import log_loss
from claimkind.models.base import Predictor

_SMALLEST = 1e-12
_TEMPERATURES = (0.01, 100)  # those that are fitted are from 0.1 to 10
_LOG_BOUNDS = (np.log(0.1), np.log(10.0))


class CalibratedClassifier:
    """A fitted classifier with calibrated probabilities, which may abstain.

    Probabilities are raised to the power 1 / temperature and normalised, which for a softmax is the same as dividing
    its logits by the temperature (Guo et al. 2017). The most probable label of a sentence stays the same.
    """

    def __init__(self, classifier: Predictor, temperature: float = 1.0, abstain_below: float = 0.0) -> None:
        """Wrap a fitted classifier.

        Args:
            classifier: of any family.
            temperature: above 1 lowers the confidence of predictions, below 1 raises it.
            abstain_below: a sentence whose highest calibrated probability is below this gets no label.

        Raises:
            ClaimkindError: the temperature is not 0.01 to 100, or `abstain_below` not 0 to 1.
        """
        for name, value, (low, high) in (
            ("temperature", temperature, _TEMPERATURES),
            ("abstain_below", abstain_below, (0, 1)),
        ):
            if type(value) not in (int, float) or not low <= value <= high:
                raise ClaimkindError(f"{name} is {value}, expected a number from {low} to {high}: train it again")
        self.classifier, self.temperature, self.abstain_below = classifier, temperature, abstain_below

    @property
    def settings(self) -> Any:
        """See `Predictor.settings`."""
        return self.classifier.settings

    @property
    def requirements(self) -> tuple[str, ...]:
        """See `Predictor.requirements`."""
        return self.classifier.requirements

    @property
    def single_threaded(self) -> bool:
        """See `Predictor.single_threaded`."""
        return self.classifier.single_threaded

    @property
    def compute_dtype(self) -> str:
        """See `Predictor.compute_dtype`."""
        return self.classifier.compute_dtype

    def calibrate(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (n, 3) for those of the wrapped classifier."""
        return apply_temperature(probabilities, self.temperature)

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated probabilities; see `Predictor.predict_proba`."""
        return self.calibrate(self.classifier.predict_proba(texts))

    def features(self, texts: Sequence[str]) -> np.ndarray | sparse.csr_matrix:
        """See `Predictor.features`."""
        return self.classifier.features(texts)

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """See `Predictor.windows`."""
        return self.classifier.windows(texts)

    def save(self, folder: Path) -> None:
        """Save the wrapped classifier; `models.save` writes the two numbers to the manifest."""
        self.classifier.save(folder)


def uncalibrated(classifier: Predictor) -> Predictor:
    """The classifier within a calibrated one; any other as it is."""
    return classifier.classifier if isinstance(classifier, CalibratedClassifier) else classifier


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, 3) raised to the power 1 / temperature and normalised."""
    if temperature == 1:
        return probabilities
    powers = np.maximum(probabilities, _SMALLEST) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature, from 0.1 to 10, with the lowest log loss.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3), not calibrated.
    """
    found = minimize_scalar(
        lambda logarithm: log_loss(truth, apply_temperature(probabilities, float(np.exp(logarithm)))),
        bounds=_LOG_BOUNDS,
        method="bounded",
    )
    return float(np.exp(found.x))


def check_precision(precision: float) -> None:
    """Refuse a target precision that is no share.

    Raises:
        ClaimkindError: it is not above 0 and at most 1.
    """
    if not 0 < precision <= 1:
        raise ClaimkindError(f"target_precision is {precision}, expected a share above 0 and at most 1, 0.95 say")


def threshold_at_precision(truth: np.ndarray, probabilities: np.ndarray, precision: float, fewest: int = 20) -> float:
    """The lowest confidence at which the predictions that reach it have a given precision.

    The precision is that of the sentences given; on others it varies around this value.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3), calibrated.
        precision: the share of these predictions that must be right.
        fewest: number of predictions that must reach the threshold; a few can all be right by chance.

    Raises:
        ClaimkindError: the precision is not above 0 and at most 1, or no threshold reaches it.
    """
    check_precision(precision)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    order = np.argsort(-confidence, kind="stable")
    share_right = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # A threshold cannot separate predictions of equal confidence: only the last of them is a candidate.
    last = np.append(np.diff(confidence[order]) != 0, True)
    enough = last & (np.arange(len(order)) >= min(fewest, len(order)) - 1)
    reached = np.flatnonzero((share_right >= precision) & enough)
    if not len(reached):
        raise ClaimkindError(
            f"target_precision={precision} is not reached on validation at any confidence; the most confident "
            f"predictions are right in {share_right[enough].max():.0%} of cases at best: lower it"
        )
    return float(confidence[order][reached[-1]])
