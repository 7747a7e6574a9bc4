"""What a training logs into its MLflow run."""

import json

import numpy as np

from claimkind import tracking
from claimkind.dataset.load import BuiltDataset
from claimkind.dataset.rows import predictions_of, with_names
from claimkind.evaluation import plots
from claimkind.evaluation.evaluation import Evaluation, Predictions
from claimkind.models.base import Classifier, Explainable, OnMetrics
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.prediction import label_probabilities
from claimkind.scoring.summary import reference_of
from claimkind.training.plan import Plan

_CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
"""By split, the context under which MLflow shows it."""
_NGRAMS = 20
"""Number of n-grams in the plot, for each label."""


def log_inputs(tracked: tracking.Run, planned: Plan) -> None:
    """Log the configuration, its parameters, the installed packages and the dataset."""
    tracked.log_config(planned.config, planned.params)
    tracked.log_environment()
    dataset = planned.dataset
    for split, context in _CONTEXTS.items():
        rows = with_names(dataset.splits[split])[["id", "text", "label"]]
        tracked.log_dataset(rows, f"{dataset.name}-{split}", dataset.folder / f"{split}.parquet", context)


def training_metrics_to(tracked: tracking.Run) -> OnMetrics:
    """A callback that logs the metrics of a running training, with names below `training/`."""
    return lambda step, metrics: tracked.log_metrics(
        {f"training/{name}": value for name, value in metrics.items()}, step
    )


def log_evaluation(
    tracked: tracking.Run, dataset: BuiltDataset, split: str, predictions: Predictions, evaluation: Evaluation
) -> None:
    """Log the metrics of a model on a split, their plots and the predictions, which `scripts/compare.py` reads."""
    tracked.log_metrics(evaluation.metrics(split))
    table = predictions_of(dataset.splits[split], predictions.probabilities)
    tracked.log_table(table, f"predictions/{split}.parquet")
    title = f"{dataset.name} {split}, n = {evaluation.n}"
    for name, figure in plots.figures_of(predictions, title).items():
        tracked.log_figure(figure, f"plots/{split}_{name}.png")


def log_reference(tracked: tracking.Run, calibrated: CalibratedClassifier, raw: np.ndarray) -> None:
    """Log the distribution of the labels on the test split, with which scoring compares that of other texts.

    Args:
        tracked: the open run.
        calibrated: the model.
        raw: (n, 3) probabilities for the test split, before calibration.
    """
    labelled = label_probabilities(calibrated.calibrate(raw), calibrated.abstain_below)
    reference = reference_of(labelled["label"].tolist(), labelled["confidence"].to_numpy())
    tracked.log_text(json.dumps(reference), tracking.REFERENCE)


def log_strongest_ngrams(tracked: tracking.Run, classifier: Classifier) -> None:
    """Log a plot of the n-grams with the highest weights, for families that have such weights."""
    if isinstance(classifier, Explainable):
        tracked.log_figure(plots.plot_strongest(classifier.strongest(_NGRAMS)), "plots/strongest_ngrams.png")
