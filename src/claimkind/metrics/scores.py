"""Scores of predicted labels, computed from confusion matrices."""

import numpy as np

from claimkind.labels import LABELS

_CLASSES = len(LABELS)


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts of (truth, prediction): (3, 3) int64, both given as positions in `LABELS`."""
    return np.bincount(truth * _CLASSES + predicted, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the classes; a class that neither occurs nor is predicted counts 0."""
    return float(scores_of(confusion_matrix(truth, predicted))["macro_f1"])


def scores_of(
    confusion: np.ndarray, *, counted: np.ndarray | None = None, without_case: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Scores of confusion matrices.

    Args:
        confusion: (..., 3, 3) counts, rows are the truth.
        counted: (3,) which classes macro F1 is the mean of, by default all.
        without_case: (3,) F1 of each class where it neither occurs nor is predicted, by default 0.

    Returns:
        `accuracy`, `macro_f1`, and `precision_`, `recall_` and `f1_` of each label, each of shape (...). A ratio
        without any case is 0, as in scikit-learn's `zero_division=0`.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision, recall = _ratio(hits, predicted), _ratio(hits, true)
    f1 = np.where(true + predicted > 0, _ratio(2 * hits, true + predicted), 0 if without_case is None else without_case)
    counted = np.ones(_CLASSES, dtype=bool) if counted is None else counted
    scores = {
        "accuracy": _ratio(hits.sum(axis=-1), true.sum(axis=-1)),
        "macro_f1": f1[..., counted].mean(axis=-1),
    }
    for index, label in enumerate(LABELS):
        scores[f"precision_{label}"] = precision[..., index]
        scores[f"recall_{label}"] = recall[..., index]
        scores[f"f1_{label}"] = f1[..., index]
    return scores


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
