"""Statistical comparison of models: paired bootstrap intervals, exact tests, and verdicts in words.

A model is given by its probabilities for the same n sentences, with an array for each seed: (seeds, n, 3).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, t

from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import LEVEL, Estimate, draw_groups, group_positions, interval
from claimkind.metrics.scores import MACRO_F1, METRICS, Metric, Samples, compute

_POWER = 0.8
_MOST_SENTENCES = 1e9


class Sentences(NamedTuple):
    """The sentences that all models were tested on."""

    truth: np.ndarray
    """(n,) positions in `LABELS`."""
    groups: np.ndarray
    """(n,) names; sentences of one group are not independent."""

    @property
    def group_count(self) -> int:
        """The number of groups."""
        return len(np.unique(self.groups.astype(str)))


class _Sampled(NamedTuple):
    """A metric of a model, averaged over its seeds."""

    value: float
    """On all sentences."""
    scores: np.ndarray
    """(samples,), in bootstrap samples."""
    seed_variance: float
    """The part of the variance of the scores that is due to the choice of seeds; more sentences do not reduce it."""
    seeds: int


class Difference(NamedTuple):
    """The difference between two models on the same sentences."""

    first: str
    second: str
    seeds: tuple[int, int]
    """Number of seeds of each model. With a single seed, the interval is about these two trainings and not about
    others with the same settings."""
    macro_f1: Estimate
    """First minus second, with its 95% interval."""
    p: float
    """Two-sided p value of the difference in standard errors of the bootstrap, by Student's t; see `_error_of`."""
    p_holm: float
    """The p value after Holm's correction for all comparisons."""
    p_mcnemar: float
    """P value of McNemar's exact test of the accuracies; several seeds vote, the same odd number of each model."""
    sentences: int
    sentences_needed: float | None
    """Number of sentences at which a difference of this size would be found with a power of 80% if only these two
    models were compared; infinite where the seeds vary too much for any number; None if there is no difference."""

    @property
    def separable(self) -> bool:
        """Whether the difference is significant: the interval excludes 0, and so does the corrected p value."""
        return self.p_holm < LEVEL and not self.macro_f1.low <= 0 <= self.macro_f1.high

    def verdict(self) -> str:
        """The difference in one sentence."""
        seeds = ""
        if 1 in self.seeds:
            seeds = " (one seed each)" if self.seeds == (1, 1) else f" ({self.seeds[0]} and {self.seeds[1]} seeds)"
        if not self.separable:
            return (
                f"{self.first} and {self.second}: not separable on {self.sentences:,} sentences{self._needed()}{seeds}"
            )
        ahead = self.macro_f1.value > 0
        better, worse = (self.first, self.second) if ahead else (self.second, self.first)
        low, high = sorted(abs(100 * bound) for bound in (self.macro_f1.low, self.macro_f1.high))
        return f"{better} is better than {worse} by {low:.1f} to {high:.1f} points of macro F1{seeds}"

    def _needed(self) -> str:
        if np.isnan(self.macro_f1.low):
            return " of one group"
        if self.sentences_needed is None:
            return ""
        if np.isinf(self.sentences_needed):
            return "; more seeds would be needed"
        if self.sentences_needed <= self.sentences:
            return "; they would be if only these two were compared"
        return f"; about {self.sentences_needed:,.0f} would be needed"


def compare_all(
    models: Mapping[str, np.ndarray],
    sentences: Sentences,
    *,
    samples: int = 2000,
    seed: int = 0,
    comparisons: int | None = None,
) -> list[Difference]:
    """Compare every pair of models by macro F1, with Holm's correction for the number of comparisons.

    Args:
        models: by name the probabilities of a model, (seeds, n, 3).
        sentences: what the models were tested on.
        samples: number of bootstrap samples.
        seed: of the samples.
        comparisons: number of comparisons to correct for, if more than these pairs were compared to choose the models.

    Returns:
        The differences, in the order of `itertools.combinations`.
    """
    sampled = {
        name: found["macro_f1"] for name, found in _resample(models, sentences, [MACRO_F1], samples, seed).items()
    }
    pairs = list(combinations(models, 2))
    comparisons = max(comparisons or 0, len(pairs))
    groups = sentences.group_count
    values = [sampled[first].value - sampled[second].value for first, second in pairs]
    errors = [_error_of([sampled[first], sampled[second]], groups) for first, second in pairs]
    raw = [_p_value(value, error) for value, error in zip(values, errors, strict=True)]
    return [
        Difference(
            first,
            second,
            seeds=(len(models[first]), len(models[second])),
            macro_f1=Estimate(value, *interval(sampled[first].scores - sampled[second].scores, groups, error.freedom)),
            p=p,
            p_holm=corrected,
            p_mcnemar=mcnemar(*_majorities_right(models[first], models[second], sentences.truth)),
            sentences=len(sentences.truth),
            sentences_needed=_needed(value, error, len(sentences.truth)),
        )
        for (first, second), value, error, p, corrected in zip(
            pairs, values, errors, raw, holm(raw, comparisons), strict=True
        )
    ]


def bootstrap_scores(
    models: Mapping[str, np.ndarray],
    sentences: Sentences,
    *,
    samples: int = 2000,
    seed: int = 0,
    metrics: Sequence[Metric] = METRICS,
) -> dict[str, dict[str, Estimate]]:
    """Metrics of each model, averaged over its seeds, with 95% intervals that resample both groups and seeds.

    Args:
        models: by name the probabilities of a model, (seeds, n, 3).
        sentences: what the models were tested on.
        samples: number of bootstrap samples.
        seed: of the samples.
        metrics: what to compute.

    Returns:
        By name of the model, the estimates by name of the metric.
    """
    groups = sentences.group_count

    def estimated(sampled: _Sampled) -> Estimate:
        return Estimate(sampled.value, *interval(sampled.scores, groups, _error_of([sampled], groups).freedom))

    resampled = _resample(models, sentences, metrics, samples, seed)
    return {
        name: {metric: estimated(sampled) for metric, sampled in found.items()} for name, found in resampled.items()
    }


def holm(values: Sequence[float], comparisons: int | None = None) -> list[float]:
    """P values corrected for the number of comparisons (Holm 1979), by default the number of values; in their order."""
    corrected, running = [0.0] * len(values), 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        running = max(running, ((comparisons or len(values)) - rank) * values[index])
        corrected[index] = min(running, 1.0)
    return corrected


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """Two-sided exact p value of McNemar's test (1947): whether two models err equally often on the same sentences.

    Args:
        first_right: (n,) bool, whether the first model is right.
        second_right: (n,) bool, whether the second model is right.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _resample(
    models: Mapping[str, np.ndarray], sentences: Sentences, metrics: Sequence[Metric], samples: int, seed: int
) -> dict[str, dict[str, _Sampled]]:
    """Metrics of each model in bootstrap samples, by name of the model and of the metric.

    Groups are drawn with replacement, the same for all models; then, for each model, its seeds (the hierarchical
    bootstrap of Davison and Hinkley 1997, section 3.8).
    """
    random = np.random.default_rng(seed)
    members = group_positions(sentences.groups)
    drawn = draw_groups(members, samples, random)
    result = {}
    for name, probabilities in models.items():
        seeds = [Samples(sentences.truth, of_seed, members, drawn) for of_seed in probabilities]
        values = [compute(of_seed.whole, metrics) for of_seed in seeds]
        scores = [compute(of_seed, metrics) for of_seed in seeds]
        chosen = random.integers(len(seeds), size=(samples, len(seeds)))
        result[name] = {
            metric: _over_seeds(
                np.array([own[metric][0] for own in values]), np.stack([own[metric] for own in scores], axis=1), chosen
            )
            for metric in values[0]
        }
    return result


def _over_seeds(values: np.ndarray, scores: np.ndarray, chosen: np.ndarray) -> _Sampled:
    """Average a metric over seeds.

    The mean of k seeds drawn with replacement from k varies (k - 1) / k times as much as the mean of k new seeds, so
    its deviation is scaled up by the square root.

    Args:
        values: (seeds,), on all sentences.
        scores: (samples, seeds), in bootstrap samples.
        chosen: (samples, seeds), positions of the seeds that each sample drew.
    """
    seeds = len(values)
    mean = scores.mean(axis=1)
    scaled = np.sqrt(seeds / max(1, seeds - 1)) * (np.take_along_axis(scores, chosen, axis=1).mean(axis=1) - mean)
    variance = float(scores.mean(axis=0).var() / max(1, seeds - 1))
    return _Sampled(float(np.mean(values)), mean + scaled, variance, seeds)


class _Error(NamedTuple):
    """The uncertainty of a metric, or of a difference."""

    size: float
    """Standard error; exactly 0 where all bootstrap samples agree but for rounding, or where there is one group."""
    freedom: float
    """Degrees of freedom."""
    seed_variance: float
    """The part of the squared standard error that is due to the choice of seeds."""


def _error_of(models: Sequence[_Sampled], groups: int) -> _Error:
    """The error of a model's metric, or of the difference between two models.

    The degrees of freedom are those of Welch and Satterthwaite: a few seeds that vary make a result as uncertain as few
    groups do.
    """
    drawn = models[0].scores - (models[1].scores if len(models) > 1 else 0)
    variance = float(drawn.var()) * groups / max(1, groups - 1)
    if groups < 2 or variance < 1e-24:
        return _Error(0.0, max(1, groups - 1), 0.0)
    of_seeds = sum(model.seed_variance for model in models)
    parts = [(max(variance - of_seeds, 0.0), groups - 1)]
    parts += [(model.seed_variance, model.seeds - 1) for model in models if model.seeds > 1]
    freedom = sum(part for part, _ in parts) ** 2 / sum(part**2 / own for part, own in parts)
    return _Error(float(np.sqrt(variance)), float(max(1.0, freedom)), of_seeds)


def _p_value(difference: float, error: _Error) -> float:
    """Two-sided p value from the standard error of the bootstrap; 1 where that is 0, since chance cannot be judged.

    The share of bootstrap samples on the other side of 0 would not do: it is at least 2 / samples, which correction for
    many comparisons raises above 5%.
    """
    return float(2 * t.sf(abs(difference) / error.size, error.freedom)) if error.size > 0 else 1.0


def _majorities_right(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the majority vote of each model's seeds is right, the first label winning ties: (n,) bool each.

    The same number of seeds votes for both models, since a larger vote is more often right; and an odd number, since
    two labels cannot tie then.
    """
    voters = min(len(first), len(second))
    voters -= 1 - voters % 2
    votes = [probabilities[:voters].argmax(axis=2) for probabilities in (first, second)]
    winners = [
        np.stack([(predicted == label).sum(axis=0) for label in range(len(LABELS))]).argmax(axis=0)
        for predicted in votes
    ]
    return winners[0] == truth, winners[1] == truth


def _needed(difference: float, error: _Error, sentences: int) -> float | None:
    """Number of sentences at which the error is small enough to find the difference, rounded to two digits.

    The part of the error that is due to the sentences shrinks with the square root of their number; the part that is
    due to the seeds does not.
    """
    if difference == 0 or error.size == 0:
        return None
    errors = t.isf(LEVEL / 2, error.freedom) + t.ppf(_POWER, error.freedom)
    allowed = (difference / errors) ** 2 - error.seed_variance
    exact = sentences * (error.size**2 - error.seed_variance) / allowed if allowed > 0 else np.inf
    if not 0 < exact <= _MOST_SENTENCES:
        return np.inf if error.seed_variance > 0 else None
    step = 10 ** max(0, len(str(int(exact))) - 2)
    return float(max(step, round(exact / step) * step))
