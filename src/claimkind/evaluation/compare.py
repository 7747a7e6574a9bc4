"""Runs side by side, from what they logged, and the promotion of the better one."""

import pandas as pd

from claimkind import tracking
from claimkind.config import CompareConfig
from claimkind.errors import ClaimkindError
from claimkind.labels import LABELS

_SHOWN = ("macro_f1", "accuracy", *(f"f1_{label}" for label in LABELS))


def run(config: CompareConfig) -> pd.DataFrame:
    """Print a table of runs with 95% intervals; with `promote`, let the alias point at the better model.

    The better one is the one with the higher macro F1 on validation: the test split must not choose, or its figures
    would flatter the chosen one.

    Returns:
        The table, one row a run, best first.

    Raises:
        ClaimkindError: there are no such runs, or they were not measured on the same data.
    """
    runs = _select(config)
    runs = runs.sort_values("metrics.validation_macro_f1", ascending=False, ignore_index=True)
    table = _table(runs)
    dataset = runs["tags.dataset"][0]
    print(f"dataset {dataset}, fingerprint {runs['tags.dataset_fingerprint'][0]}, test split")  # noqa: T201
    print(table.to_string(index=False))  # noqa: T201
    if config.promote:
        _promote(runs.iloc[0], config)
    return table


def _select(config: CompareConfig) -> pd.DataFrame:
    """The runs that were named, else the newest of each model on the newest build of the dataset."""
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


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"run": runs["tags.mlflow.runName"]})
    table["validation macro F1"] = runs["metrics.validation_macro_f1"].map("{:.3f}".format)
    for name in _SHOWN:
        value, low, high = (runs[f"metrics.test_{name}{end}"] for end in ("", "_low", "_high"))
        table[name.replace("_", " ").replace("f1", "F1")] = [
            f"{v:.3f} [{a:.3f}, {b:.3f}]" for v, a, b in zip(value, low, high, strict=True)
        ]
    return table


def _promote(best: pd.Series, config: CompareConfig) -> None:
    version = tracking.register(best["run_id"], config.registered_name, config.alias)
    print(  # noqa: T201
        f"{best['tags.mlflow.runName']} has the best macro F1 on validation: registered as {config.registered_name} "
        f"version {version}, alias {config.alias}"
    )
