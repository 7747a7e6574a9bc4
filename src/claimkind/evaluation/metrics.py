"""Metrics of a classifier on labelled sentences, with bootstrap intervals that resample groups."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

_CLASSES = len(LABELS)
_FEWEST_SAMPLES = 20
LEVEL = 0.05
"""Of all intervals and tests: two-sided."""


class Estimate(NamedTuple):
    """A figure with its 95% interval, whose bounds are not a number where one group tells nothing of others."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = "of one group" if np.isnan(self.low) else f"{self.low:.3f}, {self.high:.3f}"
        return f"{self.value:.3f} [{interval}]"


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts of (truth, prediction): (3, 3) int64, both given as positions in `LABELS`."""
    return np.bincount(truth * _CLASSES + predicted, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the classes; a class that neither occurs nor is predicted counts 0."""
    return float(scores_of(confusion_matrix(truth, predicted))["macro_f1"])


def scores_of(
    confusion: np.ndarray, *, counted: np.ndarray | None = None, without_case: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Scores of confusion matrices.

    Args:
        confusion: (..., 3, 3) counts, rows are the truth.
        counted: (3,) which classes macro F1 is the mean of, by default all.
        without_case: (3,) F1 of each class where it neither occurs nor is predicted, by default 0.

    Returns:
        `accuracy`, `macro_f1`, and `precision_`, `recall_` and `f1_` of each label, each of shape (...). A ratio
        without any case is 0, as in scikit-learn's `zero_division=0`.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision, recall = _ratio(hits, predicted), _ratio(hits, true)
    f1 = np.where(true + predicted > 0, _ratio(2 * hits, true + predicted), 0 if without_case is None else without_case)
    counted = np.ones(_CLASSES, dtype=bool) if counted is None else counted
    scores = {
        "accuracy": _ratio(hits.sum(axis=-1), true.sum(axis=-1)),
        "macro_f1": f1[..., counted].mean(axis=-1),
    }
    for index, label in enumerate(LABELS):
        scores[f"precision_{label}"] = precision[..., index]
        scores[f"recall_{label}"] = recall[..., index]
        scores[f"f1_{label}"] = f1[..., index]
    return scores


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def check_samples(samples: int) -> None:
    """Refuse a number of bootstrap samples that gives no interval.

    Raises:
        ClaimkindError: there are too few.
    """
    if samples < _FEWEST_SAMPLES:
        raise ClaimkindError(f"bootstrap_samples={samples} give no interval, expected at least {_FEWEST_SAMPLES}")


def estimate(
    truth: np.ndarray,
    probabilities: np.ndarray,
    groups: Sequence[str],
    *,
    samples: int,
    seed: int,
    absent_counts: bool = True,
) -> dict[str, Estimate]:
    """Scores of predictions with 95% intervals of the cluster bootstrap.

    Groups, not sentences, are drawn with replacement (Davison and Hinkley 1997, section 3.8): sentences of one document
    are not independent, and intervals that take them to be so are too narrow. See `interval`.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
        groups: n names.
        samples: number of bootstrap samples.
        seed: of the samples.
        absent_counts: whether a class of which there is no case counts 0 in macro F1, or is left out of the mean.
    """
    _, members = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    counts = np.zeros((members.max() + 1, _CLASSES, _CLASSES))
    np.add.at(counts, (members, truth, probabilities.argmax(axis=1)), 1)
    drawn = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=samples)
    counted = None if absent_counts else counts.sum(axis=(0, 2)) > 0
    measured = scores_of(counts.sum(axis=0), counted=counted)
    sampled = scores_of_samples(drawn, counts, counted=counted)
    return {name: Estimate(float(measured[name]), *interval(values, len(counts))) for name, values in sampled.items()}


def scores_of_samples(
    drawn: np.ndarray, counts: np.ndarray, *, counted: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Scores of bootstrap samples, each of shape (samples,); see `scores_of`.

    A sample that leaves a rare class out says nothing of it, neither that it is told well nor that it is not, so the
    class has there the F1 that it has on the whole.

    Args:
        drawn: (samples, groups), how often each sample drew each group.
        counts: (groups, 3, 3), the confusion matrix of each group.
        counted: see `scores_of`.
    """
    whole = scores_of(counts.sum(axis=0))
    without_case = np.array([whole[f"f1_{label}"] for label in LABELS])
    return scores_of(np.tensordot(drawn, counts, axes=1), counted=counted, without_case=without_case)


def interval(sampled: np.ndarray, groups: int, freedom: float | None = None) -> tuple[float, float]:
    """95% interval of a figure from its bootstrap samples, which drew so many groups.

    The expanded percentile interval (Hesterberg 2015, What teachers should know about the bootstrap, section 3.4): the
    plain one is too narrow for few groups, by as much as the normal interval is that forgets about degrees of freedom.

    Args:
        sampled: (samples,).
        groups: how many there are.
        freedom: degrees of freedom, by default those of the groups.

    Returns:
        Its bounds; not a number for one group, which tells nothing of others.
    """
    if groups < 2:
        return np.nan, np.nan
    tail = norm.sf(t.isf(LEVEL / 2, freedom or groups - 1) * np.sqrt(groups / (groups - 1)))
    low, high = np.percentile(sampled, (100 * tail, 100 * (1 - tail)))
    return float(low), float(high)


def with_bounds(scores: Mapping[str, Estimate], split: str) -> dict[str, float]:
    """Scores under the names by which they are logged, each with the bounds of its interval."""
    metrics = {}
    for name, score in scores.items():
        metrics[f"{split}_{name}"] = score.value
        metrics[f"{split}_{name}_low"] = score.low
        metrics[f"{split}_{name}_high"] = score.high
    return metrics


def macro_f1_of_names(truth: np.ndarray, predicted: np.ndarray, *, samples: int, seed: int) -> Estimate:
    """Macro F1 over labels of any set, with a 95% interval that resamples sentences."""
    names, pairs = np.unique(np.stack([truth, predicted]), return_inverse=True)
    cells = np.bincount(pairs[0] * len(names) + pairs[1], minlength=len(names) ** 2)
    # To draw sentences with replacement is to draw the counts of the confusion matrix from a multinomial.
    drawn = np.random.default_rng(seed).multinomial(cells.sum(), cells / cells.sum(), size=samples)
    f1 = [
        _ratio(2 * np.diagonal(c, axis1=-2, axis2=-1), c.sum(axis=-1) + c.sum(axis=-2)).mean(axis=-1)
        for c in (cells.reshape(len(names), -1), drawn.reshape(samples, len(names), -1))
    ]
    return Estimate(float(f1[0]), *interval(f1[1], len(truth)))


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


def decided(truth: np.ndarray, probabilities: np.ndarray, threshold: float) -> tuple[float, float]:
    """Share of the sentences whose label is at least so sure, and the share of these labels that is right, or 0."""
    sure = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    return float(sure.mean()), float(right[sure].mean()) if sure.any() else 0.0
