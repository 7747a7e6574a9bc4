"""The tables that a run logs about a model: all figures, the predictions, and the errors."""

import numpy as np
import pandas as pd

from claimkind.dataset.load import BuiltDataset
from claimkind.dataset.rows import with_names
from claimkind.evaluation.evaluation import Evaluation
from claimkind.evaluation.slices import slices_of
from claimkind.labels import LABELS, PROBABILITY_COLUMNS
from claimkind.tracking import Run, Split

PREDICTIONS = "predictions/{}.parquet"
"""The predictions for a split, which `scripts/compare.py` reads."""


def log_split(tracked: Run, dataset: BuiltDataset, split: str) -> None:
    """Log a split of a dataset as an input of a run, with the fingerprint of the dataset as its digest."""
    source = str(dataset.folder / f"{split}.parquet")
    rows = with_names(dataset.splits[split])[["id", "text", "label"]]
    tracked.log_dataset(rows, Split(dataset.name, split, source, dataset.fingerprint))


def log_results(tracked: Run, split: str, predictions: pd.DataFrame, evaluation: Evaluation) -> None:
    """Log all figures of a model on a split, its predictions, its errors, and its scores by part of the sentences.

    Args:
        tracked: the open run.
        split: name of the split.
        predictions: as `claimkind.dataset.rows.predictions_of` returns them.
        evaluation: of these predictions.
    """
    tracked.log_table(predictions, PREDICTIONS.format(split))
    tracked.log_table(evaluation.table(), f"metrics/{split}.csv")
    shown = readable(predictions)
    tracked.log_table(shown, f"predictions/{split}.json")
    tracked.log_table(errors_of(shown), f"errors/{split}.csv")
    parts = pd.concat([table.assign(by=name) for name, table in evaluation.tables.items()])
    tracked.log_table(parts[["by", *parts.columns.drop("by")]], f"slices/{split}.csv")


def readable(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions as people read them, with `prediction`, `confidence` and `right` in place of the probabilities."""
    probabilities = predictions[list(PROBABILITY_COLUMNS)].to_numpy()
    predicted = np.array(LABELS)[probabilities.argmax(axis=1)]
    table = predictions.assign(
        prediction=predicted,
        confidence=probabilities.max(axis=1).round(3),
        right=np.where(predicted == predictions["label"], "right", "wrong"),
    )
    return table[["text", "prediction", "label", "confidence", "right", "source", "genre", "id"]]


def errors_of(shown: pd.DataFrame) -> pd.DataFrame:
    """The wrong predictions, the most confident first, each with its slices of wording.

    Args:
        shown: as `readable` returns it.
    """
    wrong = shown[shown["right"] == "wrong"].sort_values("confidence", ascending=False)
    table = wrong[["text", "prediction", "label", "confidence", "source", "genre", "id"]]
    return table.assign(slices=slices_in_words(wrong["text"].tolist()))


def slices_in_words(texts: list[str]) -> list[str]:
    """The names of the slices of wording that each text is in, joined by commas."""
    masks = slices_of(texts)
    return [", ".join(name for name, mask in masks.items() if mask[row]) for row in range(len(texts))]
