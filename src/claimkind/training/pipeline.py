"""Training in one MLflow run: plan, fit, calibrate, save, evaluate, log."""

import logging
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from claimkind import tracking
from claimkind.command import is_main_process, processes_of_torchrun
from claimkind.config import QuantizeConfig, TrainConfig
from claimkind.dataset.rows import evidence_of
from claimkind.errors import ClaimkindError
from claimkind.evaluation.evaluation import Evaluation, evaluate, predictions_for
from claimkind.metrics.scores import macro_f1
from claimkind.models.base import Classifier, Examples, OnMetrics
from claimkind.models.calibration import CalibratedClassifier, fit_temperature, threshold_at_precision
from claimkind.training import quantization
from claimkind.training.card import description_of, log_card
from claimkind.training.checkpoints import checkpoint_folder, read_run_id, write_run_id
from claimkind.training.distillation import distil
from claimkind.training.plan import Plan, plan, warn_of_other_builds
from claimkind.training.quantization import QuantizedRun, quantizable
from claimkind.training.run_log import (
    log_evaluation,
    log_inputs,
    log_reference,
    log_strongest_ngrams,
    training_metrics_to,
)
from claimkind.training.weights import WeightedExamples, weighted_examples

_LOGGER = logging.getLogger(__name__)
_HELD_OUT = ("validation", "test")
_PRECISION = 0.95
"""At which coverage is reported, whatever `target_precision` is."""


class TrainedRun(NamedTuple):
    """The result of a training."""

    name: str
    run_id: str
    model_uri: str
    test: Evaluation
    """On the test split."""
    link: str = ""
    """Address of the run in the MLflow UI."""
    unmet: str = ""
    """Why the model does not abstain although `target_precision` was given; empty otherwise."""
    int8: QuantizedRun | None = None
    """Of the version in int8, where `quantize` is set."""

    def text(self) -> str:
        """The run, its model and the main metric, the address of the run, and the same of the version in int8."""
        score = self.test.scores["macro_f1"]
        lines = [f"run {self.name} ({self.run_id}), model {self.model_uri}: test macro F1 {score}", self.link]
        return "\n".join([*lines, self.int8.text() if self.int8 else ""]).rstrip()


class Calibrated(NamedTuple):
    """A classifier that was calibrated on the validation split."""

    classifier: CalibratedClassifier
    threshold: float
    """Confidence from which on the labels have a precision of 95%; infinite if none reaches it."""
    unmet: str = ""
    """See `TrainedRun.unmet`."""


def run(config: TrainConfig) -> TrainedRun | None:
    """Train the model that a configuration describes, save it and evaluate it; see `configs/train.yaml`.

    With torchrun, all processes train and the first one does the rest.

    Returns:
        The run; None in the other processes of torchrun.

    Raises:
        ClaimkindError: the dataset was not built, a setting is wrong, there is nothing to resume, or
            `target_precision` is not reached: the model is saved then, and the error carries the result.
    """
    planned = plan(config)
    _check_processes(planned)
    if config.quantize:
        quantizable(planned.classifier)
    if not is_main_process():
        logging.disable(logging.INFO)
        fit(planned, training_examples(planned), planned.checkpoints, lambda step, metrics: None)
        return None
    warn_of_other_builds(planned)
    with checkpoint_folder(planned.checkpoints, resume=planned.resume) as folder:
        try:
            trained = train(planned, folder)
        except (KeyboardInterrupt, SystemExit):
            _LOGGER.warning("stopped; to go on in the same run, repeat the command with resume=true")
            raise
    if config.quantize:
        trained = trained._replace(int8=_quantized(config, trained.model_uri))
    if trained.unmet:
        error = ClaimkindError(f"{trained.unmet}; the model was saved, and gives every sentence a label")
        error.result = trained
        raise error
    return trained


def _quantized(config: TrainConfig, model_uri: str) -> QuantizedRun:
    settings = QuantizeConfig(
        model_uri,
        config.dataset,
        seed=config.seed,
        experiment_name=config.experiment_name,
        bootstrap_samples=config.bootstrap_samples,
        paths=config.paths,
    )
    return quantization.run(settings)


def _check_processes(planned: Plan) -> None:
    if processes_of_torchrun() > 1 and planned.classifier.single_threaded:
        raise ClaimkindError(
            f"torchrun started {processes_of_torchrun()} processes, expected one, since {planned.run_name} is no "
            "transformer: start it with python"
        )


def train(planned: Plan, folder: Path) -> TrainedRun:
    """Carry out a plan in one MLflow run.

    The model is saved before it is evaluated, so that a failure of the evaluation does not lose it.

    Args:
        planned: the plan.
        folder: for checkpoints; training resumes from those in it.
    """
    examples = training_examples(planned)
    validation, test = (planned.dataset.splits[split] for split in _HELD_OUT)
    resumed = read_run_id(folder)
    with tracking.start_run(
        planned.experiment_name, planned.run_name, tags_of(planned, "training"), resumed, system_metrics=True
    ) as tracked:
        write_run_id(folder, tracked.run_id)
        log_inputs(tracked, planned)
        classifier = fit(planned, examples, folder, training_metrics_to(tracked))
        raw = classifier.predict_proba(validation["text"][:])
        calibrated = calibrate(classifier, np.asarray(validation["label"]), raw, planned.target_precision)
        model_uri = save(calibrated, tracked)
        evaluate_and_log(planned, calibrated, "validation", raw, tracked)
        raw = classifier.predict_proba(test["text"][:])
        evaluation = evaluate_and_log(planned, calibrated, "test", raw, tracked)
        log_reference(tracked, calibrated.classifier, raw)
        log_strongest_ngrams(tracked, classifier)
        log_card(tracked, planned, calibrated.classifier, evaluation)
        tracked.describe(description_of(planned, tracked, evaluation, calibrated.unmet))
    link = tracking.hint(tracked.page)
    return TrainedRun(tracked.name, tracked.run_id, model_uri, evaluation, link, calibrated.unmet)


def tags_of(planned: Plan, kind: str) -> dict[str, str]:
    """The tags by which runs are found: their kind, model and dataset."""
    dataset = planned.dataset
    names = {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
    return {"kind": kind, "model": planned.model_name, **names}


def training_examples(planned: Plan) -> WeightedExamples:
    """The examples that a plan trains on, those of its teacher included."""
    examples = weighted_examples(planned.dataset.splits["train"], planned.weights)
    if planned.distillation is None:
        return examples
    held_out = [text for split in _HELD_OUT for text in planned.dataset.splits[split]["text"]]
    return distil(examples, planned.distillation, held_out)


def fit(planned: Plan, examples: WeightedExamples, work_dir: Path, on_metrics: OnMetrics) -> Classifier:
    """Fit the classifier of a plan; for the arguments see `Classifier.fit`."""
    _LOGGER.info("training %s on %d examples", planned.run_name, len(examples.texts))
    validation = planned.dataset.splits["validation"]
    start = time.perf_counter()
    classifier = planned.classifier.fit(
        examples.texts,
        examples.evidence,
        weights=examples.weights,
        validation=Examples(validation["text"][:], evidence_of(validation)),
        work_dir=work_dir,
        on_metrics=on_metrics,
    )
    on_metrics(0, {"seconds": time.perf_counter() - start})
    return classifier


def calibrate(classifier: Classifier, truth: np.ndarray, raw: np.ndarray, target_precision: float | None) -> Calibrated:
    """Fit the temperature of a classifier, and its abstention threshold if there is a target precision.

    Args:
        classifier: fitted.
        truth: (n,) positions in `LABELS`, of the validation split.
        raw: (n, 3) probabilities of the classifier for it.
        target_precision: of the labels that the model gives when it may abstain; None: it never abstains.
    """
    temperature = fit_temperature(truth, raw)
    never_abstains = CalibratedClassifier(classifier, temperature)
    probabilities = never_abstains.calibrate(raw)
    threshold = _threshold_at_95(truth, probabilities)
    if target_precision is None:
        return Calibrated(never_abstains, threshold)
    try:
        abstain_below = threshold_at_precision(truth, probabilities, target_precision)
    except ClaimkindError as error:  # the trained model is still of use
        return Calibrated(never_abstains, threshold, str(error))
    return Calibrated(CalibratedClassifier(classifier, temperature, abstain_below), threshold)


def save(calibrated: Calibrated, tracked: tracking.Run) -> str:
    """Log the model into a run.

    Returns:
        Its URI.
    """
    return tracked.log_model(calibrated.classifier)


def evaluate_and_log(
    planned: Plan, calibrated: Calibrated, split: str, raw: np.ndarray, tracked: tracking.Run
) -> Evaluation:
    """Evaluate a calibrated classifier on a split, and log the results into a run.

    Args:
        planned: what was trained.
        calibrated: the classifier.
        split: name of the split.
        raw: (n, 3) probabilities for the n rows of the split, before calibration.
        tracked: the open run.
    """
    _LOGGER.info("evaluating on %s", split)
    predictions = predictions_for(planned.dataset.splits[split], calibrated.classifier.calibrate(raw))
    evaluation = evaluate(
        predictions,
        samples=planned.bootstrap_samples,
        abstain_below=calibrated.classifier.abstain_below,
        threshold=calibrated.threshold,
        uncalibrated=raw,
    )
    log_evaluation(tracked, planned.dataset, split, predictions, evaluation)
    return evaluation


class Parent(NamedTuple):
    """The search that a trial belongs to."""

    run_id: str
    study: str
    """Name of the study."""


def validate(planned: Plan, run_name: str, parent: Parent, on_metrics: OnMetrics) -> float:
    """Carry out a plan as a trial of a search: only the validation split is evaluated, and no model is saved.

    Args:
        planned: the plan.
        run_name: of the MLflow run.
        parent: the search.
        on_metrics: called with the step and the metrics of training; may raise `TrainingPruned`.

    Returns:
        Macro F1 on validation.
    """
    examples = training_examples(planned)
    tags = {**tags_of(planned, "trial"), "mlflow.parentRunId": parent.run_id, "search": parent.study}
    with (
        tracking.start_run(planned.experiment_name, run_name, tags) as tracked,
        tempfile.TemporaryDirectory() as folder,
    ):
        log_inputs(tracked, planned)
        log = training_metrics_to(tracked)

        def log_and_report(step: int, metrics: Mapping[str, float]) -> None:
            log(step, metrics)
            on_metrics(step, metrics)

        classifier = fit(planned, examples, Path(folder), log_and_report)
        validation = planned.dataset.splits["validation"]
        predicted = classifier.predict_proba(validation["text"][:]).argmax(axis=1)
        score = macro_f1(np.asarray(validation["label"]), predicted)
        tracked.log_metrics({"validation/macro_f1": score}, split="validation")
    return score


def _threshold_at_95(truth: np.ndarray, probabilities: np.ndarray) -> float:
    try:
        return threshold_at_precision(truth, probabilities, _PRECISION)
    except ClaimkindError:
        return np.inf
