"""Bootstrap intervals of scores; they resample groups, not sentences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.metrics.scores import _CLASSES, _ratio, scores_of

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
