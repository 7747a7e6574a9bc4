"""Training: dataset -> model -> saved model -> evaluation, all of it in one MLflow run."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from datasets import Dataset

from claimkind import models, tracking
from claimkind.config import TrainConfig, build, changed_settings
from claimkind.dataset.load import BuiltDataset, load_dataset
from claimkind.dataset.rows import evidence_of, predictions_of, with_names
from claimkind.errors import ClaimkindError
from claimkind.evaluation import model_card, plots
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.evaluation import Evaluation, evaluate, predictions_for
from claimkind.labels import has_hard_label
from claimkind.metrics.bootstrap import Estimate, check_samples
from claimkind.metrics.scores import macro_f1
from claimkind.models.base import Classifier, Examples, Explainable, OnMetrics, check_seed
from claimkind.models.calibration import CalibratedClassifier, check_precision, fit_temperature, rescale, threshold_for
from claimkind.models.prediction import label_probabilities
from claimkind.scoring.summary import reference_of
from claimkind.training.checkpoints import TRAINING_PARAMS, _resumed_run, _work_dir
from claimkind.training.distillation import WeightedExamples, label_with_teacher, read_texts
from claimkind.training.weights import training_weights

_EVALUATED = ("validation", "test")
_SAVED_MODELS = ("init_from", "distil_from")
_PRECISION = 0.95
"""At which coverage is reported whether or not `target_precision` asks for it."""


class TrainedRun(NamedTuple):
    """What training leaves behind."""

    name: str
    run_id: str
    model_uri: str
    test: dict[str, Estimate]


class _Planned(NamedTuple):
    """What a configuration describes, before anything is trained."""

    settings: dict[str, Any]
    classifier: Classifier
    dataset: BuiltDataset
    weights: np.ndarray


def run(config: TrainConfig) -> TrainedRun:
    """Train the model that a configuration describes, save it, evaluate it; see `configs/train.yaml`.

    Raises:
        ClaimkindError: the dataset was not built, a setting is wrong, or there is nothing to resume.
    """
    config = resolved(config)
    planned = _plan(config)
    note_other_builds(config, planned.dataset)
    with _work_dir(config, planned.settings, planned.dataset) as work_dir:
        trained, unmet = _train(planned, work_dir, config)
    print(  # noqa: T201
        f"run {trained.name} ({trained.run_id}), model {trained.model_uri}: test macro F1 {trained.test['macro_f1']}"
    )
    if unmet:
        raise ClaimkindError(f"{unmet}; the model was saved, and gives every sentence a label")
    return trained


def _train(planned: _Planned, work_dir: Path, config: TrainConfig) -> tuple[TrainedRun, str]:
    """Train in one run, and say why the precision that was asked for is not reached, if it is not."""
    settings, classifier, dataset, weights = planned
    examples = _weighted_examples(dataset, weights, config)
    name = config.run_name or _run_name(settings, config)
    with tracking.start_run(config.experiment_name, name, _tags(dataset), _resumed_run(work_dir)) as tracked:
        work_dir.mkdir(parents=True, exist_ok=True)
        (work_dir / "run_id").write_text(tracked.run_id, encoding="utf-8")
        _log_inputs(tracked, config, settings, dataset)
        tracked.log_metrics({"training_rows": len(examples.texts)})
        _fit(classifier, dataset, examples, work_dir, _into(tracked))
        truth = np.asarray(dataset.splits["validation"]["label"])
        raw = classifier.predict_proba(dataset.splits["validation"]["text"][:])
        calibrated, unmet = _calibrated(classifier, truth, raw, config.target_precision)
        if unmet:
            tracked.describe(f"{unmet}. The model gives every sentence a label.")
        model_uri = tracked.log_model(calibrated)
        surest = threshold_at_precision(truth, rescale(raw, calibrated.temperature))
        _evaluate(calibrated, raw, surest, dataset, "validation", config, tracked)
        raw = classifier.predict_proba(dataset.splits["test"]["text"][:])
        test = _evaluate(calibrated, raw, surest, dataset, "test", config, tracked)
        if isinstance(classifier, Explainable):
            tracked.log_figure(plots.plot_strongest(classifier.strongest(20)), "plots/strongest_ngrams.png")
        tracked.log_text(_card(name, calibrated, dataset, weights, test, config), "model_card.md")
    return TrainedRun(name, tracked.run_id, model_uri, test.scores), unmet


def _calibrated(
    classifier: Classifier, truth: np.ndarray, raw: np.ndarray, target_precision: float | None
) -> tuple[CalibratedClassifier, str]:
    """The classifier with what validation says of its confidence; and why it does not abstain, if it should."""
    temperature = fit_temperature(truth, raw)
    if target_precision is None:
        return CalibratedClassifier(classifier, temperature), ""
    try:
        threshold = threshold_for(truth, rescale(raw, temperature), target_precision)
    except ClaimkindError as error:  # hours of training are not thrown away for that
        return CalibratedClassifier(classifier, temperature), str(error)
    return CalibratedClassifier(classifier, temperature, threshold), ""


def threshold_at_precision(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The confidence from which on labels are right so often on validation; above 1 if there is none."""
    try:
        return threshold_for(truth, probabilities, _PRECISION)
    except ClaimkindError:
        return np.inf


def validate(config: TrainConfig, run_name: str, parent_run_id: str, on_metrics: OnMetrics) -> float:
    """Train as `run` does, but look at the validation split only and keep no model: for searches.

    Args:
        config: what to train, `resolved`.
        run_name: of the MLflow run.
        parent_run_id: the run that this one is shown under.
        on_metrics: called with the step and the metrics of training; may raise `TrainingPruned`.

    Returns:
        Macro F1 on validation.
    """
    settings, classifier, dataset, weights = _plan(config)
    examples = _weighted_examples(dataset, weights, config)
    tags = {"kind": "trial", "mlflow.parentRunId": parent_run_id}
    with tracking.start_run(config.experiment_name, run_name, tags) as tracked, tempfile.TemporaryDirectory() as folder:
        _log_inputs(tracked, config, settings, dataset)
        log = _into(tracked)

        def watched(step: int, metrics: Mapping[str, float]) -> None:
            log(step, metrics)
            on_metrics(step, metrics)

        _fit(classifier, dataset, examples, Path(folder), watched)
        validation = _examples(dataset.splits["validation"])
        score = macro_f1(validation.evidence.argmax(axis=1), classifier.predict_proba(validation.texts).argmax(axis=1))
        tracked.log_metrics({"validation_macro_f1": score})
    return score


def _plan(config: TrainConfig) -> _Planned:
    check_samples(config.bootstrap_samples)
    check_seed(config.seed)
    if config.target_precision is not None:
        check_precision(config.target_precision)
    classifier: Classifier = build(_begun_from(config), "model", "claimkind.models")
    dataset = load_dataset(config.paths.data_dir, config.dataset.name, changed_settings(config.dataset))
    weights = training_weights(dataset.splits["train"].to_pandas(), config)
    return _Planned(dict(config.model), classifier, dataset, weights)


Config = TypeVar("Config", bound=TrainConfig)


def resolved(config: Config) -> Config:
    """The same with a weight for evidence, and saved models named so that they mean the same for ever.

    Raises:
        ClaimkindError: there is no such model, or no such family.
    """
    lasting: dict[str, Any] = {
        key: tracking.origin_of(getattr(config, key), key).model_uri
        for key in _SAVED_MODELS
        if getattr(config, key) is not None
    }
    if config.evidence_weight is None:
        lasting["evidence_weight"] = build(config.model, "model", "claimkind.models").evidence_weight
    return replace(config, **lasting)


def note_other_builds(config: TrainConfig, dataset: BuiltDataset) -> None:
    """Warn of a saved model that may have learned what the new one is measured on."""
    for key in _SAVED_MODELS:
        model_uri = getattr(config, key)
        if model_uri is None:
            continue
        build_of_origin = tracking.origin_of(model_uri, key).params.get("dataset_fingerprint", "unknown")
        if build_of_origin != dataset.fingerprint:
            print(  # noqa: T201
                f"note: {key} was trained on the build {build_of_origin}, not on {dataset.fingerprint}: if sentences "
                "that it learned are among the test sentences here, the figures flatter the new model"
            )


def _into(tracked: tracking.Run) -> OnMetrics:
    """Logs the metrics of training into a run, under names of their own."""
    return lambda step, metrics: tracked.log_metrics(
        {f"training/{name}": value for name, value in metrics.items()}, step
    )


def _begun_from(config: TrainConfig) -> dict[str, Any]:
    """The model's settings; with `init_from`, its encoder is the saved model's folder."""
    settings = dict(config.model)
    if config.init_from is None:
        return settings
    if "encoder" not in settings:
        raise ClaimkindError("init_from needs a model with an encoder, expected model=minilm or another transformer")
    folder = tracking.fetch_folder(config.init_from, "init_from")
    if not (folder / "config.json").is_file():
        raise ClaimkindError(
            f"init_from={config.init_from} is a model without an encoder, expected one trained with model=minilm or "
            "another transformer"
        )
    return {**settings, "encoder": str(folder), "revision": None, "sha256": None}


def _run_name(settings: Mapping[str, Any], config: TrainConfig) -> str:
    family = str(settings["_target_"]).split(".")[-2]
    encoder = str(settings.get("encoder", "")).rstrip("/").rpartition("/")[2]
    return "-".join(part for part in (family, encoder, config.dataset.name, f"seed{config.seed}") if part)


def _tags(dataset: BuiltDataset) -> dict[str, str]:
    return {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}


def _log_inputs(tracked: tracking.Run, config: TrainConfig, settings: Mapping[str, Any], dataset: BuiltDataset) -> None:
    params = {f"model.{name}": value for name, value in settings.items()}
    params |= {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint, "seed": config.seed}
    params |= {name: getattr(config, name) for name in TRAINING_PARAMS}
    tracked.log_config({**asdict(config), "model": dict(settings)}, params)
    tracked.log_environment()
    for split, context in (("train", "training"), ("validation", "validation"), ("test", "testing")):
        rows = with_names(dataset.splits[split])[["id", "text", "label"]]
        tracked.log_dataset(rows, f"{dataset.name}-{split}", dataset.folder / f"{split}.parquet", context)


def _weighted_examples(dataset: BuiltDataset, weights: np.ndarray, config: TrainConfig) -> WeightedExamples:
    """The training rows that count, and with `distil_from` what its model says of those without a label."""
    train = dataset.splits["train"].select(np.flatnonzero(weights))
    examples = WeightedExamples(train["text"][:], evidence_of(train), weights[weights > 0])
    if config.distil_from is None:
        if config.distil_texts:
            raise ClaimkindError("distil_texts is given, but no distil_from that says what it is: give a saved model")
        return examples
    labelled = has_hard_label(examples.evidence)
    texts = [text for text, known in zip(examples.texts, labelled, strict=True) if not known]
    held_out = [text for split in _EVALUATED for text in dataset.splits[split]["text"]]
    further = read_texts(config.distil_texts, held_out, config.dataset)
    if not config.evidence_weight:
        raise ClaimkindError("distil_from teaches rows that weigh evidence_weight=0: raise it, to 1 say")
    if not (texts or further):
        raise ClaimkindError(
            "distil_from has no text to teach with, expected rows without a label: give distil_texts with some"
        )
    taught = label_with_teacher(
        tracking.fetch_model(config.distil_from, "distil_from"),
        texts + further,
        np.r_[examples.weights[~labelled], np.full(len(further), config.evidence_weight)],
    )
    return WeightedExamples(
        [text for text, known in zip(examples.texts, labelled, strict=True) if known] + taught.texts,
        np.concatenate([examples.evidence[labelled], taught.evidence]),
        np.r_[examples.weights[labelled], taught.weights],
    )


def _fit(
    classifier: Classifier, dataset: BuiltDataset, examples: WeightedExamples, work_dir: Path, on_metrics: OnMetrics
) -> None:
    classifier.fit(
        examples.texts,
        examples.evidence,
        weights=examples.weights,
        validation=_examples(dataset.splits["validation"]),
        work_dir=work_dir,
        on_metrics=on_metrics,
    )


def _examples(rows: Dataset) -> Examples:
    return Examples(rows["text"][:], evidence_of(rows))


def _evaluate(
    calibrated: CalibratedClassifier,
    raw: np.ndarray,
    surest: float,
    dataset: BuiltDataset,
    split: str,
    config: TrainConfig,
    tracked: tracking.Run,
) -> Evaluation:
    """Log the evaluation of the model's probabilities, (n, 3) before calibration, on a split."""
    rows = dataset.splits[split]
    predictions = predictions_for(rows, rescale(raw, calibrated.temperature))
    evaluation = evaluate(
        predictions, samples=config.bootstrap_samples, abstain_below=calibrated.abstain_below, threshold=surest,
        uncalibrated=raw,
    )  # fmt: skip
    tracked.log_metrics(evaluation.metrics(split))
    tracked.log_table(predictions_of(rows, predictions.probabilities), f"predictions/{split}.parquet")
    if split == "test":  # what scoring compares other texts with
        said = label_probabilities(calibrated, predictions.probabilities)
        confidence = predictions.probabilities.max(axis=1)
        tracked.log_text(json.dumps(reference_of(said["label"].tolist(), confidence)), tracking.REFERENCE)
    for name, figure in plots.figures_of(predictions, f"{dataset.name} {split}, n = {len(rows)}").items():
        tracked.log_figure(figure, f"plots/{split}_{name}.png")
    return evaluation


def _card(
    name: str,
    calibrated: CalibratedClassifier,
    dataset: BuiltDataset,
    weights: np.ndarray,
    evaluation: Evaluation,
    config: TrainConfig,
) -> str:
    trained = with_names(dataset.splits["train"])[weights > 0][["source", "label", "licence"]]
    subject = model_card.Subject(
        name, models.family_of(calibrated), dataset.name, dataset.fingerprint, trained, calibrated.temperature,
        calibrated.abstain_below, _teachers(config),
    )  # fmt: skip
    suite = Path(config.paths.seeds_dir) / "behaviour" / "pairs.jsonl"
    behaviour = pass_rates(calibrated, read_pairs(suite)) if suite.is_file() else None
    return model_card.render(subject, evaluation, behaviour)


def _teachers(config: TrainConfig) -> list[str]:
    """What a model card says of other models that had a part in this one."""
    said = []
    if config.init_from:
        said.append(f"Its encoder is that of the saved model `{config.init_from}`, trained further.")
    if config.distil_from:
        further = f", and of those in {', '.join(config.distil_texts)}" if config.distil_texts else ""
        said.append(f"The model `{config.distil_from}` said what the sentences without a label are{further}.")
    return said
