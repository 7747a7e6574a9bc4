"""Labels from probabilities: the columns that scoring, serving and Spark write."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from claimkind.labels import LABELS, PROBABILITY_COLUMNS, UNDECIDED
from claimkind.models.base import Predictor

OUTPUT_COLUMNS = ("label", "confidence", *PROBABILITY_COLUMNS)


def label_with_windows(classifier: Predictor, texts: Sequence[str]) -> pd.DataFrame:
    """Label texts as `label_texts` does, with a column `windows`; equal texts are computed once."""
    distinct = list(dict.fromkeys(texts))
    labelled = label_texts(classifier, distinct)
    labelled["windows"] = classifier.windows(distinct)
    if len(distinct) == len(texts):
        return labelled
    place = {text: number for number, text in enumerate(distinct)}
    return labelled.iloc[[place[text] for text in texts]].reset_index(drop=True)


def label_texts(classifier: Predictor, texts: Sequence[str]) -> pd.DataFrame:
    """Label n texts: n rows with the columns `OUTPUT_COLUMNS`; see `label_probabilities`."""
    return label_probabilities(classifier.predict_proba(texts), classifier.abstain_below)


def label_probabilities(probabilities: np.ndarray, abstain_below: float = 0.0) -> pd.DataFrame:
    """Label sentences by their probabilities.

    Args:
        probabilities: (n, 3), calibrated.
        abstain_below: a sentence whose highest probability is below this gets the label `undecided`.

    Returns:
        n rows with the columns `OUTPUT_COLUMNS`.
    """
    confidence = probabilities.max(axis=1, initial=0)
    columns = {
        "label": np.where(confidence >= abstain_below, np.array(LABELS)[probabilities.argmax(axis=1)], UNDECIDED),
        "confidence": confidence,
        **dict(zip(PROBABILITY_COLUMNS, probabilities.T, strict=True)),
    }
    return pd.DataFrame(columns)
