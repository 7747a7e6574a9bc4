"""Runs side by side: a table, a verdict on every pair, a picture, and the promotion of the better one."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.config import CompareConfig
from claimkind.errors import ClaimkindError
from claimkind.evaluation import plots
from claimkind.evaluation.metrics import Estimate
from claimkind.evaluation.significance import Difference, Sentences, compare_all, spread
from claimkind.labels import LABELS, PROBABILITY_COLUMNS, label_indices

_SEED_PARAMS = {"params.seed", "params.model.seed"}


class Configuration(NamedTuple):
    """Runs that differ in their seed only."""

    name: str
    runs: pd.DataFrame


class Comparison(NamedTuple):
    """What a comparison found."""

    table: pd.DataFrame
    """One row a configuration, best on validation first."""
    differences: list[Difference]
    """Every pair, on the test split."""


def run(config: CompareConfig) -> Comparison:
    """Compare runs by what they predicted; see `configs/compare.yaml`.

    The table, the picture and the verdicts become an MLflow run that links the runs. With `promote`, the alias moves to
    the configuration that is best on validation (the test split must not choose, or its figures would flatter the
    chosen one), unless the model that has the alias now is as good as that.

    Raises:
        ClaimkindError: there are no such runs, or they were not measured on the same data.
    """
    runs = _select(config)
    configurations = _configurations(runs)
    sentences, predicted = _predictions(configurations, "test")
    estimates = spread(predicted, sentences, samples=config.bootstrap_samples)
    differences = compare_all(predicted, sentences, samples=config.bootstrap_samples)
    table = _table(configurations, estimates)
    title = (
        f"dataset {runs['tags.dataset'].iloc[0]}, fingerprint {runs['tags.dataset_fingerprint'].iloc[0]}, test split"
    )
    print(f"{title}\n{table.to_string(index=False)}")  # noqa: T201
    for difference in differences:
        print(difference.verdict())  # noqa: T201
    _log(config, configurations, Comparison(table, differences), estimates, title)
    if config.promote:
        _promote(configurations[0], config)
    return Comparison(table, differences)


def _select(config: CompareConfig) -> pd.DataFrame:
    """The runs that were named, else the newest of each name on the newest build of the dataset."""
    runs = tracking.find_runs(config.experiment_name, f"tags.dataset = '{config.dataset_name}'")
    if runs.empty:
        raise ClaimkindError(
            f"experiment {config.experiment_name!r} has no finished run on dataset {config.dataset_name!r}, "
            "expected one at least: train with scripts/train.py"
        )
    if config.runs:
        return _named(runs, config.runs)
    newest = runs[runs["tags.dataset_fingerprint"] == runs["tags.dataset_fingerprint"].iloc[0]]
    return newest.drop_duplicates("tags.mlflow.runName")


def _named(runs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    for name in names:
        if not ((runs["run_id"] == name) | (runs["tags.mlflow.runName"] == name)).any():
            raise ClaimkindError(
                f"runs names {name!r}, which is no finished run here, expected ids or names out of: "
                f"{', '.join(runs['tags.mlflow.runName'].unique())}"
            )
    chosen = runs[runs["run_id"].isin(names) | runs["tags.mlflow.runName"].isin(names)]
    if chosen["tags.dataset_fingerprint"].nunique() > 1:
        raise ClaimkindError("the runs were measured on different builds of the dataset, expected one: train them anew")
    return chosen


def _configurations(runs: pd.DataFrame) -> list[Configuration]:
    """Runs grouped by everything but the seed, the best on validation first."""
    params = sorted({str(c) for c in runs.columns if str(c).startswith("params.")} - _SEED_PARAMS)
    groups = [group for _, group in runs.fillna("").groupby(params, sort=False)] if params else [runs]
    found = [Configuration(name, group) for name, group in zip(_names(groups), groups, strict=True)]
    return sorted(found, key=lambda configuration: -_validation(configuration))


def _names(groups: list[pd.DataFrame]) -> list[str]:
    """The runs' names without the seed at their end, or the id of a run where that does not tell them apart."""
    names = [re.sub(r"[-_]?(seed)?\d+$", "", str(group["tags.mlflow.runName"].iloc[0])) for group in groups]
    return [
        name if names.count(name) == 1 else f"{name} ({group['run_id'].iloc[0][:8]})"
        for name, group in zip(names, groups, strict=True)
    ]


def _validation(configuration: Configuration) -> float:
    return float(configuration.runs["metrics.validation_macro_f1"].mean())


def _predictions(configurations: list[Configuration], split: str) -> tuple[Sentences, dict[str, np.ndarray]]:
    """The sentences of a split, and what each configuration's seeds made of them: (seeds, n).

    Raises:
        ClaimkindError: two runs were asked different sentences.
    """
    tables = {
        run_id: tracking.fetch_table(run_id, f"predictions/{split}.parquet")
        for configuration in configurations
        for run_id in configuration.runs["run_id"]
    }
    first = next(iter(tables.values()))
    for run_id, table in tables.items():
        if not table[["id", "label"]].equals(first[["id", "label"]]):
            raise ClaimkindError(f"run {run_id} was measured on other sentences than the others: train it anew")
    answers = {run_id: table[list(PROBABILITY_COLUMNS)].to_numpy().argmax(axis=1) for run_id, table in tables.items()}
    predicted = {name: np.stack([answers[run_id] for run_id in runs["run_id"]]) for name, runs in configurations}
    return Sentences(label_indices(first["label"].tolist()), first["group"].to_numpy()), predicted


def _table(configurations: list[Configuration], estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    rows = []
    for name, runs in configurations:
        test = runs["metrics.test_macro_f1"]
        rows.append(
            {
                "configuration": name,
                "seeds": len(runs),
                "validation macro F1": f"{runs['metrics.validation_macro_f1'].mean():.3f}",
                "macro F1": str(estimates[name]),
                "± seeds": f"{test.std():.3f}" if len(runs) > 1 else "",
                "accuracy": f"{runs['metrics.test_accuracy'].mean():.3f}",
                **{f"F1 {label}": f"{runs[f'metrics.test_f1_{label}'].mean():.3f}" for label in LABELS},
            }
        )
    return pd.DataFrame(rows)


def _log(
    config: CompareConfig,
    configurations: list[Configuration],
    comparison: Comparison,
    estimates: Mapping[str, Estimate],
    title: str,
) -> None:
    """Log the comparison as a run of its own."""
    with tracking.start_run(config.experiment_name, "comparison", {"kind": "comparison"}) as tracked:
        tracked.log_table(comparison.table, "comparison/table.parquet")
        pairs = pd.DataFrame(
            {
                "first": d.first, "second": d.second, "difference": d.macro_f1.value, "low": d.macro_f1.low,
                "high": d.macro_f1.high, "p": d.p, "p_holm": d.p_holm, "p_mcnemar": d.p_mcnemar, "verdict": d.verdict(),
            }
            for d in comparison.differences
        )  # fmt: skip
        tracked.log_table(pairs, "comparison/differences.parquet")
        tracked.log_figure(plots.plot_estimates(estimates, f"macro F1, {title}"), "comparison/macro_f1.png")
        links = [
            f"- {name}: " + ", ".join(f"[{run_id[:8]}]({tracked.link(run_id)})" for run_id in runs["run_id"])
            for name, runs in configurations
        ]
        verdicts = [f"- {difference.verdict()}" for difference in comparison.differences]
        tracked.describe("\n".join([f"**{title}**", "", *links, "", *verdicts]))


def _promote(best: Configuration, config: CompareConfig) -> None:
    """Let the alias point at the best configuration's best seed, if it beats the model that has the alias."""
    chosen = best.runs.sort_values("metrics.validation_macro_f1").iloc[-1]
    champion = tracking.run_of_alias(config.registered_name, config.alias)
    if champion is None:
        verdict = f"{best.name} has the best macro F1 on validation, and no model has the alias yet"
    elif champion == chosen["run_id"]:
        print(f"{best.name} has the alias {config.alias} already")  # noqa: T201
        return
    elif tracking.run_tags(champion).get("dataset_fingerprint") != chosen["tags.dataset_fingerprint"]:
        print(  # noqa: T201
            f"the model that has the alias {config.alias} was measured on another build of its dataset, so nothing can "
            "be said: train it anew on this one, or take the alias from it in MLflow"
        )
        return
    else:
        difference = _against(champion, chosen)
        verdict = f"on validation, {difference.verdict()}"
        if not (difference.separable and difference.macro_f1.value > 0):
            print(f"{verdict}: the alias {config.alias} stays where it is")  # noqa: T201
            return
    version = tracking.register(chosen["run_id"], config.registered_name, config.alias)
    print(f"{verdict}: registered as {config.registered_name} version {version}, alias {config.alias}")  # noqa: T201


def _against(champion: str, chosen: pd.Series) -> Difference:
    """The chosen run less the champion's, on validation."""
    ids = {"the new model": chosen["run_id"], "the old one": champion}
    pair = [Configuration(name, pd.DataFrame({"run_id": [run_id]})) for name, run_id in ids.items()]
    sentences, predicted = _predictions(pair, "validation")
    return compare_all(predicted, sentences)[0]
