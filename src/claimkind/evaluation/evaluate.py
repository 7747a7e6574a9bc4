"""Evaluation of a saved model on a built dataset: by class, source, genre and slice, and on the behaviour suite."""

from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset

from claimkind import tracking
from claimkind.config import EvaluateConfig
from claimkind.dataset.build import load_dataset
from claimkind.errors import ClaimkindError
from claimkind.evaluation.behaviour import pass_rates, read_pairs
from claimkind.evaluation.metrics import estimate, expected_calibration_error
from claimkind.evaluation.slices import slices_of, table_of
from claimkind.labels import LABELS, PROBABILITY_COLUMNS

_SPLITS = ("validation", "test")


def run(config: EvaluateConfig) -> dict[str, pd.DataFrame]:
    """Evaluate a model, print the tables and log them as a run of their own; see `configs/evaluate.yaml`.

    Returns:
        The tables by name.

    Raises:
        ClaimkindError: the model, the dataset or the suite is not as it should be.
    """
    if config.split not in _SPLITS:
        raise ClaimkindError(f"split={config.split} holds no evaluated sentences, expected {' or '.join(_SPLITS)}")
    dataset = load_dataset(config.data_dir, config.dataset_name)
    pairs = read_pairs(Path(config.seeds_dir) / "behaviour" / "pairs.jsonl")
    classifier = tracking.fetch_model(config.model_uri)
    rows = dataset.splits[config.split]
    probabilities = classifier.predict_proba(rows["text"][:])
    tables = _tables(rows, probabilities, config.bootstrap_samples)
    tables["behaviour"] = pass_rates(classifier, pairs)
    title = f"{config.model_uri} on {dataset.name} {config.split}, fingerprint {dataset.fingerprint}, n = {len(rows):,}"
    print(title)  # noqa: T201
    for name, table in tables.items():
        print(f"\n{name}\n{table.to_string(index=False, float_format='{:.3f}'.format)}")  # noqa: T201
    tags = {"kind": "evaluation", "evaluated_model": config.model_uri}
    with tracking.start_run(config.experiment_name, f"evaluation-{dataset.name}-{config.split}", tags) as tracked:
        tracked.describe(title)
        for name, table in tables.items():
            tracked.log_table(table, f"evaluation/{name}.parquet")
        tracked.log_metrics({"behaviour_pass_rate": float(tables["behaviour"]["rate"].iloc[-1])})
        tracked.log_table(_predictions(rows, probabilities), f"predictions/{config.split}.parquet")
    return tables


def _tables(rows: Dataset, probabilities: np.ndarray, samples: int) -> dict[str, pd.DataFrame]:
    truth, groups = np.asarray(rows["label"]), np.asarray(rows["group"][:], dtype=object)
    scores = estimate(truth, probabilities, groups.tolist(), samples=samples, seed=0)
    classes = pd.DataFrame(
        [
            (
                label,
                int((truth == index).sum()),
                *(str(scores[f"{name}_{label}"]) for name in ("precision", "recall", "f1")),
            )
            for index, label in enumerate(LABELS)
        ],
        columns=["class", "sentences", "precision", "recall", "F1"],
    )
    whole = pd.DataFrame(
        [
            ("macro F1", str(scores["macro_f1"])),
            ("accuracy", str(scores["accuracy"])),
            ("expected calibration error", f"{expected_calibration_error(truth, probabilities):.3f}"),
        ],
        columns=["figure", "value"],
    )
    tables = {"whole": whole, "classes": classes}
    for column in ("source", "genre"):
        values = np.asarray([value or "none" for value in rows[column][:]], dtype=object)
        masks = {str(value): values == value for value in sorted(set(values))}
        tables[f"{column}s"] = table_of(masks, truth, probabilities, groups, samples=samples)
    tables["slices"] = table_of(slices_of(rows["text"][:]), truth, probabilities, groups, samples=samples)
    return tables


def _predictions(rows: Dataset, probabilities: np.ndarray) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()[["id", "group", "source", "genre", "label"]]
    frame = frame.assign(label=[LABELS[index] for index in frame["label"]])
    return frame.assign(**dict(zip(PROBABILITY_COLUMNS, probabilities.T, strict=True)))
