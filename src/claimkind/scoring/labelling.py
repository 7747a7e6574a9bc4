"""Labelling texts with a classifier: all that a worker process, a server or Spark needs, and quick to import."""

import multiprocessing
import os
import re
import threading
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

    What is called so already gets another `input_`, whether or not the input has the name itself: one part of an input
    may have it, and another not. Names are compared without regard to case, as Spark does.
    """
    taken = re.compile(f"(input_)*({'|'.join(map(re.escape, ours))})", re.IGNORECASE)
    return {name: f"input_{name}" if taken.fullmatch(name) else name for name in columns}


def hold(classifier: Predictor) -> None:
    """Keep a classifier for `label_held`."""
    _held["model"] = classifier


def start_worker(folder: str) -> None:
    """Load a saved model and keep it for `label_held`: how a worker process begins. It ends with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    hold(models.load(folder))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # it was killed: nobody waits for what this process computes


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
