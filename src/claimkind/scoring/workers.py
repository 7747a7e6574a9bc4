"""Worker processes that hold a model and label chunks of texts with it."""

import multiprocessing
import os
import threading

import pandas as pd

from claimkind import models
from claimkind.models.base import Predictor
from claimkind.models.prediction import label_with_windows

_held: dict[str, Predictor] = {}


def set_worker_model(classifier: Predictor) -> None:
    """Keep a classifier for `predict_in_worker`."""
    _held["model"] = classifier


def start_worker(folder: str) -> None:
    """Load a saved model and keep it for `predict_in_worker`: how a worker process begins. It ends with its parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_worker_model(models.load(folder))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # it was killed: nobody waits for what this process computes


def predict_in_worker(texts: list[str]) -> pd.DataFrame:
    """Label texts with the classifier that this process holds; see `label_with_windows`."""
    return label_with_windows(_held["model"], texts)
