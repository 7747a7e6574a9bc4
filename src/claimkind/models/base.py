"""The contract of a model family, and the checks that every family makes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from scipy import sparse

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

OnMetrics = Callable[[int, Mapping[str, float]], None]
"""Called during training with the step and the metrics by name."""
Learned = TypeVar("Learned")


class Examples(NamedTuple):
    """Texts with the evidence for their classes."""

    texts: Sequence[str]
    evidence: np.ndarray
    """(n, 3): the likelihood P(source label | class); one-hot where the class is known."""


class Predictor(Protocol):
    """A fitted classifier, calibrated or not: it predicts and can be saved."""

    @property
    def settings(self) -> Any:  # a frozen dataclass of the family's own
        """The settings that the model was trained with."""
        ...

    @property
    def requirements(self) -> tuple[str, ...]:
        """Names of the installed packages that prediction needs, besides those that serving any model needs."""
        ...

    @property
    def single_threaded(self) -> bool:
        """Whether prediction keeps one core busy, so that scoring starts a process for each core."""
        ...

    @property
    def compute_dtype(self) -> str:
        """Number format and device of prediction here, as in `fp32, CPU`; with others probabilities may differ."""
        ...

    @property
    def abstain_below(self) -> float:
        """A sentence whose highest probability is below this gets no label; 0 where the model never abstains."""
        ...

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities of each text: (n, 3) float64 in the order of `LABELS`, rows sum to 1; n may be 0."""
        ...

    def features(self, texts: Sequence[str]) -> np.ndarray | sparse.csr_matrix:
        """The model's representation of each text before its classification layer: (n, d), for linear probes."""
        ...

    def windows(self, texts: Sequence[str]) -> np.ndarray:
        """Number of windows that each text is read in: (n,) int64; above 1 only for texts longer than the input."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs to a folder, as data and never as code."""
        ...


class Classifier(Predictor, Protocol):
    """What every family offers. The only argument of its class is its settings, a frozen dataclass."""

    evidence_weight: ClassVar[float]
    """Default weight of training rows without a hard label; 0 where they do not help this family."""
    files: ClassVar[tuple[str, ...]]
    """Names of the files that `load` reads; a saved model whose manifest does not list all of them is refused."""

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
        """Fit from scratch; an earlier fit is forgotten.

        Args:
            texts: n sentences.
            evidence: (n, 3), in the order of `LABELS`; see `Examples`.
            weights: (n,) weights of the rows; 1 each if left out.
            validation: held-out examples for early stopping, where the family has it.
            work_dir: folder for the checkpoints of this training alone: it resumes from the newest one in it, and the
                Trainer deletes older ones.
            on_metrics: called with the metrics of training as they come.

        Returns:
            self.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. The caller has checked the digests of the files."""
        ...


@runtime_checkable
class Explainable(Protocol):
    """A classifier with weights of n-grams that people can read."""

    def strongest(self, count: int) -> dict[str, list[tuple[str, float]]]:
        """By label the `count` n-grams with the highest weights for it, with these weights."""
        ...


@runtime_checkable
class Deterministic(Protocol):
    """A classifier that learns the same for every seed."""

    @property
    def seed_has_no_effect(self) -> bool:
        """Always true."""
        ...


@runtime_checkable
class FineTunable(Protocol):
    """A fitted classifier whose training can go on with classes of another data set."""

    def fine_tune(
        self, examples: Examples, validation: Examples, *, epochs: float, learning_rate: float | None, seed: int
    ) -> Callable[[Sequence[str]], np.ndarray]:
        """Train a copy with a new classification head; the classifier itself does not change.

        Args:
            examples: texts, and one-hot their classes, (n, classes).
            validation: the epoch with the highest macro F1 on it is kept.
            epochs: number of epochs.
            learning_rate: of the highest layer; None takes that of the classifier's own training.
            seed: of the new head, dropout and the order of batches.

        Returns:
            `predict_proba` of the copy: (n, classes) for n texts.
        """
        ...


def check_examples(
    texts: Sequence[str], evidence: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments of `fit`.

    Returns:
        The evidence as (n, 3) and the weights as (n,), both float64.

    Raises:
        ClaimkindError: there is no text, the shapes differ, or the evidence of a row is 0 for every class.
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
    return evidence, np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)


def check_fitted(learned: Learned | None) -> Learned:
    """Refuse a classifier that was not fitted.

    Args:
        learned: a part of the classifier that is None until `fit` or `load`.

    Returns:
        The same.

    Raises:
        ClaimkindError: it is None.
    """
    if learned is None:
        raise ClaimkindError("the model has not been fitted, expected a fitted one: call fit or load first")
    return learned


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy and PyTorch do not take.

    Raises:
        ClaimkindError: it is negative or has more than 32 bits.
    """
    if not 0 <= seed < 1 << 32:
        raise ClaimkindError(f"seed={seed}, expected 0 to {(1 << 32) - 1}")
