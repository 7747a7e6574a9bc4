"""The weight of each training row, and the examples that a classifier is fitted on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind.config import nearest
from claimkind.dataset.rows import evidence_of
from claimkind.errors import ClaimkindError


@dataclass(frozen=True)
class RowWeighting:
    """How much each training row counts. The weight 0 leaves a row out.

    Raises:
        ClaimkindError: a weight or a limit is below 0.
    """

    evidence_weight: float = 0.0
    """Weight of the rows without a label, from which a model learns by their evidence."""
    source_weights: Mapping[str, float] = field(default_factory=dict)
    """Factor on the weights of all rows of a source; 1 for the other sources."""
    evidence_sources: Mapping[str, float] = field(default_factory=dict)
    """Factor on `evidence_weight` by source; 1 for the other sources."""
    train_sources: Sequence[str] | None = None
    """The only sources whose rows are trained on; None takes all."""
    max_labels: int | None = None
    """Upper limit on the number of labelled rows."""
    max_evidence: int | None = None
    """Upper limit on the number of rows without a label, for each source."""

    def __post_init__(self) -> None:
        """Check the ranges; names are checked against the rows."""
        if self.evidence_weight < 0:
            raise ClaimkindError(f"evidence_weight={self.evidence_weight} is below 0: give 0 to leave evidence out")
        for key, weights in (("source_weights", self.source_weights), ("evidence_sources", self.evidence_sources)):
            for name, weight in weights.items():
                if weight < 0:
                    raise ClaimkindError(f"{key} gives {name} a weight below 0: give 0 to leave it out")
        for key, limit in (("max_labels", self.max_labels), ("max_evidence", self.max_evidence)):
            if limit is not None and limit < 0:
                raise ClaimkindError(f"{key}={limit}, expected 0 at least, or null for all")


class WeightedExamples(NamedTuple):
    """Training examples with soft targets, as `Classifier.fit` takes them."""

    texts: list[str]
    """n sentences."""
    evidence: np.ndarray
    """(n, 3), one-hot where the class is known."""
    weights: np.ndarray
    """(n,), above 0."""


def training_weights(rows: pd.DataFrame, weighting: RowWeighting, seed: int) -> np.ndarray:
    """The weight of each training row.

    Args:
        rows: n rows with `source` and `label`.
        weighting: how the rows are weighted.
        seed: decides which rows remain under `max_labels` and `max_evidence`; a smaller limit keeps a subset of the
            rows that a larger one keeps.

    Returns:
        (n,) weights; 0 for the rows that are left out.

    Raises:
        ClaimkindError: a setting names a source without training rows, or no row is left.
    """
    for key in ("source_weights", "evidence_sources", "train_sources"):
        _check_names(key, vars(weighting)[key] or (), rows["source"].unique().tolist())
    weights = _weights_by_source(rows, weighting)
    labelled = rows["label"].notna().to_numpy()
    order = np.random.default_rng(seed).permutation(len(rows))
    _limit(weights, order[labelled[order] & (weights[order] > 0)], weighting.max_labels)
    for source in rows["source"].unique():
        without_label = (rows["source"] == source).to_numpy() & ~labelled
        _limit(weights, order[without_label[order]], weighting.max_evidence)
    if not weights.any():
        raise ClaimkindError(
            "every training row has the weight 0, expected some above it: raise evidence_weight, for example"
        )
    return weights


def weighted_examples(rows: Dataset, weights: np.ndarray) -> WeightedExamples:
    """The rows of a training split whose weight, (n,), is above 0."""
    chosen = rows.select(np.flatnonzero(weights))
    return WeightedExamples(chosen["text"][:], evidence_of(chosen), weights[weights > 0])


def _check_names(key: str, names: Iterable[str], sources: Sequence[str]) -> None:
    for name in names:
        if name not in set(sources):
            raise ClaimkindError(f"{key} names {name!r}, which has no training rows here; {nearest(name, sources)}")


def _weights_by_source(rows: pd.DataFrame, weighting: RowWeighting) -> np.ndarray:
    evidence = [weighting.evidence_weight * weighting.evidence_sources.get(name, 1.0) for name in rows["source"]]
    weights = np.array([weighting.source_weights.get(name, 1.0) for name in rows["source"]])
    weights *= np.where(rows["label"].notna(), 1.0, evidence)
    if weighting.train_sources is not None:
        weights[~rows["source"].isin(weighting.train_sources).to_numpy()] = 0
    return weights


def _limit(weights: np.ndarray, candidates: np.ndarray, limit: int | None) -> None:
    """Set the weights of all but the first `limit` candidates, given by their positions, to 0."""
    if limit is not None:
        weights[candidates[limit:]] = 0
