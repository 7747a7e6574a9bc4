"""Labelling texts with a classifier: all that a worker process, a server or Spark needs, and quick to import."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from claimkind import models
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, UNDECIDED
from claimkind.models.base import Predictor

OUTPUT_COLUMNS = ("label", "confidence", *PROBABILITY_COLUMNS)
_held: dict[str, Predictor] = {}


def beside(columns: Iterable[str], ours: Sequence[str]) -> dict[str, str]:
    """New names for the columns of an input, so that none is lost: `input_<name>` where we write one of that name.

    Names are compared without regard to case, as Spark does.
    """
    columns = list(columns)
    taken = {name.lower() for name in (*ours, *columns)}
    renamed = {}
    for name in columns:
        new = name
        if name.lower() in {own.lower() for own in ours}:
            while new.lower() in taken:
                new = f"input_{new}"
            taken.add(new.lower())
        renamed[name] = new
    return renamed


def hold(classifier: Predictor) -> None:
    """Keep a classifier for `label_held`."""
    _held["model"] = classifier


def load(folder: str) -> None:
    """Load a saved model and keep it for `label_held`: how a worker process begins."""
    hold(models.load(folder))


def label_held(texts: list[str]) -> pd.DataFrame:
    """Label texts with the classifier that this process holds; see `label_with_windows`."""
    return label_with_windows(_held["model"], texts)


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
