"""The three labels, in the one order that is used everywhere, and their one-hot encoding."""

from collections.abc import Sequence

import numpy as np

from claimkind.errors import ClaimkindError

LABELS = ("factual", "speculative", "opinion")
UNDECIDED = "undecided"
"""The label of a sentence whose confidence is below a model's `abstain_below`."""
PROBABILITY_COLUMNS = tuple(f"p_{label}" for label in LABELS)
LABEL_COLOURS = {"factual": "#0072b2", "speculative": "#d55e00", "opinion": "#009e73"}
"""Colours that colour-blind readers can tell apart (Okabe and Ito 2008)."""


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
    """One-hot encoding of n labels: (n, 3) float64 in the order of `LABELS`."""
    return np.eye(len(LABELS))[label_indices(labels)]


def has_hard_label(evidence: np.ndarray) -> np.ndarray:
    """Mask (n,) of the rows of (n, 3) evidence that allow one class only, as rows with a label do."""
    return (np.asarray(evidence) > 0).sum(axis=1) == 1
