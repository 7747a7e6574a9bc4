"""Logistic regression that learns from evidence: what the linear families share."""

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, has_hard_label
from claimkind.models.base import OnMetrics

LEAST_C = 1e-8
"""Regularised more strongly, a regression is nothing but its intercept."""
_LEAST_SHARE = 1e-3


def fit_regression(
    regression: LogisticRegression,
    features: sparse.csr_matrix,
    evidence: np.ndarray,
    weights: np.ndarray,
    em_steps: int,
    on_metrics: OnMetrics | None = None,
) -> None:
    """Fit on rows whose class is certain, then go on with the others by expectation-maximisation.

    Rows whose class is certain give the first model, or where they leave a class out, all rows do, with all classes as
    likely. With others, expectation-maximisation goes on from it (Dempster, Laird and Rubin 1977): each row counts for
    each class with weight p(c | x) · evidence[c], normalised.

    Args:
        regression: to be fitted.
        features: (n, d).
        evidence: (n, 3).
        weights: (n,) weights of the rows.
        em_steps: steps of expectation-maximisation, if there are rows whose class is not certain.
        on_metrics: called with each step and its mean log-likelihood.

    Raises:
        ClaimkindError: all rows are certainly of one class.
    """
    certain = has_hard_label(evidence)
    classes = len(set(evidence[certain].argmax(axis=1)))
    if certain.all() and classes < 2:
        raise ClaimkindError("the labelled training sentences are all of one class, expected two at least")
    first = certain if certain.all() or classes == len(LABELS) else np.ones_like(certain)
    sizes = _fit_shares(regression, features[first], evidence[first], weights[first])
    if not certain.all():
        regression.set_params(warm_start=True)
        for step in range(1, em_steps + 1):
            joint = _posterior(regression, features, sizes) * evidence
            if on_metrics:
                mean = np.average(np.log(joint.sum(axis=1) + 1e-12), weights=weights)
                on_metrics(step, {"em_log_likelihood": float(mean)})
            sizes = _fit_shares(regression, features, joint, weights)


def _posterior(regression: LogisticRegression, features: sparse.csr_matrix, sizes: np.ndarray) -> np.ndarray:
    """P(class | x) where classes are as frequent as their `sizes`: (n, 3).

    A balanced regression answers as if all classes were equally frequent. Taken for the posterior, its answers would
    make rare classes more frequent in each step.
    """
    probabilities = in_label_order(regression, features)
    if regression.class_weight == "balanced":
        probabilities = probabilities * sizes
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _fit_shares(
    regression: LogisticRegression, features: sparse.csr_matrix, joint: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Fit each row as one of each class, weighted by the share that the class has in the row of `joint`.

    Returns:
        The weight that each class has in all: (3,).
    """
    shares = weights[:, None] * joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    rows, classes = np.nonzero(shares > _LEAST_SHARE * weights[:, None])
    regression.fit(features[rows], classes, sample_weight=shares[rows, classes])
    sizes: np.ndarray = shares.sum(axis=0)
    return sizes


def in_label_order(regression: LogisticRegression, features: sparse.csr_matrix) -> np.ndarray:
    """Probabilities (n, 3) with a column for each label, 0 for one that no training row had."""
    probabilities = np.zeros((features.shape[0], len(LABELS)))
    probabilities[:, regression.classes_] = regression.predict_proba(features)
    return probabilities
