"""What a training logs into its MLflow run."""

import json

import numpy as np

from claimkind import tracking
from claimkind.dataset.load import BuiltDataset
from claimkind.dataset.rows import SPLITS, predictions_of
from claimkind.evaluation import plots
from claimkind.evaluation.evaluation import Evaluation, Predictions
from claimkind.evaluation.run_tables import log_results, log_split
from claimkind.models.base import Classifier, Explainable, OnMetrics
from claimkind.models.calibration import CalibratedClassifier
from claimkind.models.prediction import label_probabilities
from claimkind.scoring.summary import reference_of
from claimkind.training.plan import Plan

_NGRAMS = 20
"""Number of n-grams in the plot, for each label."""


def log_inputs(tracked: tracking.Run, planned: Plan) -> None:
    """Log the configuration, its parameters, the installed packages and the dataset."""
    tracked.log_config(planned.config, planned.params)
    tracked.log_environment()
    for split in SPLITS:
        log_split(tracked, planned.dataset, split)


def training_metrics_to(tracked: tracking.Run) -> OnMetrics:
    """A callback that logs the metrics of a running training, with names below `training/`."""
    return lambda step, metrics: tracked.log_metrics(
        {f"training/{name}": value for name, value in metrics.items()}, step
    )


def log_evaluation(
    tracked: tracking.Run, dataset: BuiltDataset, split: str, predictions: Predictions, evaluation: Evaluation
) -> None:
    """Log the results of a model on a split.

    The metrics of the run are the main figures: on test those of `Evaluation.headlines`, on validation macro F1, by
    which models are chosen. All figures are in the table `metrics/<split>.csv`.
    """
    metrics = evaluation.headlines(split) if split == "test" else evaluation.main_metric(split)
    tracked.log_metrics(metrics, split=split)
    table = predictions_of(dataset.splits[split], predictions.probabilities)
    log_results(tracked, split, table, evaluation)
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
