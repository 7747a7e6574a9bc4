"""Logistic regression that learns from evidence by expectation-maximisation; shared by the linear families."""

import logging
from collections.abc import Mapping

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, has_hard_label
from claimkind.models.base import OnMetrics

SMALLEST_C = 1e-8
"""With stronger regularisation, only the intercept of a regression is left."""
_SMALLEST_SHARE = 1e-3
_LOGGER = logging.getLogger(__name__)


def new_regression(C: float, balanced: bool, seed: int) -> LogisticRegression:  # noqa: N803 - scikit-learn's name
    """An unfitted regression; `balanced` weights classes inversely to their frequency."""
    return LogisticRegression(C=C, class_weight="balanced" if balanced else None, max_iter=1000, random_state=seed)


def fit_regression(
    regression: LogisticRegression,
    features: sparse.csr_matrix,
    evidence: np.ndarray,
    weights: np.ndarray,
    em_steps: int,
    on_metrics: OnMetrics | None = None,
) -> None:
    """Fit on the rows with a hard label, then on all rows by expectation-maximisation.

    If the rows with a hard label lack a class, the first fit is on all rows, each of which counts for each class in
    proportion to its evidence. In expectation-maximisation (Dempster, Laird and Rubin 1977), each row counts for each
    class with the weight p(c | x) · evidence[c], normalised.

    Args:
        regression: the regression to fit.
        features: (n, d).
        evidence: (n, 3).
        weights: (n,) weights of the rows.
        em_steps: number of steps of expectation-maximisation, if there are rows without a hard label.
        on_metrics: called with each step and its mean log-likelihood.

    Raises:
        ClaimkindError: every row has a hard label, and all have the same one.
    """
    hard = has_hard_label(evidence)
    classes = len(set(evidence[hard].argmax(axis=1)))
    if hard.all() and classes < 2:
        raise ClaimkindError("the labelled training sentences are all of one class, expected two at least")
    first = hard if hard.all() or classes == len(LABELS) else np.ones_like(hard)
    _LOGGER.info("fitting %d rows, %d features", int(first.sum()), features.shape[1])
    class_weights = _fit_shares(regression, features[first], evidence[first], weights[first])
    if hard.all():
        return
    regression.set_params(warm_start=True)
    for step in range(1, em_steps + 1):
        _LOGGER.info("step %d of %d of expectation-maximisation, on %d rows", step, em_steps, len(evidence))
        joint = _posterior(regression, features, class_weights) * evidence
        if on_metrics:
            mean = np.average(np.log(joint.sum(axis=1) + 1e-12), weights=weights)
            on_metrics(step, {"em_log_likelihood": float(mean)})
        class_weights = _fit_shares(regression, features, joint, weights)


def _posterior(regression: LogisticRegression, features: sparse.csr_matrix, class_weights: np.ndarray) -> np.ndarray:
    """P(class | x) with the class frequencies of the training rows: (n, 3).

    A balanced regression predicts as if all classes were equally frequent. Used as the posterior, its predictions would
    make rare classes more frequent in each step.
    """
    probabilities = in_label_order(regression, features)
    if regression.class_weight == "balanced":
        probabilities = probabilities * class_weights
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _fit_shares(
    regression: LogisticRegression, features: sparse.csr_matrix, joint: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Fit on each row as an example of every class, weighted by the share of the class in the row of `joint`, (n, 3).

    Returns:
        The total weight of each class: (3,).
    """
    shares = weights[:, None] * joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    rows, classes = np.nonzero(shares > _SMALLEST_SHARE * weights[:, None])
    regression.fit(features[rows], classes, sample_weight=shares[rows, classes])
    class_weights: np.ndarray = shares.sum(axis=0)
    return class_weights


def in_label_order(regression: LogisticRegression, features: sparse.csr_matrix) -> np.ndarray:
    """Probabilities (n, 3) in the order of `LABELS`; 0 for a class without training rows."""
    probabilities = np.zeros((features.shape[0], len(LABELS)))
    probabilities[:, regression.classes_] = regression.predict_proba(features)
    return probabilities


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse weights that are not numbers.

    Raises:
        ValueError: an array holds other values than finite numbers.
    """
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite")
