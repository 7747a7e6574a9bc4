"""The contract of a model family."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from scipy import sparse

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

OnMetrics = Callable[[int, Mapping[str, float]], None]


class Examples(NamedTuple):
    """Texts and what is known of their class."""

    texts: Sequence[str]
    evidence: np.ndarray
    """(n, 3): likelihood of what the source said under each class; one-hot where the class is known."""


class Predictor(Protocol):
    """What can be saved and asked: a fitted classifier, calibrated or not."""

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities of each text: (n, 3) float64 in the order of `LABELS`, rows sum to 1; n may be 0."""
        ...

    def features(self, texts: Sequence[str]) -> np.ndarray | sparse.csr_matrix:
        """What the model makes of each text before it tells a class: (n, d), for heads that tell something else."""
        ...

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """In how many pieces each text is read: (n,) int64; 1 unless it is longer than what fits a model at once."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs, as data that executes nothing."""
        ...


class Classifier(Predictor, Protocol):
    """What every family offers. The arguments of its `__init__` are its settings and are checked by their types."""

    evidence_weight: ClassVar[float]
    """How much rows without a label of ours count in training unless it is said otherwise; 0 where they do not help."""

    def fit(
        self,
        texts: Sequence[str],
        evidence: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        validation: Examples | None = None,
        work_dir: Path | None = None,
        on_metrics: OnMetrics | None = None,
    ) -> Self:
        """Fit from scratch, forgetting any earlier fit.

        Args:
            texts: n sentences.
            evidence: (n, 3), in the order of `LABELS`.
            weights: (n,) weights of the rows; 1 each if left out.
            validation: decides when to stop, where the family can stop early.
            work_dir: for checkpoints; training goes on from the newest one found there.
            on_metrics: called with the step and the metrics while training goes on.

        Returns:
            self.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; called after the digests of the folder were checked."""
        ...


@runtime_checkable
class Explainable(Protocol):
    """A classifier whose weights people can read."""

    def strongest(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """By label, the n-grams that speak most for it, with their weights."""
        ...


def check_examples(texts: Sequence[str], evidence: np.ndarray) -> np.ndarray:
    """Check what `fit` is given.

    Returns:
        The evidence as (n, 3) float64.

    Raises:
        ClaimkindError: there is no text, the shapes differ, or a row leaves no class possible.
    """
    evidence = np.asarray(evidence, dtype=np.float64)
    if not len(texts):
        raise ClaimkindError("found no training sentence, expected at least one of each class: check the dataset")
    if evidence.shape != (len(texts), len(LABELS)):
        raise ClaimkindError(
            f"found evidence of shape {evidence.shape} for {len(texts)} texts, expected ({len(texts)}, {len(LABELS)})"
        )
    if (evidence < 0).any() or not (evidence.sum(axis=1) > 0).all():
        raise ClaimkindError("found a row whose evidence rules out every class, expected a positive number: check it")
    return evidence


def check_fitted(fitted: object) -> None:
    """Refuse to go on with a classifier that was not fitted.

    Raises:
        ClaimkindError: `fitted`, the learned part, is None.
    """
    if fitted is None:
        raise ClaimkindError("the model has not been fitted, expected a fitted one: call fit or load first")


def check_settings(**settings: tuple[float, float, float]) -> None:
    """Refuse settings that are out of range.

    Args:
        settings: by name the value, the least and the greatest that it may be.

    Raises:
        ClaimkindError: one is not.
    """
    for name, (value, least, greatest) in settings.items():
        if not least <= value <= greatest:
            expected = f"at least {least:g}" if greatest == np.inf else f"{least:g} to {greatest:g}"
            raise ClaimkindError(f"model.{name}={value}, expected {expected}: correct it")


def check_seed(seed: int) -> None:
    """Refuse a seed that the generators of random numbers do not take.

    Raises:
        ClaimkindError: it is below 0 or has more than 32 bits.
    """
    if not 0 <= seed < 1 << 32:
        raise ClaimkindError(f"seed={seed}, expected 0 to {(1 << 32) - 1}: correct it")
