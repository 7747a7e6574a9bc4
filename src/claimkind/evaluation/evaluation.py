"""The evaluation of a model on labelled sentences: the one definition of the results that are logged and shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind.evaluation.slices import slices_of
from claimkind.labels import LABELS
from claimkind.metrics.bootstrap import Estimate, estimate, with_bounds
from claimkind.metrics.calibration import (
    brier_score,
    class_calibration_error,
    coverage_and_precision,
    expected_calibration_error,
    log_loss,
)
from claimkind.metrics.scores import MACRO_F1, METRICS, PART_METRICS, names_of


class Predictions(NamedTuple):
    """Labelled sentences, and a model's probabilities for them."""

    truth: np.ndarray
    """(n,) positions in `LABELS`."""
    probabilities: np.ndarray
    """(n, 3), calibrated."""
    groups: np.ndarray
    """(n,) names; sentences of one group are not independent."""
    sources: np.ndarray
    """(n,) names."""
    genres: np.ndarray
    """(n,) names, `none` where a sentence has no genre."""
    texts: Sequence[str]
    """n sentences."""

    def select(self, mask: np.ndarray) -> "Predictions":
        """The sentences for which the mask, (n,) bool, is true."""
        texts = [text for text, kept in zip(self.texts, mask, strict=True) if kept]
        truth, probabilities, groups, sources, genres = (column[mask] for column in self[:5])
        return Predictions(truth, probabilities, groups, sources, genres, texts)


class PartScores(NamedTuple):
    """The scores of a model within a part of the sentences, such as a source."""

    n: int
    """Number of sentences."""
    macro_f1: Estimate
    """Over the classes that occur in the part."""
    accuracy: Estimate


@dataclass(frozen=True)
class Evaluation:
    """The results of a model on labelled sentences."""

    n: int
    """Number of sentences."""
    scores: dict[str, Estimate]
    """Every metric of `claimkind.metrics` by name, with its 95% interval."""
    calibration: dict[str, float]
    """`log_loss`, `brier_score`, `ece` and `ece_<label>`; `uncalibrated_ece` where it is known."""
    coverage: dict[str, float]
    """`coverage_at_95`, and `coverage_decided` of a model that abstains: the share of the sentences that get a label;
    `precision_at_95` and `precision_decided`: the share of these labels that is right, where there are any."""
    parts: dict[str, dict[str, PartScores]]
    """Scores by `sources`, `genres` and `slices`, each by the name of the part."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The parts as tables, with the columns `slice`, `sentences`, `macro F1` and `accuracy`."""
        return {name: _table(parts) for name, parts in self.parts.items()}

    def main_metric(self, split: str) -> dict[str, float]:
        """Macro F1 and its bounds: `<split>/macro_f1`, `<split>/macro_f1_low` and `<split>/macro_f1_high`."""
        return with_bounds(f"{split}/{MACRO_F1.name}", self.scores[MACRO_F1.name])

    def headlines(self, split: str) -> dict[str, float]:
        """The main figures under the names by which MLflow logs them, such as `test/macro_f1` and `test/f1_opinion`."""
        names = [name for metric in METRICS if metric.headline for name in names_of(metric)]
        scores = {f"{split}/{name}": self.scores[name].value for name in names}
        decided = {f"{split}/{name}": value for name, value in self.coverage.items() if name.endswith("_decided")}
        return self.main_metric(split) | scores | {f"{split}/ece": self.calibration["ece"]} | decided

    def table(self) -> pd.DataFrame:
        """Every figure in one table, with the columns `part`, `name`, `metric`, `value`, `low`, `high`, `sentences`.

        `part` is `all`, or `sources`, `genres` or `slices` for figures of the part that `name` tells.
        """
        figures = {name: Estimate(value, np.nan, np.nan) for name, value in (self.calibration | self.coverage).items()}
        rows = [("all", "", name, *score, self.n) for name, score in (self.scores | figures).items()]
        for part, found in self.parts.items():
            for name, scores in found.items():
                rows.append((part, name, "macro_f1", *scores.macro_f1, scores.n))
                rows.append((part, name, "accuracy", *scores.accuracy, scores.n))
        return pd.DataFrame(rows, columns=["part", "name", "metric", "value", "low", "high", "sentences"])


def predictions_for(rows: Dataset, probabilities: np.ndarray) -> Predictions:
    """The labelled sentences of a dataset's split, together with a model's probabilities, (n, 3), for them."""
    return Predictions(
        truth=np.asarray(rows["label"]),
        probabilities=probabilities,
        groups=np.asarray(rows["group"][:], dtype=object),
        sources=np.asarray(rows["source"][:], dtype=object),
        genres=np.asarray([genre or "none" for genre in rows["genre"][:]], dtype=object),
        texts=rows["text"][:],
    )


def evaluate(
    predictions: Predictions,
    *,
    samples: int,
    abstain_below: float = 0.0,
    threshold: float | None = None,
    uncalibrated: np.ndarray | None = None,
) -> Evaluation:
    """Evaluate predictions.

    Args:
        predictions: labelled sentences and a model's probabilities for them.
        samples: number of bootstrap samples for the intervals.
        abstain_below: confidence below which the model gives no label; 0 if it always gives one.
        threshold: confidence from which 95% of the labels are right on validation, infinite if there is none; None
            leaves coverage at this precision out.
        uncalibrated: (n, 3) probabilities before calibration.

    Returns:
        All results.
    """
    truth, probabilities, groups = predictions.truth, predictions.probabilities, predictions.groups.tolist()
    calibration = _calibration(truth, probabilities)
    if uncalibrated is not None:
        calibration["uncalibrated_ece"] = expected_calibration_error(truth, uncalibrated)
    coverage = {} if threshold is None else _coverage(predictions, threshold, "at_95")
    if abstain_below:
        coverage |= _coverage(predictions, abstain_below, "decided")
    return Evaluation(
        n=len(truth),
        scores=estimate(truth, probabilities, groups, samples=samples, seed=0),
        calibration=calibration,
        coverage=coverage,
        parts={
            name: evaluate_parts(predictions, masks, samples=samples) for name, masks in _masks(predictions).items()
        },
    )


def evaluate_parts(predictions: Predictions, masks: Mapping[str, np.ndarray], *, samples: int) -> dict[str, PartScores]:
    """Scores within parts of the sentences, by name.

    Args:
        predictions: labelled sentences and a model's probabilities for them.
        masks: by name of the part a mask, (n,) bool; empty parts are left out.
        samples: number of bootstrap samples.
    """
    found = {}
    for name, mask in masks.items():
        if mask.any():
            truth, probabilities, groups, *_ = predictions.select(mask)
            scores = estimate(truth, probabilities, groups.tolist(), samples=samples, seed=0, metrics=PART_METRICS)
            found[name] = PartScores(len(truth), scores["macro_f1"], scores["accuracy"])
    return found


def _masks(predictions: Predictions) -> dict[str, dict[str, np.ndarray]]:
    columns = {"sources": predictions.sources, "genres": predictions.genres}
    masks = {name: {str(value): values == value for value in sorted(set(values))} for name, values in columns.items()}
    return {**masks, "slices": slices_of(predictions.texts)}


def _calibration(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    errors = {
        f"ece_{label}": class_calibration_error(truth == index, probabilities[:, index])
        for index, label in enumerate(LABELS)
    }
    return {
        "log_loss": log_loss(truth, probabilities),
        "brier_score": brier_score(truth, probabilities),
        "ece": expected_calibration_error(truth, probabilities),
        **errors,
    }


def _coverage(predictions: Predictions, threshold: float, name: str) -> dict[str, float]:
    """Coverage of a threshold, and precision where anything is covered."""
    coverage, precision = coverage_and_precision(predictions.truth, predictions.probabilities, threshold)
    return {f"coverage_{name}": coverage} | ({f"precision_{name}": precision} if coverage else {})


def _table(parts: Mapping[str, PartScores]) -> pd.DataFrame:
    rows = [(name, scores.n, str(scores.macro_f1), f"{scores.accuracy.value:.3f}") for name, scores in parts.items()]
    return pd.DataFrame(rows, columns=["slice", "sentences", "macro F1", "accuracy"])
