"""The weight of each training row."""

import numpy as np
import pandas as pd

from claimkind.config import TrainConfig, nearest
from claimkind.errors import ClaimkindError


def training_weights(rows: pd.DataFrame, config: TrainConfig) -> np.ndarray:
    """The weight of each training row: (n,); 0 for those that are left out.

    Raises:
        ClaimkindError: a setting names a source that the rows do not have, or no row is left.
    """
    _check_weights(rows, config)
    labelled = rows["label"].notna().to_numpy()
    evidence_weight = config.evidence_weight or 0.0
    evidence = np.array([evidence_weight * config.evidence_sources.get(name, 1.0) for name in rows["source"]])
    weights = np.array([config.source_weights.get(name, 1.0) for name in rows["source"]])
    weights *= np.where(labelled, 1.0, evidence)
    drawn = np.random.default_rng(config.seed).permutation(len(rows))
    if config.max_labels is not None:
        weights[[row for row in drawn if labelled[row] and weights[row] > 0][config.max_labels :]] = 0
    if config.max_evidence is not None:
        for source in rows["source"].unique():
            of_source = (rows["source"] == source).to_numpy() & ~labelled
            weights[[row for row in drawn if of_source[row]][config.max_evidence :]] = 0
    if not weights.any():
        raise ClaimkindError("every training row has the weight 0, expected some above it: raise evidence_weight, say")
    return weights


def _check_weights(rows: pd.DataFrame, config: TrainConfig) -> None:
    for key in ("source_weights", "evidence_sources"):
        for name, weight in getattr(config, key).items():
            if name not in set(rows["source"]):
                raise ClaimkindError(
                    f"{key} names {name!r}, which has no training rows here; {nearest(name, rows['source'].unique())}"
                )
            if weight < 0:
                raise ClaimkindError(f"{key} gives {name} a weight below 0: give 0 to leave it out")
    for key in ("max_labels", "max_evidence"):
        if (getattr(config, key) or 0) < 0:
            raise ClaimkindError(f"{key}={getattr(config, key)}, expected 0 at least, or null for all: correct it")
    if (config.evidence_weight or 0) < 0:
        raise ClaimkindError(f"evidence_weight={config.evidence_weight} is below 0: give 0 to leave evidence out")
