"""Evaluation of a saved model: on a built dataset by class, source, genre, slice and behaviour, or on a benchmark."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind import tracking
from claimkind.config import EvaluateConfig, build
from claimkind.dataset.load import load_dataset
from claimkind.dataset.rows import predictions_of
from claimkind.errors import ClaimkindError
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.probe import LinearProbe
from claimkind.evaluation.slices import slices_of, table_of
from claimkind.labels import LABELS
from claimkind.manifest import MANIFEST, sha256_file
from claimkind.metrics.bootstrap import Estimate, check_samples, estimate, with_bounds
from claimkind.metrics.calibration import coverage_and_precision, expected_calibration_error
from claimkind.models.base import Predictor

_SPLITS = ("validation", "test")


class _Evaluation(NamedTuple):
    """What is printed and logged."""

    name: str
    title: str
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]
    tags: dict[str, str]
    """By which `scripts/compare.py` finds the run."""
    predictions: pd.DataFrame | None


def run(config: EvaluateConfig) -> dict[str, pd.DataFrame]:
    """Evaluate a model, print the tables and log them as a run of their own; see `configs/evaluate.yaml`.

    The run has the parameters of the training, so that `scripts/compare.py` tells configurations apart by them, and
    with a dataset of ours the predictions that it compares.

    Returns:
        The tables by name.

    Raises:
        ClaimkindError: the model, the dataset or the suite is not as it should be.
    """
    check_samples(config.bootstrap_samples)
    classifier = tracking.fetch_model(config.model_uri)
    result = _on_probe(classifier, config) if config.probe else _on_dataset(classifier, config)
    print(result.title)  # noqa: T201
    for name, table in result.tables.items():
        print(f"\n{name}\n{table.to_string(index=False, float_format='{:.3f}'.format)}")  # noqa: T201
    origin = tracking.origin_of(config.model_uri)
    tags = {"kind": "evaluation", "evaluated_model": origin.model_uri, **result.tags}
    with tracking.start_run(config.experiment_name, f"evaluation-{result.name}", tags) as tracked:
        tracked.describe(result.title)
        for name, table in result.tables.items():
            tracked.log_table(table, f"evaluation/{name}.parquet")
        tracked.log_config(asdict(config), origin.params or _saved(config.model_uri))
        tracked.log_metrics(result.metrics)
        if result.predictions is not None:
            tracked.log_table(result.predictions, f"predictions/{config.split}.parquet")
    return result.tables


def _saved(model_uri: str) -> dict[str, str]:
    """What a model whose training is not known is told apart by."""
    return {"model": sha256_file(tracking.fetch_folder(model_uri) / MANIFEST)[:16]}


def _on_probe(classifier: Predictor, config: EvaluateConfig) -> _Evaluation:
    benchmark: LinearProbe = build(config.probe or {}, "probe", "claimkind.evaluation.probe")
    found = benchmark.measure(classifier, config.bootstrap_samples)
    title = f"{config.model_uri} on {found.name}, a head fitted on {found.fitted:,} sentences, n = {found.tested:,}"
    metrics = with_bounds({"macro_f1": found.macro_f1}, found.name) | {f"{found.name}_accuracy": found.accuracy}
    return _Evaluation(found.name, title, {"head": found.table()}, metrics, {"benchmark": found.name}, None)


def _on_dataset(classifier: Predictor, config: EvaluateConfig) -> _Evaluation:
    if config.split not in _SPLITS:
        raise ClaimkindError(f"split={config.split} holds no evaluated sentences, expected {' or '.join(_SPLITS)}")
    dataset = load_dataset(config.paths.data_dir, config.dataset_name)
    pairs = read_pairs(Path(config.paths.seeds_dir) / "behaviour" / "pairs.jsonl")
    rows = dataset.splits[config.split]
    probabilities = classifier.predict_proba(rows["text"][:])
    truth, groups = np.asarray(rows["label"]), np.asarray(rows["group"][:], dtype=object)
    scores = estimate(truth, probabilities, groups.tolist(), samples=config.bootstrap_samples, seed=0)
    metrics = with_bounds(scores, config.split)
    metrics[f"{config.split}_ece"] = expected_calibration_error(truth, probabilities)
    if classifier.abstain_below:
        coverage, precision = coverage_and_precision(truth, probabilities, classifier.abstain_below)
        metrics |= {f"{config.split}_coverage_decided": coverage, f"{config.split}_precision_decided": precision}
    tables = {"whole": _whole(scores, metrics, config.split), "classes": _classes(scores, truth)}
    tables |= _parts(rows, truth, probabilities, groups, config.bootstrap_samples)
    tables["behaviour"] = pass_rates(classifier, pairs)
    title = f"{config.model_uri} on {dataset.name} {config.split}, fingerprint {dataset.fingerprint}, n = {len(rows):,}"
    metrics["behaviour_pass_rate"] = float(tables["behaviour"]["rate"].iloc[-1])
    tags = {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
    name = f"{dataset.name}-{config.split}"
    return _Evaluation(name, title, tables, metrics, tags, predictions_of(rows, probabilities))


def _whole(scores: Mapping[str, Estimate], metrics: Mapping[str, float], split: str) -> pd.DataFrame:
    figures = [
        ("macro F1", str(scores["macro_f1"])),
        ("accuracy", str(scores["accuracy"])),
        ("expected calibration error", f"{metrics[f'{split}_ece']:.3f}"),
    ]
    if f"{split}_coverage_decided" in metrics:
        figures += [
            ("share not undecided", f"{metrics[f'{split}_coverage_decided']:.3f}"),
            ("accuracy of these", f"{metrics[f'{split}_precision_decided']:.3f}"),
        ]
    return pd.DataFrame(figures, columns=["figure", "value"])


def _classes(scores: Mapping[str, Estimate], truth: np.ndarray) -> pd.DataFrame:
    rows = [
        (
            label,
            int((truth == index).sum()),
            *(str(scores[f"{name}_{label}"]) for name in ("precision", "recall", "f1")),
        )
        for index, label in enumerate(LABELS)
    ]
    return pd.DataFrame(rows, columns=["class", "sentences", "precision", "recall", "F1"])


def _parts(
    rows: Dataset, truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, samples: int
) -> dict[str, pd.DataFrame]:
    tables = {}
    for column in ("source", "genre"):
        values = np.asarray([value or "none" for value in rows[column][:]], dtype=object)
        masks = {str(value): values == value for value in sorted(set(values))}
        tables[f"{column}s"] = table_of(masks, truth, probabilities, groups, samples=samples)
    tables["slices"] = table_of(slices_of(rows["text"][:]), truth, probabilities, groups, samples=samples)
    return tables
