"""Whether two models really differ: paired intervals, exact tests, and what they say in words.

A model is given by its predictions on the same n sentences, one row a seed: (seeds, n) positions in `LABELS`.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, t

from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import LEVEL, Estimate, interval, scores_of_samples

_POWER = 0.8
_MOST_SENTENCES = 1e9


class Sentences(NamedTuple):
    """What all models were asked."""

    truth: np.ndarray
    """(n,) positions in `LABELS`."""
    groups: np.ndarray
    """(n,) names; sentences of one group are not independent."""

    @property
    def group_count(self) -> int:
        """The number of groups."""
        return len(np.unique(self.groups.astype(str)))


class _Sampled(NamedTuple):
    """Macro F1 of a model over bootstrap samples."""

    scores: np.ndarray
    """(samples,)."""
    seed_variance: float
    """How much of their variance the choice of seeds makes, which no number of sentences takes away."""
    seeds: int


class Difference(NamedTuple):
    """How far two models are apart on the same sentences."""

    first: str
    second: str
    seeds: tuple[int, int]
    """Of each. The interval of one seed says how sure the difference of these two trainings is, not of others."""
    macro_f1: Estimate
    """First minus second, with its 95% interval."""
    p: float
    """Two-sided: the difference in standard errors of the bootstrap, by Student's t; see `_apart`."""
    p_holm: float
    """The same after Holm's correction over all comparisons."""
    p_mcnemar: float
    """McNemar's exact test of the accuracies; of several seeds the majority answers, of as many, and an odd number, on
    both sides."""
    sentences: int
    sentences_needed: float | None
    """How many sentences would show a difference of this size, among as many comparisons, in four trials of five;
    infinite where the seeds scatter too much for any number; None if there is no difference."""

    @property
    def separable(self) -> bool:
        """Whether the interval leaves 0 out, also after the correction for the number of comparisons."""
        return self.p_holm < LEVEL and not self.macro_f1.low <= 0 <= self.macro_f1.high

    def verdict(self) -> str:
        """The difference in words."""
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
        return f"; about {self.sentences_needed:,.0f} would be needed"


def compare_all(
    models: Mapping[str, np.ndarray],
    sentences: Sentences,
    *,
    samples: int = 2000,
    seed: int = 0,
    comparisons: int | None = None,
) -> list[Difference]:
    """Every pair of models, with Holm's correction over the comparisons.

    Args:
        models: predictions of each, (seeds, n).
        sentences: what they were asked.
        samples: number of bootstrap samples.
        seed: of the samples.
        comparisons: how many were made in all, if some led to the choice of these models; by default the pairs.
    """
    sampled = _macro_f1_samples(models, sentences, samples, seed)
    pairs = list(combinations(models, 2))
    comparisons = max(comparisons or 0, len(pairs))
    means = {name: _mean_macro_f1(predicted, sentences) for name, predicted in models.items()}
    groups = sentences.group_count
    values = [means[first] - means[second] for first, second in pairs]
    apart = [_apart([sampled[first], sampled[second]], groups) for first, second in pairs]
    raw = [_p_value(value, error) for value, error in zip(values, apart, strict=True)]
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
            sentences_needed=_needed(value, error, len(sentences.truth), comparisons),
        )
        for (first, second), value, error, p, corrected in zip(
            pairs, values, apart, raw, holm(raw, comparisons), strict=True
        )
    ]


def bootstrap_scores(
    models: Mapping[str, np.ndarray], sentences: Sentences, *, samples: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """Mean macro F1 of each model's seeds; the interval resamples groups and seeds alike."""
    sampled = _macro_f1_samples(models, sentences, samples, seed)
    groups = sentences.group_count
    return {
        name: Estimate(
            _mean_macro_f1(predicted, sentences),
            *interval(sampled[name].scores, groups, _apart([sampled[name]], groups).freedom),
        )
        for name, predicted in models.items()
    }


def holm(values: Sequence[float], comparisons: int | None = None) -> list[float]:
    """P values corrected for the number of comparisons (Holm 1979), by default their own, in the order given."""
    corrected, running = [0.0] * len(values), 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        running = max(running, ((comparisons or len(values)) - rank) * values[index])
        corrected[index] = min(running, 1.0)
    return corrected


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """Two-sided exact p value of McNemar's test (1947): whether two models err equally often on the same sentences."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _macro_f1_samples(
    models: Mapping[str, np.ndarray], sentences: Sentences, samples: int, seed: int
) -> dict[str, _Sampled]:
    """Macro F1 of each model in each bootstrap sample.

    Groups are drawn with replacement, the same for all models; then, for each model, its seeds (the hierarchical
    bootstrap of Davison and Hinkley 1997, section 3.8). Of k seeds, what is drawn scatters as k - 1 of k parts of what
    other seeds would, so it is stretched by that.
    """
    random = np.random.default_rng(seed)
    _, members = np.unique(sentences.groups.astype(str), return_inverse=True)
    size = int(members.max()) + 1
    drawn = random.multinomial(size, np.full(size, 1 / size), size=samples)
    result = {}
    for name, predicted in models.items():
        per_seed = np.stack([_sampled_scores(drawn, members, sentences.truth, row) for row in predicted], axis=1)
        chosen = random.integers(len(predicted), size=(samples, len(predicted)))
        seeds = len(predicted)
        mean = per_seed.mean(axis=1)
        stretched = np.sqrt(seeds / max(1, seeds - 1)) * (
            np.take_along_axis(per_seed, chosen, axis=1).mean(axis=1) - mean
        )
        variance = float(per_seed.mean(axis=0).var() / max(1, seeds - 1))
        result[name] = _Sampled(mean + stretched, variance, seeds)
    return result


def _sampled_scores(drawn: np.ndarray, members: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    counts = np.zeros((drawn.shape[1], len(LABELS), len(LABELS)))
    np.add.at(counts, (members, truth, predicted), 1)
    return scores_of_samples(drawn, counts)["macro_f1"]


def _mean_macro_f1(predicted: np.ndarray, sentences: Sentences) -> float:
    members = np.zeros(len(sentences.truth), dtype=int)
    once = np.ones((1, 1))
    return float(np.mean([_sampled_scores(once, members, sentences.truth, row)[0] for row in predicted]))


class _Error(NamedTuple):
    """How far off a figure may be."""

    size: float
    """Its standard error; exactly 0 where all that was drawn is the same but for rounding, or is of one group."""
    freedom: float
    seed_variance: float
    """Part of the size's square."""


def _apart(models: Sequence[_Sampled], groups: int) -> _Error:
    """The error of a model's score, or of two models' difference.

    Its degrees of freedom are those of Welch and Satterthwaite: few seeds that scatter make it as unsure as few groups.
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
    """Two-sided, from the standard error of the bootstrap; 1 where that is 0, and nothing known of chance.

    The share of samples beyond 0 would be no smaller than two of their number, which no correction for many comparisons
    leaves below 5%.
    """
    return float(2 * t.sf(abs(difference) / error.size, error.freedom)) if error.size > 0 else 1.0


def _majorities_right(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the answer that most seeds give, the first label of equals, is right: (n,) each.

    Of as many seeds on both sides, for a majority of more is more often right; of an odd number, so that two labels are
    never equal.
    """
    voters = min(len(first), len(second))
    voters -= 1 - voters % 2
    answers = [
        np.stack([(predicted[:voters] == label).sum(axis=0) for label in range(len(LABELS))]).argmax(axis=0)
        for predicted in (first, second)
    ]
    return answers[0] == truth, answers[1] == truth


def _needed(difference: float, error: _Error, sentences: int, comparisons: int) -> float | None:
    """Sentences at which the error is small enough; two digits are all that is known.

    The part of it that is due to the sentences falls with their root, that which is due to the seeds does not.
    """
    if difference == 0 or error.size == 0:
        return None
    errors = t.isf(LEVEL / 2 / comparisons, error.freedom) + t.ppf(_POWER, error.freedom)
    allowed = (difference / errors) ** 2 - error.seed_variance
    exact = sentences * (error.size**2 - error.seed_variance) / allowed if allowed > 0 else np.inf
    if not 0 < exact <= _MOST_SENTENCES:
        return np.inf if error.seed_variance > 0 else None
    step = 10 ** max(0, len(str(int(exact))) - 2)
    return float(max(step, round(exact / step) * step))
