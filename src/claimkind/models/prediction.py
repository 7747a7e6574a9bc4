"""Labels from probabilities: the columns that scoring, serving and Spark give."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from claimkind.labels import LABELS, PROBABILITY_COLUMNS, UNDECIDED
from claimkind.models.base import Predictor

OUTPUT_COLUMNS = ("label", "confidence", *PROBABILITY_COLUMNS)


def label_with_windows(classifier: Predictor, texts: Sequence[str]) -> pd.DataFrame:
    """Label texts as `label_texts` does, equal ones once, and say in how many windows each was read."""
    different = list(dict.fromkeys(texts))
    labelled = label_texts(classifier, different)
    labelled["windows"] = classifier.windows(different)
    if len(different) == len(texts):
        return labelled
    place = {text: number for number, text in enumerate(different)}
    return labelled.iloc[[place[text] for text in texts]].reset_index(drop=True)


def label_texts(classifier: Predictor, texts: Sequence[str]) -> pd.DataFrame:
    """Label texts: one row each, with the columns `OUTPUT_COLUMNS`.

    A model that was given `abstain_below` says `undecided` of sentences of which it is less sure.
    """
    return label_probabilities(classifier, classifier.predict_proba(texts))


def label_probabilities(classifier: Predictor, probabilities: np.ndarray) -> pd.DataFrame:
    """The columns `OUTPUT_COLUMNS` for probabilities (n, 3) that a classifier gave."""
    confidence = probabilities.max(axis=1, initial=0)
    decided = confidence >= getattr(classifier, "abstain_below", 0.0)
    columns = {
        "label": np.where(decided, np.array(LABELS)[probabilities.argmax(axis=1)], UNDECIDED),
        "confidence": confidence,
        **dict(zip(PROBABILITY_COLUMNS, probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
