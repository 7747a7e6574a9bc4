"""Predictions for a few sentences, stored when a model is saved and compared when it is loaded.

Digests show that files are as they were. Predictions also show that the libraries of this machine compute the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS
from claimkind.models.base import Predictor

SAMPLE = "sample"
"""Entry of the manifest."""
_TEXTS = (
    "The council met on Monday, and 12 of its 19 members voted for the bridge.",
    "“It may well rain in Zürich tomorrow,” she said – but nobody can be sure.",
    "What a shameful waste of money!",
)
_MOST_TEXTS, _LONGEST_TEXT = 16, 1000
# Largest difference of a probability, by number format; those of one format differ between machines, too.
_TOLERANCES = {"fp64": 1e-6, "fp32": 5e-3, "bf16": 0.1}
_COARSEST = 0.2  # of other formats, such as int8


def predict_sample(classifier: Predictor) -> dict[str, Any]:
    """The sample texts with a classifier's probabilities, for the manifest.

    Args:
        classifier: fitted, not calibrated.

    Raises:
        ClaimkindError: a probability is no finite number.
    """
    probabilities = classifier.predict_proba(_TEXTS)
    if not np.isfinite(probabilities).all():
        raise ClaimkindError(
            "the model predicts no finite probabilities, so its training diverged: lower model.learning_rate, say"
        )
    return {"texts": _TEXTS, "probabilities": probabilities.tolist(), "compute_dtype": classifier.compute_dtype}


def check_sample(classifier: Predictor, stored: Any, folder: Path) -> None:
    """Compare a loaded classifier's probabilities with those that were stored when it was saved.

    Args:
        classifier: not calibrated.
        stored: what `predict_sample` returned.
        folder: of the model, for the error text.

    Raises:
        ClaimkindError: they differ by more than the number formats explain, or they are not stored.
    """
    texts, expected = _stored(stored, folder)
    difference = float(np.abs(classifier.predict_proba(texts) - expected).max())
    allowed = max(map(_tolerance, (classifier.compute_dtype, str(stored.get("compute_dtype")))))
    if not difference <= allowed:  # also where it is no number
        raise ClaimkindError(
            f"{folder} gives other probabilities than when it was saved (by up to {difference:.3f}, expected at most "
            f"{allowed:g}): install the versions of constraints.txt, or train it again"
        )


def _stored(stored: Any, folder: Path) -> tuple[list[str], np.ndarray]:
    try:
        texts, probabilities = stored["texts"], np.array(stored["probabilities"], dtype=np.float64)
        if not (isinstance(stored, Mapping) and 0 < len(texts) <= _MOST_TEXTS and _are_texts(texts)):
            raise ValueError
        if probabilities.shape != (len(texts), len(LABELS)):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ClaimkindError(f"{folder} has no stored predictions to compare with: train it again") from None
    return texts, probabilities


def _are_texts(texts: list[Any]) -> bool:
    return all(isinstance(text, str) and len(text) <= _LONGEST_TEXT for text in texts)


def _tolerance(compute_dtype: str) -> float:
    return _TOLERANCES.get(compute_dtype.partition(",")[0], _COARSEST)
