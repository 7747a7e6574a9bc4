"""Distillation: a small model learns from the probabilities that a larger one gives to unlabelled sentences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.dataset.contamination import check_contamination
from claimkind.dataset.near_duplicates import merge_groups, near_duplicate_links, normalise
from claimkind.errors import ClaimkindError
from claimkind.io.files import find_files
from claimkind.labels import LABELS, has_hard_label
from claimkind.models.base import Predictor
from claimkind.scoring.inputs import ReadOptions, is_sentence, read_units, splits_any
from claimkind.training.weights import WeightedExamples

_LEAST_PROBABILITY = 0.02
"""A class to which the teacher gives less makes no example: it would hardly change the student."""


class Excluded(NamedTuple):
    """Sentences that nothing may be trained on."""

    contamination_hashes: Sequence[str] = ()
    """Files with digests of the sentences of benchmarks, which are refused."""
    near_duplicate_threshold: float = 1.0
    """Similarity to a held-out sentence from which on a sentence is left out."""


_NONE_EXCLUDED = Excluded()


@dataclass(frozen=True)
class Distillation:
    """A saved model that teaches, and further sentences to teach with.

    Raises:
        ClaimkindError: the weight is 0.
    """

    teacher: str
    """URI of the saved model."""
    weight: float
    """Weight of each further sentence."""
    texts: Sequence[str] = ()
    """Files and folders with further sentences, besides the training rows without a label."""
    excluded: Excluded = _NONE_EXCLUDED

    def __post_init__(self) -> None:
        """Check the weight."""
        if not self.weight:
            raise ClaimkindError("distil_from teaches rows that weigh evidence_weight=0: raise it, to 1 say")


def distil(examples: WeightedExamples, distillation: Distillation, held_out: Iterable[str]) -> WeightedExamples:
    """Replace the evidence of examples without a label by a teacher's probabilities, and add further sentences.

    Args:
        examples: of the dataset.
        distillation: the teacher and the further sentences.
        held_out: sentences of the validation and test splits.

    Returns:
        The labelled examples as they were, then those of the teacher.

    Raises:
        ClaimkindError: there is no sentence for the teacher, or a file or the model is not as it should be.
    """
    labelled = has_hard_label(examples.evidence)
    known = [text for text, has_label in zip(examples.texts, labelled, strict=True) if has_label]
    unlabelled = [text for text, has_label in zip(examples.texts, labelled, strict=True) if not has_label]
    further = read_texts(distillation.texts, held_out, distillation.excluded)
    if not (unlabelled or further):
        raise ClaimkindError(
            "distil_from has no text to teach with, expected rows without a label: give distil_texts with some"
        )
    weights = np.r_[examples.weights[~labelled], np.full(len(further), distillation.weight)]
    teacher = tracking.fetch_model(distillation.teacher, "distil_from")
    taught = label_with_teacher(teacher, unlabelled + further, weights)
    return WeightedExamples(
        known + taught.texts,
        np.concatenate([examples.evidence[labelled], taught.evidence]),
        np.r_[examples.weights[labelled], taught.weights],
    )


def label_with_teacher(teacher: Predictor, texts: Sequence[str], weights: np.ndarray) -> WeightedExamples:
    """Weighted examples with the teacher's probabilities as soft targets.

    Each text appears once for each class that the teacher holds possible, weighted by the probability. For any family
    that gives the cross-entropy with soft targets (Hinton et al. 2015).

    Args:
        teacher: fitted.
        texts: n sentences.
        weights: (n,) weights of the sentences.
    """
    probabilities = teacher.predict_proba(texts)
    rows, classes = np.nonzero(probabilities >= _LEAST_PROBABILITY)
    return WeightedExamples(
        [texts[int(row)] for row in rows], np.eye(len(LABELS))[classes], weights[rows] * probabilities[rows, classes]
    )


def read_texts(paths: Sequence[str], held_out: Iterable[str], excluded: Excluded) -> list[str]:
    """The different sentences of files and folders, read as scoring reads them; unreadable rows are skipped.

    Args:
        paths: the files and folders.
        held_out: sentences of the validation and test splits; they and their near-duplicates are left out.
        excluded: what else nothing may be trained on.

    Raises:
        ClaimkindError: a file does not exist, is malformed, or holds a sentence of a benchmark.
    """
    origins = {text: path for path in paths for text in _sentences_of(path)}
    keys = pd.Series([normalise(text) for text in origins], dtype=object)
    check_contamination(keys, pd.Series(list(origins.values()), dtype=object), excluded.contamination_hashes)
    if not origins:
        return []
    measured = list(map(normalise, held_out))
    links = near_duplicate_links([*measured, *keys], excluded.near_duplicate_threshold)
    # A group has the number of its first member, and the held-out sentences come first.
    groups = merge_groups(pd.Series(range(len(measured) + len(keys))), links)[len(measured) :]
    return [text for text, group in zip(origins, groups, strict=True) if group >= len(measured)]


def _sentences_of(path: str) -> Iterator[str]:
    try:
        files, options = find_files(Path(path)), ReadOptions()
        for chunk in read_units(files, options):
            yield from chunk.rows["text"][is_sentence(chunk.rows, split=splits_any(files, options))]
    except ClaimkindError as error:
        raise ClaimkindError(f"distil_texts: {error}") from None
