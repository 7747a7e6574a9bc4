"""Distillation: a small model learns what a larger one says of text that nobody labelled."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind.config import DatasetConfig
from claimkind.dataset.build import refuse_benchmarks
from claimkind.dataset.near_duplicates import merge_groups, near_duplicate_links, normalise
from claimkind.errors import ClaimkindError
from claimkind.io.files import find_files
from claimkind.labels import LABELS
from claimkind.models.base import Predictor
from claimkind.scoring.inputs import ReadOptions, read_units

_LEAST = 0.02  # what a teacher holds for less likely does not change the student


class WeightedExamples(NamedTuple):
    """Examples for `Classifier.fit`."""

    texts: list[str]
    evidence: np.ndarray
    """(n, 3), one-hot."""
    weights: np.ndarray
    """(n,)."""


def label_with_teacher(teacher: Predictor, texts: Sequence[str], weights: np.ndarray) -> WeightedExamples:
    """Each text once for each class that the teacher holds for possible, weighted by the probability.

    For any family that is the cross-entropy with the teacher's probabilities as soft targets (Hinton et al. 2015).

    Args:
        teacher: fitted.
        texts: n sentences.
        weights: (n,) weights of the sentences.
    """
    probabilities = teacher.predict_proba(texts)
    rows, classes = np.nonzero(probabilities >= _LEAST)
    return WeightedExamples(
        [texts[int(row)] for row in rows], np.eye(len(LABELS))[classes], weights[rows] * probabilities[rows, classes]
    )


def read_texts(paths: Sequence[str], held_out: Iterable[str], dataset: DatasetConfig) -> list[str]:
    """The different sentences of files and folders, read as scoring reads them; bad rows are passed over.

    Args:
        paths: the files and folders.
        held_out: sentences that a model is measured on, which are left out with what is nearly the same as they.
        dataset: says what is nearly the same, and which sentences are of benchmarks.

    Raises:
        ClaimkindError: there is no such file, one is not as it should be, or one holds a sentence of a benchmark.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            for chunk in read_units(find_files(Path(path)), ReadOptions()):
                found.update(dict.fromkeys(chunk.rows["text"], path))
        except ClaimkindError as error:
            raise ClaimkindError(f"distil_texts: {error}") from None
    keys = pd.Series([normalise(text) for text in found], dtype=object)
    refuse_benchmarks(keys, pd.Series(list(found.values()), dtype=object), dataset.contamination_hashes)
    if not found:
        return []
    measured = list(map(normalise, held_out))
    links = near_duplicate_links([*measured, *keys], dataset.near_duplicate_threshold)
    # A group is called by its first member, and those that are measured stand first.
    groups = merge_groups(pd.Series(range(len(measured) + len(keys))), links)[len(measured) :]
    return [text for text, group in zip(found, groups, strict=True) if group >= len(measured)]
