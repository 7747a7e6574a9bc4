"""Scores of predicted labels, and the table of metrics that every evaluation reports.

To add a metric, write a function that computes it for `Samples` and add an entry to `METRICS`: training logs it, and
`scripts/evaluate.py`, `scripts/compare.py` and the model card show it, each with its bootstrap interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from claimkind.labels import LABELS

_CLASSES = len(LABELS)
_BLOCK = 64  # bootstrap samples that are computed at once, so that their weights fit the cache
Value = TypeVar("Value")


@dataclass(frozen=True)
class Samples:
    """Bootstrap samples of labelled sentences, and a model's probabilities for the sentences."""

    truth: np.ndarray
    """(n,) positions in `LABELS`."""
    probabilities: np.ndarray
    """(n, 3)."""
    members: np.ndarray
    """(n,) position of the group that each sentence belongs to."""
    drawn: np.ndarray
    """(samples, groups), how often each sample drew each group."""

    @cached_property
    def confusion(self) -> np.ndarray:
        """The confusion matrix of each sample: (samples, 3, 3) counts, rows are the truth."""
        counts = np.zeros((self.drawn.shape[1], _CLASSES, _CLASSES))
        np.add.at(counts, (self.members, self.truth, self.probabilities.argmax(axis=1)), 1)
        return np.tensordot(self.drawn, counts, axes=1)

    @cached_property
    def whole(self) -> "Samples":
        """The sentences themselves, as a single sample that drew each group once."""
        return replace(self, drawn=np.ones((1, self.drawn.shape[1])))


class Metric(NamedTuple):
    """A metric: what it is called, and how it is computed."""

    name: str
    """In logs. The names of a metric of each class end in the class, as in `f1_opinion`."""
    display_name: str
    """In tables."""
    compute: Callable[[Samples], np.ndarray]
    """The metric in each sample: (samples,), or (samples, 3) for a metric of each class."""
    per_class: bool = False
    """Whether it is a metric of each class in the order of `LABELS`."""
    headline: bool = True
    """Whether it is a metric of the MLflow run; every metric is in the run's table of metrics."""


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts of (truth, prediction): (3, 3) int64, both given as positions in `LABELS`."""
    return np.bincount(truth * _CLASSES + predicted, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the classes; a class that neither occurs nor is predicted counts 0."""
    return float(_f1(confusion_matrix(truth, predicted)).mean())


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Elementwise part / whole; 0 where the whole is 0, as in scikit-learn's `zero_division=0`."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def compute(samples: Samples, metrics: Sequence[Metric]) -> dict[str, np.ndarray]:
    """Metrics of bootstrap samples by name, (samples,) each; those of each class in the order of `LABELS`."""
    values: dict[str, np.ndarray] = {}
    for metric in metrics:
        found = metric.compute(samples)
        values |= dict(zip(names_of(metric), found.T, strict=True)) if metric.per_class else {metric.name: found}
    return values


def names_of(metric: Metric) -> list[str]:
    """The names under which a metric is logged: one, or one of each class."""
    return [f"{metric.name}_{label}" for label in LABELS] if metric.per_class else [metric.name]


def overall(values: Mapping[str, Value]) -> dict[str, Value]:
    """Out of values of all metrics, those that are of no single class, by display name."""
    return {metric.display_name: values[metric.name] for metric in METRICS if not metric.per_class}


def of_class(values: Mapping[str, Value], label: str) -> dict[str, Value]:
    """Out of values of all metrics, those of one class, by display name."""
    return {metric.display_name: values[f"{metric.name}_{label}"] for metric in METRICS if metric.per_class}


def _f1(confusion: np.ndarray) -> np.ndarray:
    hits, true, predicted = _margins(confusion)
    return ratio(2 * hits, true + predicted)


def _sampled_f1(samples: Samples) -> np.ndarray:
    """F1 of each class in each sample.

    A sample in which a class neither occurs nor is predicted tells nothing about how well the class is recognised; the
    class has the F1 of all sentences there.
    """
    _, true, predicted = _margins(samples.confusion)
    return np.where(true + predicted > 0, _f1(samples.confusion), _f1(samples.whole.confusion))


def _macro_f1(samples: Samples) -> np.ndarray:
    return _sampled_f1(samples).mean(axis=-1)


def _macro_f1_of_occurring(samples: Samples) -> np.ndarray:
    occurs = samples.whole.confusion[0].sum(axis=-1) > 0
    return _sampled_f1(samples)[..., occurs].mean(axis=-1)


def _accuracy(samples: Samples) -> np.ndarray:
    hits, true, _ = _margins(samples.confusion)
    return ratio(hits.sum(axis=-1), true.sum(axis=-1))


def _matthews(samples: Samples) -> np.ndarray:
    """Matthews correlation of several classes (Gorodkin 2004, R_K); 0 where all labels or all predictions are equal."""
    hits, true, predicted = _margins(samples.confusion)
    size = true.sum(axis=-1)
    covariance = hits.sum(axis=-1) * size - (true * predicted).sum(axis=-1)
    variances = [size**2 - (counts**2).sum(axis=-1) for counts in (true, predicted)]
    return ratio(covariance, np.sqrt(variances[0] * variances[1]))


def _macro_auroc(samples: Samples) -> np.ndarray:
    """Mean area under the ROC curve of each class against the others, over the classes that occur.

    A sample that consists of a class alone, or leaves it out, has the area of all sentences for the class.
    """
    whole = _auroc(samples.whole)
    defined = ~np.isnan(whole[0])
    if not defined.any():
        return np.full(len(samples.drawn), np.nan)
    sampled = _auroc(samples)
    return np.where(np.isnan(sampled), whole, sampled)[:, defined].mean(axis=-1)


def _auroc(samples: Samples) -> np.ndarray:
    """Area under the ROC curve of each class against the others: (samples, 3), NaN where it is undefined."""
    blocks = range(0, len(samples.drawn), _BLOCK)
    weights = (samples.drawn[start : start + _BLOCK, samples.members].astype(float) for start in blocks)
    classes = [(samples.truth == index, samples.probabilities[:, index]) for index in range(_CLASSES)]
    return np.concatenate([np.stack([_binary_auroc(*of_class, w) for of_class in classes], axis=1) for w in weights])


def _binary_auroc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted area under the ROC curve: the probability that a positive ranks above a negative, ties counting half.

    Args:
        positive: (n,) bool.
        scores: (n,).
        weights: (samples, n).

    Returns:
        (samples,); NaN where there is no positive or no negative.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # equal scores are summed up
    positives, negatives = (
        np.add.reduceat(weights[:, order] * mask[order], starts, axis=1) for mask in (positive, ~positive)
    )
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    ranked = (positives * (below + negatives / 2)).sum(axis=1)
    return np.divide(ranked, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def _precision(samples: Samples) -> np.ndarray:
    hits, _, predicted = _margins(samples.confusion)
    return ratio(hits, predicted)


def _recall(samples: Samples) -> np.ndarray:
    hits, true, _ = _margins(samples.confusion)
    return ratio(hits, true)


def _margins(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class the correct, the true and the predicted cases: (..., 3) each."""
    return np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2)


MACRO_F1 = Metric("macro_f1", "macro F1", _macro_f1)
ACCURACY = Metric("accuracy", "accuracy", _accuracy)
METRICS = (
    MACRO_F1,
    ACCURACY,
    Metric("mcc", "Matthews correlation", _matthews),
    Metric("macro_auroc", "macro AUROC", _macro_auroc, headline=False),
    Metric("precision", "precision", _precision, per_class=True, headline=False),
    Metric("recall", "recall", _recall, per_class=True, headline=False),
    Metric("f1", "F1", _sampled_f1, per_class=True),
)
"""All metrics that an evaluation reports."""
PART_METRICS = (MACRO_F1._replace(compute=_macro_f1_of_occurring), ACCURACY)
"""Metrics within a part of the sentences, where macro F1 is over the classes that occur: many parts have no sentence of
one class, which tells nothing about the model."""
