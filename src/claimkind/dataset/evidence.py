"""Evidence: the likelihood P(source label | class) of the labels that public corpora already have.

A corpus such as BABE answers a question of its own ("entirely factual", "writer's opinion"), not ours. Its labels are
used as weak supervision: each is a noisy observation of our class, whose noise is measured on sentences that carry
both a label of the source and one of our three. This is the annotator model of Dawid and Skene (1979), with a source
as the annotator and with known classes for a part of the sentences. A row's evidence is the three likelihoods of what
its source says about it, one for each class; it is one-hot where the row has one of our labels. Models are trained on
it by maximising the marginal likelihood, the sum over the classes of P(class | text) * P(source label | class).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS, label_indices, one_hot

Evidence = dict[str, dict[str, list[float]]]
"""P(source label | class) by source, source label and class."""


def measure_evidence(rows: pd.DataFrame, train: pd.Series, smoothing: float = 1.0) -> Evidence:
    """Estimate P(source label | class) of every source that has labels of its own.

    The rows with both labels were sampled by source label, so their counts do not reflect how frequent a source label
    is in the corpus. Therefore P(class | source label) is estimated first, smoothed towards the source's mean over the
    classes, and then inverted by Bayes' rule with the source labels' shares in the whole corpus.

    Args:
        rows: n rows with `source`, `source_label` and `label`.
        train: (n,) mask of the training side; `label` of other rows is not used.
        smoothing: number of pseudo-rows added to each source label.

    Returns:
        For each source and source label three likelihoods, which over the labels of a source sum to 1 in each class.
    """
    has_source_label = rows["source_label"].notna()
    return {
        str(source): _measure_source(part, train[part.index], smoothing)
        for source, part in rows[has_source_label].groupby("source", sort=True)
    }


def _measure_source(rows: pd.DataFrame, train: pd.Series, smoothing: float) -> dict[str, list[float]]:
    shares = rows["source_label"].value_counts(normalize=True).sort_index()
    counts = _count_pairs(rows[train & rows["label"].notna()], shares.index)
    sizes = counts.sum(axis=1, keepdims=True)
    # The mean of the source over the classes, itself smoothed by one pseudo-row of each class.
    within = np.divide(counts, sizes, out=np.full_like(counts, 1 / len(LABELS)), where=sizes > 0)
    mean = (shares.to_numpy() @ within * sizes.sum() + 1) / (sizes.sum() + len(LABELS))
    posterior = (counts + smoothing * mean) / (sizes + smoothing)
    joint = shares.to_numpy()[:, None] * posterior
    likelihood = joint / joint.sum(axis=0)
    # Significant digits, not decimals: a source with many labels has small likelihoods.
    return {str(label): [float(f"{p:.4g}") for p in row] for label, row in zip(shares.index, likelihood, strict=True)}


def _count_pairs(rows: pd.DataFrame, source_labels: pd.Index) -> np.ndarray:
    """(source labels, 3) counts of rows by source label and label."""
    counts = np.zeros((len(source_labels), len(LABELS)))
    cells = source_labels.get_indexer(pd.Index(rows["source_label"])), label_indices(rows["label"].tolist())
    np.add.at(counts, cells, 1)
    return counts


def override_evidence(measured: Evidence, fixed: Mapping[str, Mapping[str, Sequence[str]]]) -> Evidence:
    """Replace measured likelihoods by 0 and 1 where a source states which classes its label can mean.

    Args:
        measured: what `measure_evidence` returned.
        fixed: by source and source label, the classes that the label can mean.

    Raises:
        ClaimkindError: a source does not have such a label, or a class is unknown.
    """
    result = {source: dict(table) for source, table in measured.items()}
    for source, sets in fixed.items():
        for label, classes in sets.items():
            if label not in result.get(source, {}):
                raise ClaimkindError(f"dataset.sources.{source}.evidence names {label!r}, which no row has")
            result[source][label] = one_hot(list(classes)).max(axis=0, initial=0).tolist()
    return result


def evidence_rows(rows: pd.DataFrame, evidence: Evidence) -> np.ndarray:
    """The evidence of rows: one-hot for those with a label, the likelihoods of their source label for the others.

    Args:
        rows: n rows with `source`, `source_label` and `label`; each has a label or a source label.
        evidence: likelihoods by source and source label.

    Returns:
        (n, 3) in the order of `LABELS`.
    """
    table = {(source, label): values for source, labels in evidence.items() for label, values in labels.items()}
    result = np.ones((len(rows), len(LABELS)))
    labelled = rows["label"].notna().to_numpy()
    result[labelled] = one_hot(rows.loc[labelled, "label"].tolist())
    keys = zip(rows.loc[~labelled, "source"], rows.loc[~labelled, "source_label"], strict=True)
    result[~labelled] = np.array([table[key] for key in keys]).reshape(-1, len(LABELS))
    return result
