"""Keeping the sentences of benchmarks out of training data, so that a model is not tested on what it has seen."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from claimkind.errors import ClaimkindError


def check_contamination(keys: pd.Series, origins: pd.Series, contamination_hashes: Sequence[str]) -> None:
    """Check that no sentence belongs to a benchmark.

    Args:
        keys: (n,) normalised sentences; see `near_duplicates.normalise`.
        origins: (n,) where each sentence comes from, for the error text.
        contamination_hashes: text files with one digest a line: the first 16 hex digits of the sha256 of a normalised
            sentence. The name of the file is that of the benchmark.

    Raises:
        ClaimkindError: a sentence belongs to a benchmark, or a file does not exist.
    """
    if not contamination_hashes:
        return
    digests = pd.Series([hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys], dtype=object)
    for path in map(Path, contamination_hashes):
        found = digests.isin(_read_hashes(path)).to_numpy()
        if found.any():
            raise ClaimkindError(_explain(path.stem, found, origins))


def _read_hashes(path: Path) -> list[str]:
    if not path.is_file():
        raise ClaimkindError(f"dataset.contamination_hashes names {path}, which does not exist: correct or remove it")
    return path.read_text(encoding="utf-8").split()


def _explain(benchmark: str, found: np.ndarray, origins: pd.Series) -> str:
    return (
        f"{found.sum()} sentences of the benchmark {benchmark} are in the source {origins[found].iloc[0]}, "
        "and no model may be trained on a benchmark: remove them"
    )
