"""Whether two models really differ: paired intervals, exact tests, and what they say in words.

A model is given by its predictions on the same n sentences, one row a seed: (seeds, n) positions in `LABELS`.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, norm

from claimkind.evaluation.metrics import Estimate, scores_of
from claimkind.labels import LABELS

_LEVEL = 0.05
_POWER = 0.8


class Sentences(NamedTuple):
    """What all models were asked."""

    truth: np.ndarray
    """(n,) positions in `LABELS`."""
    groups: np.ndarray
    """(n,) names; sentences of one group are not independent."""


class Difference(NamedTuple):
    """How far two models are apart on the same sentences."""

    first: str
    second: str
    macro_f1: Estimate
    """First minus second, with its 95% interval."""
    p: float
    """Two-sided: the difference in standard errors of the bootstrap, which are normal for many groups."""
    p_holm: float
    """The same after Holm's correction over all comparisons."""
    p_mcnemar: float
    """McNemar's exact test of the accuracies; of several seeds, the majority answers."""
    sentences: int
    sentences_needed: int | None
    """How many sentences would show a difference of this size, among as many comparisons, in four trials of five;
    None if there is none."""

    @property
    def separable(self) -> bool:
        """Whether the interval leaves 0 out, also after the correction for the number of comparisons."""
        return self.p_holm < _LEVEL and not self.macro_f1.low <= 0 <= self.macro_f1.high

    def verdict(self) -> str:
        """The difference in words."""
        if not self.separable:
            more = f"; about {self.sentences_needed:,} would be needed" if self.sentences_needed else ""
            return f"{self.first} and {self.second}: not separable on {self.sentences:,} sentences{more}"
        ahead = self.macro_f1.value > 0
        better, worse = (self.first, self.second) if ahead else (self.second, self.first)
        low, high = sorted(abs(100 * bound) for bound in (self.macro_f1.low, self.macro_f1.high))
        return f"{better} is better than {worse} by {low:.1f} to {high:.1f} points of macro F1"


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
    right = {name: _majority(predicted) == sentences.truth for name, predicted in models.items()}
    values = [means[first] - means[second] for first, second in pairs]
    between = [sampled[first] - sampled[second] for first, second in pairs]
    errors = [_error(drawn) for drawn in between]
    raw = [_p_value(value, error) for value, error in zip(values, errors, strict=True)]
    return [
        Difference(
            first,
            second,
            macro_f1=Estimate(value, *_interval(drawn)),
            p=p,
            p_holm=corrected,
            p_mcnemar=mcnemar(right[first], right[second]),
            sentences=len(sentences.truth),
            sentences_needed=_needed(value, error, len(sentences.truth), comparisons),
        )
        for (first, second), value, drawn, error, p, corrected in zip(
            pairs, values, between, errors, raw, holm(raw, comparisons), strict=True
        )
    ]


def spread(
    models: Mapping[str, np.ndarray], sentences: Sentences, *, samples: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """Mean macro F1 of each model's seeds; the interval resamples groups and seeds alike."""
    sampled = _macro_f1_samples(models, sentences, samples, seed)
    return {
        name: Estimate(_mean_macro_f1(predicted, sentences), *_interval(sampled[name]))
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
) -> dict[str, np.ndarray]:
    """Macro F1 of each model in each bootstrap sample: (samples,).

    Groups are drawn with replacement, the same for all models; then, for each model, its seeds (the hierarchical
    bootstrap of Davison and Hinkley 1997, section 3.8).
    """
    random = np.random.default_rng(seed)
    _, members = np.unique(sentences.groups.astype(str), return_inverse=True)
    size = int(members.max()) + 1
    drawn = random.multinomial(size, np.full(size, 1 / size), size=samples)
    result = {}
    for name, predicted in models.items():
        per_seed = np.stack([_sampled_scores(drawn, members, sentences.truth, row) for row in predicted], axis=1)
        chosen = random.integers(len(predicted), size=(samples, len(predicted)))
        result[name] = np.take_along_axis(per_seed, chosen, axis=1).mean(axis=1)
    return result


def _sampled_scores(drawn: np.ndarray, members: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    counts = np.zeros((drawn.shape[1], len(LABELS), len(LABELS)))
    np.add.at(counts, (members, truth, predicted), 1)
    return scores_of(np.tensordot(drawn, counts, axes=1))["macro_f1"]


def _mean_macro_f1(predicted: np.ndarray, sentences: Sentences) -> float:
    members = np.zeros(len(sentences.truth), dtype=int)
    once = np.ones((1, 1))
    return float(np.mean([_sampled_scores(once, members, sentences.truth, row)[0] for row in predicted]))


def _interval(sampled: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(sampled, (100 * _LEVEL / 2, 100 * (1 - _LEVEL / 2)))
    return float(low), float(high)


def _error(drawn: np.ndarray) -> float:
    """The standard error of what was drawn: exactly 0 where it is all the same but for rounding."""
    error = float(drawn.std())
    return error if error > 1e-12 else 0.0


def _p_value(difference: float, error: float) -> float:
    """Two-sided, from the standard error of the bootstrap; 1 where that is 0, and nothing known of chance.

    The share of samples beyond 0 would be no smaller than two of their number, which no correction for many comparisons
    leaves below 5%.
    """
    return float(2 * norm.sf(abs(difference) / error)) if error > 0 else 1.0


def _majority(predicted: np.ndarray) -> np.ndarray:
    """The answer that most seeds give, the first label of equals: (n,)."""
    return np.stack([(predicted == label).sum(axis=0) for label in range(len(LABELS))]).argmax(axis=0)


def _needed(difference: float, error: float, sentences: int, comparisons: int) -> int | None:
    """Sentences at which the error, which falls with their root, is small enough; two digits are all that is known."""
    if difference == 0 or error == 0:
        return None
    errors = norm.isf(_LEVEL / 2 / comparisons) + norm.ppf(_POWER)
    exact = sentences * (errors * error / abs(difference)) ** 2
    if exact > 1e9:
        return None
    step = 10 ** max(0, len(str(int(exact))) - 2)
    return max(step, round(exact / step) * step)
