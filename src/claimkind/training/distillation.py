"""Distillation: a small model learns from the probabilities of larger ones, as soft targets."""

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
from claimkind.scoring.inputs import ReadOptions, is_sentence, read_units, splits_any
from claimkind.training.weights import WeightedExamples

_LEAST_PROBABILITY = 0.02
"""A class with a smaller target makes no example: it would hardly change the student."""


class Excluded(NamedTuple):
    """Sentences that nothing may be trained on."""

    contamination_hashes: Sequence[str] = ()
    """Files with digests of the sentences of benchmarks, which are refused."""
    near_duplicate_threshold: float = 1.0
    """Similarity to a held-out sentence from which on a sentence is left out."""


_NONE_EXCLUDED = Excluded()


@dataclass(frozen=True)
class Distillation:
    """Saved models that teach, and further sentences to teach with.

    Raises:
        ClaimkindError: the share is not from 0 to 1, or there is nothing that the weight and the share let them teach.
    """

    teachers: Sequence[str]
    """URIs of the saved models; the mean of their probabilities is taught."""
    weight: float
    """Weight of each further sentence."""
    share: float = 0.5
    """Share of the teachers' probabilities in the target of an example with a label; the label has the rest."""
    texts: Sequence[str] = ()
    """Files and folders with further sentences, besides the training rows without a label."""
    excluded: Excluded = _NONE_EXCLUDED

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.share <= 1:
            raise ClaimkindError(f"distil_share={self.share}, expected 0 to 1")
        if not self.weight and (self.texts or not self.share):
            taught = "distil_texts" if self.texts else "distil_from"
            raise ClaimkindError(f"{taught} has no effect with evidence_weight=0: raise it, to 1 say")


def distil(examples: WeightedExamples, distillation: Distillation, held_out: Iterable[str]) -> WeightedExamples:
    """Replace evidence by the probabilities of teachers, and add further sentences.

    The target of an example with a label is a mixture of the label and the teachers' probabilities, that of the others
    these probabilities alone.

    Args:
        examples: of the dataset.
        distillation: the teachers and the further sentences.
        held_out: sentences of the validation and test splits.

    Returns:
        The examples with a label first.

    Raises:
        ClaimkindError: there is no sentence for the teachers, or a file or a model is not as it should be.
    """
    hard = has_hard_label(examples.evidence)
    labelled = _select(examples, hard)
    unlabelled = _select(examples, ~hard).texts
    further = read_texts(distillation.texts, held_out, distillation.excluded)
    texts = [*(labelled.texts if distillation.share else []), *unlabelled, *further]
    if not texts:
        raise ClaimkindError(
            "distil_from has no text to teach with, expected rows without a label: give distil_texts with some"
        )
    probabilities = mean_probabilities(distillation.teachers, texts)
    targets = labelled.evidence
    if distillation.share:
        targets = (1 - distillation.share) * targets + distillation.share * probabilities[: len(targets)]
    rest = probabilities[len(texts) - len(unlabelled) - len(further) :]
    weights = np.r_[labelled.weights, examples.weights[~hard], np.full(len(further), distillation.weight)]
    return with_soft_targets(labelled.texts + unlabelled + further, np.concatenate([targets, rest]), weights)


def mean_probabilities(model_uris: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Mean of the probabilities that saved models give to n texts: (n, 3). One model is in memory at a time."""
    total = np.zeros((len(texts), len(LABELS)))
    for model_uri in model_uris:
        total += tracking.fetch_model(model_uri, "distil_from").predict_proba(texts)
    return total / len(model_uris)


def with_soft_targets(texts: Sequence[str], targets: np.ndarray, weights: np.ndarray) -> WeightedExamples:
    """Weighted examples whose loss, for any family, is the cross-entropy with soft targets (Hinton et al. 2015).

    Each text appears once for each class that its target holds possible, weighted by the target.

    Args:
        texts: n sentences.
        targets: (n, 3) probabilities.
        weights: (n,) weights of the sentences.
    """
    rows, classes = np.nonzero(targets >= _LEAST_PROBABILITY)
    return WeightedExamples(
        [texts[int(row)] for row in rows], np.eye(len(LABELS))[classes], weights[rows] * targets[rows, classes]
    )


def _select(examples: WeightedExamples, mask: np.ndarray) -> WeightedExamples:
    texts = [text for text, chosen in zip(examples.texts, mask, strict=True) if chosen]
    return WeightedExamples(texts, examples.evidence[mask], examples.weights[mask])


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
