"""Bootstrap confidence intervals of metrics; they resample groups, not sentences."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, spearmanr, t

from claimkind.errors import ClaimkindError
from claimkind.metrics.scores import METRICS, Metric, Samples, compute, ratio

_FEWEST_SAMPLES = 20
LEVEL = 0.05
"""Significance level of all intervals and tests, two-sided."""


class Estimate(NamedTuple):
    """The value of a metric and its 95% confidence interval, whose bounds are NaN if all sentences are of one group."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "undefined"
        interval = "of one group" if np.isnan(self.low) else f"{self.low:.3f}, {self.high:.3f}"
        return f"{self.value:.3f} [{interval}]"


def check_samples(samples: int) -> None:
    """Refuse a number of bootstrap samples that is too small for an interval.

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
    metrics: Sequence[Metric] = METRICS,
) -> dict[str, Estimate]:
    """Metrics of predictions, with 95% intervals of the cluster bootstrap.

    Groups, not sentences, are drawn with replacement (Davison and Hinkley 1997, section 3.8): sentences of one document
    are not independent, and an interval that treats them as independent is too narrow. See `interval`.

    Args:
        truth: (n,) positions in `LABELS`.
        probabilities: (n, 3).
        groups: n names.
        samples: number of bootstrap samples.
        seed: of the samples.
        metrics: what to compute.

    Returns:
        The estimates by name of the metric.
    """
    members = group_positions(groups)
    sampled = Samples(truth, probabilities, members, draw_groups(members, samples, np.random.default_rng(seed)))
    values = compute(sampled.whole, metrics)
    count = sampled.drawn.shape[1]
    return {
        name: Estimate(float(values[name][0]), *interval(drawn, count))
        for name, drawn in compute(sampled, metrics).items()
    }


def group_positions(groups: Sequence[str] | np.ndarray) -> np.ndarray:
    """The position of each sentence's group among the sorted names of the groups: (n,) int64."""
    return np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1]


def draw_groups(members: np.ndarray, samples: int, random: np.random.Generator) -> np.ndarray:
    """Draw groups with replacement, as many as there are.

    Args:
        members: (n,) position of the group of each sentence.
        samples: number of bootstrap samples.
        random: the source of randomness.

    Returns:
        (samples, groups), how often each sample drew each group.
    """
    size = int(members.max()) + 1
    return random.multinomial(size, np.full(size, 1 / size), size=samples)


def interval(sampled: np.ndarray, groups: int, freedom: float | None = None) -> tuple[float, float]:
    """95% confidence interval of a metric from its values in bootstrap samples.

    The expanded percentile interval (Hesterberg 2015, What teachers should know about the bootstrap, section 3.4): the
    plain percentile interval is too narrow for few groups, by the same factor as a normal interval that uses z in place
    of t quantiles and divides by n in place of n - 1.

    Args:
        sampled: (samples,).
        groups: number of groups that each sample drew.
        freedom: degrees of freedom, by default the number of groups less one.

    Returns:
        The lower and the upper bound; NaN for a single group, whose samples are all the same, and for a metric that is
        undefined in a sample.
    """
    if groups < 2 or np.isnan(sampled).any():
        return np.nan, np.nan
    tail = norm.sf(t.isf(LEVEL / 2, freedom or groups - 1) * np.sqrt(groups / (groups - 1)))
    low, high = np.percentile(sampled, (100 * tail, 100 * (1 - tail)))
    return float(low), float(high)


def with_bounds(name: str, score: Estimate) -> dict[str, float]:
    """A value under the name by which it is logged, with the bounds of its interval as `_low` and `_high`."""
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}


def macro_f1_of_names(truth: np.ndarray, predicted: np.ndarray, *, samples: int, seed: int) -> Estimate:
    """Macro F1 over labels of any set, with a 95% interval that resamples sentences.

    Args:
        truth: (n,) names.
        predicted: (n,) names.
        samples: number of bootstrap samples.
        seed: of the samples.
    """
    names, pairs = np.unique(np.stack([truth, predicted]), return_inverse=True)
    cells = np.bincount(pairs[0] * len(names) + pairs[1], minlength=len(names) ** 2)
    # To draw sentences with replacement is to draw the counts of the confusion matrix from a multinomial distribution.
    drawn = np.random.default_rng(seed).multinomial(cells.sum(), cells / cells.sum(), size=samples)
    f1 = [
        ratio(2 * np.diagonal(c, axis1=-2, axis2=-1), c.sum(axis=-1) + c.sum(axis=-2)).mean(axis=-1)
        for c in (cells.reshape(len(names), -1), drawn.reshape(samples, len(names), -1))
    ]
    return Estimate(float(f1[0]), *interval(f1[1], len(truth)))


def rank_correlation(first: np.ndarray, second: np.ndarray, *, samples: int, seed: int) -> Estimate:
    """Spearman's rank correlation, with a 95% interval that resamples sentences; NaN where one side is constant.

    Args:
        first: (n,) numbers.
        second: (n,) numbers.
        samples: number of bootstrap samples.
        seed: of the samples.
    """
    size = len(first)
    rows = np.random.default_rng(seed).integers(size, size=(samples, size))
    drawn = np.array([_spearman(first[row], second[row]) for row in rows])
    return Estimate(_spearman(first, second), *interval(drawn, size))


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(spearmanr(first, second).statistic)
