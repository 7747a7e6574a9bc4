"""Evidence: what the label of a source says about our three classes, measured where a sentence has both."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices, one_hot

Evidence = dict[str, dict[str, list[float]]]
"""P(source label | class) by source, source label and class."""


def measure_evidence(rows: pd.DataFrame, train: pd.Series, smoothing: float = 1.0) -> Evidence:
    """Estimate P(source label | class) of every source that has labels of its own.

    Doubly labelled rows were sampled by source label, so counting them as they are would give the sample's shares, not
    the corpus's: P(class | source label) is estimated first, smoothed towards the source's mean over classes, then
    turned around by Bayes' rule with the shares that the source labels have in the whole corpus.

    Args:
        rows: `source`, `source_label` and `label` of all rows.
        train: which rows are on the training side; labels of others are not looked at.
        smoothing: pseudo-rows for each source label.

    Returns:
        For each source and source label three likelihoods, which over the labels of a source sum to 1 in each class.
    """
    told = rows["source_label"].notna()
    return {
        str(source): _measure_source(part, train[part.index], smoothing)
        for source, part in rows[told].groupby("source", sort=True)
    }


def _measure_source(rows: pd.DataFrame, train: pd.Series, smoothing: float) -> dict[str, list[float]]:
    shares = rows["source_label"].value_counts(normalize=True).sort_index()
    both = rows[train & rows["label"].notna()]
    counts = np.zeros((len(shares), len(LABELS)))
    np.add.at(
        counts, (shares.index.get_indexer(pd.Index(both["source_label"])), label_indices(both["label"].tolist())), 1
    )
    sizes = counts.sum(axis=1, keepdims=True)
    # The source's own mix of classes, itself smoothed by one row of each class.
    within = np.divide(counts, sizes, out=np.full_like(counts, 1 / len(LABELS)), where=sizes > 0)
    mean = (shares.to_numpy() @ within * sizes.sum() + 1) / (sizes.sum() + len(LABELS))
    posterior = (counts + smoothing * mean) / (sizes + smoothing)
    joint = shares.to_numpy()[:, None] * posterior
    likelihood = joint / joint.sum(axis=0)
    # Digits that count, not decimals: of a source with many labels each likelihood is small.
    return {str(label): [float(f"{p:.4g}") for p in row] for label, row in zip(shares.index, likelihood, strict=True)}


def fix_evidence(measured: Evidence, fixed: Mapping[str, Mapping[str, Sequence[str]]]) -> Evidence:
    """Replace measured evidence by 0/1 label sets where a source says by hand which classes its label can mean.

    Raises:
        ClaimkindError: a set names a label that the source does not have, or a class that is none of ours.
    """
    result = {source: dict(table) for source, table in measured.items()}
    for source, sets in fixed.items():
        for label, classes in sets.items():
            if label not in result.get(source, {}):
                raise ClaimkindError(f"dataset.sources.{source}.evidence names {label!r}, which no row has: correct it")
            result[source][label] = one_hot(list(classes)).sum(axis=0).tolist()
    return result


def evidence_rows(rows: pd.DataFrame, evidence: Evidence) -> np.ndarray:
    """(n, 3) evidence: one-hot for rows that we labelled, that of their source's label for others.

    Args:
        rows: `source`, `source_label` and `label`; each row has a label or a source label.
        evidence: of each source label.
    """
    table = {(source, label): values for source, labels in evidence.items() for label, values in labels.items()}
    result = np.ones((len(rows), len(LABELS)))
    labelled = rows["label"].notna().to_numpy()
    result[labelled] = one_hot(rows.loc[labelled, "label"].tolist())
    keys = zip(rows.loc[~labelled, "source"], rows.loc[~labelled, "source_label"], strict=True)
    result[~labelled] = np.array([table[key] for key in keys]).reshape(-1, len(LABELS))
    return result
