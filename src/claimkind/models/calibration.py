"""Calibration of a fitted classifier of any family: a temperature, and a confidence below which it does not decide."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.metrics.calibration import log_loss
from claimkind.models.base import Predictor

_LEAST = 1e-12
_BOUNDS = (np.log(0.1), np.log(10.0))


class CalibratedClassifier:
    """A classifier whose probabilities were brought in line with how often it is right.

    All probabilities are raised to the power 1 / temperature and normalised again, which for a softmax is to divide its
    logits by the temperature (Guo et al. 2017). The order of the labels stays, and with it every prediction.
    """

    def __init__(self, classifier: Predictor, temperature: float = 1.0, abstain_below: float = 0.0) -> None:
        """Wrap a fitted classifier.

        Args:
            classifier: of any family.
            temperature: above 1 makes it less sure, below 1 surer.
            abstain_below: a sentence whose highest probability is below this gets no label.
        """
        self.classifier, self.temperature, self.abstain_below = classifier, temperature, abstain_below
        self.single_threaded: bool = getattr(classifier, "single_threaded", False)
        self.compute_dtype: str = getattr(classifier, "compute_dtype", "")

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Calibrated probabilities; see `Predictor.predict_proba`."""
        return rescale(self.classifier.predict_proba(texts), self.temperature)

    def features(self, texts: Sequence[str]) -> np.ndarray | sparse.csr_matrix:
        """Those of the classifier within; see `Predictor.features`."""
        return self.classifier.features(texts)

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """Those of the classifier within; see `Predictor.windows`."""
        return self.classifier.windows(texts)

    def save(self, folder: Path) -> None:
        """Save the classifier within; `models.save` keeps the two numbers in the manifest."""
        self.classifier.save(folder)


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, 3) at another temperature."""
    if temperature == 1:
        return probabilities
    powers = np.maximum(probabilities, _LEAST) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature, from 0.1 to 10, with the least log loss on (n,) true positions and (n, 3) probabilities."""
    found = minimize_scalar(
        lambda logarithm: log_loss(truth, rescale(probabilities, float(np.exp(logarithm)))),
        bounds=_BOUNDS,
        method="bounded",
    )
    return float(np.exp(found.x))


def check_precision(precision: float) -> None:
    """Refuse what is no precision.

    Raises:
        ClaimkindError: it is not above 0 and at most 1.
    """
    if not 0 < precision <= 1:
        raise ClaimkindError(f"target_precision is {precision}, expected a share above 0 and at most 1, 0.95 say")


def threshold_for(truth: np.ndarray, probabilities: np.ndarray, precision: float, fewest: int = 20) -> float:
    """The lowest confidence such that of the predictions at least as sure, a given share is right.

    The share is that of these sentences: on others it is as often a little lower as it is higher.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
        precision: the share.
        fewest: predictions that must be as sure; of fewer, all are right by luck.

    Raises:
        ClaimkindError: the precision is not above 0 and at most 1, or is never reached.
    """
    check_precision(precision)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    order = np.argsort(-confidence, kind="stable")
    share_right = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Equally sure predictions stand or fall together: only the last of them is a place to cut.
    last = np.append(np.diff(confidence[order]) != 0, True)
    enough = last & (np.arange(len(order)) >= min(fewest, len(order)) - 1)
    reached = np.flatnonzero((share_right >= precision) & enough)
    if not len(reached):
        raise ClaimkindError(
            f"target_precision={precision} is not reached on validation at any confidence; the surest predictions are "
            f"right in {share_right[enough].max():.0%} of cases at best: lower it"
        )
    return float(confidence[order][reached[-1]])


def check_numbers(temperature: object, abstain_below: object, folder: Path) -> tuple[float, float]:
    """The two numbers of a manifest.

    Raises:
        ClaimkindError: one of them is not a number that can be meant.
    """
    numbers = [float(value) if isinstance(value, int | float) else np.nan for value in (temperature, abstain_below)]
    if not (numbers[0] > 0 and 0 <= numbers[1] <= 1):
        raise ClaimkindError(
            f"{folder} has the temperature {temperature} and abstain_below {abstain_below}, expected a positive number "
            f"and one from 0 to 1 for the labels {', '.join(LABELS)}: train it again"
        )
    return numbers[0], numbers[1]
