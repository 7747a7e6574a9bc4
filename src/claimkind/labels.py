"""The three labels, their only order, and the step from labels to evidence."""

from collections.abc import Sequence

import numpy as np

from claimkind.errors import ClaimkindError

LABELS = ("factual", "speculative", "opinion")
UNDECIDED = "undecided"
"""What a model that may abstain says of a sentence of which it is not sure enough."""
PROBABILITY_COLUMNS = tuple(f"p_{label}" for label in LABELS)


def label_indices(labels: Sequence[str]) -> np.ndarray:
    """Positions of the labels in `LABELS`.

    Args:
        labels: n names out of `LABELS`.

    Returns:
        (n,) int64.

    Raises:
        ClaimkindError: a name is none of the three.
    """
    positions = {label: position for position, label in enumerate(LABELS)}
    try:
        return np.array([positions[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise ClaimkindError(f"found the label {error}, expected one of {', '.join(LABELS)}") from None


def one_hot(labels: Sequence[str]) -> np.ndarray:
    """Evidence of rows whose label is known: (n, 3) float64 with a single 1 in each row."""
    return np.eye(len(LABELS))[label_indices(labels)]


def certain_rows(evidence: np.ndarray) -> np.ndarray:
    """Which rows of (n, 3) evidence leave one class only, as an (n,) mask."""
    return (np.asarray(evidence) > 0).sum(axis=1) == 1
