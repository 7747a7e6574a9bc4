"""Which runs are compared: their selection, their grouping into configurations, and their predictions."""

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.errors import ClaimkindError
from claimkind.labels import PROBABILITY_COLUMNS, label_indices
from claimkind.metrics.significance import Sentences

_SEED_PARAMS = {"params.seed", "params.model.seed"}
_SETTINGS_SHOWN = 3
_PREDICTIONS = "predictions/{}.parquet"
_LOGGER = logging.getLogger(__name__)


class Query(NamedTuple):
    """Where to look for runs."""

    experiment_name: str
    dataset_name: str


class Configuration(NamedTuple):
    """Runs that differ in their seed only."""

    name: str
    runs: pd.DataFrame
    """One row a run, as MLflow's table of runs."""

    @property
    def validation(self) -> float:
        """Mean macro F1 on validation over the seeds; -1 for evaluations, which have none."""
        if "metrics.validation_macro_f1" not in self.runs:
            return -1.0
        score = float(self.runs["metrics.validation_macro_f1"].mean())
        return -1.0 if np.isnan(score) else score


def select_runs(query: Query, names: Sequence[str] = ()) -> pd.DataFrame:
    """Select the runs to compare, the newest run of each configuration and seed.

    Args:
        query: where to look.
        names: ids or names of runs, trainings or evaluations; without any, all trainings on the newest build of the
            dataset whose predictions were not lost.

    Returns:
        One row a run, as MLflow's table of runs.

    Raises:
        ClaimkindError: there are no such runs, or they were tested on different builds of the dataset.
    """
    runs = tracking.find_runs(query.experiment_name, f"tags.dataset = '{query.dataset_name}'")
    if not names and "tags.kind" in runs:
        runs = runs[runs["tags.kind"].isna()]  # a training has no kind, an evaluation has
    if runs.empty:
        raise ClaimkindError(
            f"experiment {query.experiment_name!r} has no finished run on dataset {query.dataset_name!r}, "
            f"expected {_datasets(query.experiment_name)}"
        )
    return _named(runs, query, names) if names else _newest_readable(_on_newest_build(runs))


def _datasets(experiment_name: str) -> str:
    """The datasets of the runs in an experiment, for an error text."""
    runs = tracking.find_runs(experiment_name, "tags.dataset != ''")
    names = ", ".join(sorted(set(runs["tags.dataset"]))) if len(runs) else ""
    return f"one of the datasets {names}" if names else "at least one: train with scripts/train.py"


def _newest_readable(runs: pd.DataFrame) -> pd.DataFrame:
    """The newest run of each configuration and seed whose predictions were not lost.

    Raises:
        ClaimkindError: all of them were lost.
    """
    while not runs.empty:
        newest = runs.drop_duplicates(_params(runs))
        lost = [run_id for run_id in newest["run_id"] if not _is_readable(run_id)]
        if not lost:
            return newest
        runs = runs[~runs["run_id"].isin(lost)]
    raise ClaimkindError("no run has predictions that can be read, expected at least one: train again")


def _is_readable(run_id: str) -> bool:
    """Whether the predictions of a run are there; if not, it is logged."""
    try:
        tracking.fetch_table(run_id, _PREDICTIONS.format("test"))
    except ClaimkindError as error:
        _LOGGER.info("%s; it is left out", error)
        return False
    return True


def _named(runs: pd.DataFrame, query: Query, names: Sequence[str]) -> pd.DataFrame:
    """The runs with these ids, and of those with these names the ones on the newest build."""
    chosen: set[str] = set()
    for name in names:
        found = runs[(runs["run_id"] == name) | (runs["tags.mlflow.runName"] == name)]
        if found.empty:
            known = ", ".join(dict.fromkeys(runs["tags.mlflow.runName"]))
            raise ClaimkindError(
                f"runs names {name!r}, which is no finished run on dataset {query.dataset_name!r} in experiment "
                f"{query.experiment_name!r}, expected ids or names out of: {known}; give dataset or "
                "experiment_name if it is of another"
            )
        chosen |= set(_on_newest_build(found)["run_id"])
    together = runs[runs["run_id"].isin(chosen)]
    if together["tags.dataset_fingerprint"].nunique() > 1:
        raise ClaimkindError(
            "the runs were measured on different builds of the dataset, expected one: train the older runs again"
        )
    return _without_repetitions(together)


def _without_repetitions(runs: pd.DataFrame) -> pd.DataFrame:
    """One run of each configuration and seed: the newest, and a training rather than the evaluation of its model."""
    if "tags.kind" in runs:
        runs = runs.sort_values("tags.kind", na_position="first", kind="stable")
    distinct = runs.drop_duplicates(_params(runs))
    for run_id in runs["run_id"][~runs["run_id"].isin(distinct["run_id"])]:
        _LOGGER.info("run %s has the settings and the seed of another run and is left out", run_id)
    return distinct


def _on_newest_build(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["tags.dataset_fingerprint"] == runs["tags.dataset_fingerprint"].iloc[0]]


def _params(runs: pd.DataFrame) -> list[str]:
    return sorted(str(column) for column in runs.columns if str(column).startswith("params."))


def _settings(runs: pd.DataFrame) -> list[str]:
    """The parameters that make up a configuration: all but the seed."""
    return [column for column in _params(runs) if column not in _SEED_PARAMS]


def group_by_configuration(runs: pd.DataFrame) -> list[Configuration]:
    """Group runs by all parameters but the seed, the best configuration on validation first."""
    settings = _settings(runs)
    filled = runs.fillna(dict.fromkeys(settings, ""))
    groups = [group for _, group in filled.groupby(settings, sort=False)] if settings else [runs]
    found = [Configuration(name, group) for name, group in zip(_names(groups), groups, strict=True)]
    return sorted(found, key=lambda configuration: -configuration.validation)


def _names(groups: list[pd.DataFrame]) -> list[str]:
    """The names of the runs without the seed at their end; where several are equal, with the settings that differ."""
    names = [re.sub(r"[-_]?seed\d+$", "", str(group["tags.mlflow.runName"].iloc[0])) for group in groups]
    alike = {name: [group for group, own in zip(groups, names, strict=True) if own == name] for name in names}
    return [
        name if len(alike[name]) == 1 else f"{name} ({_distinction(group, alike[name])})"
        for group, name in zip(groups, names, strict=True)
    ]


def _distinction(group: pd.DataFrame, others: list[pd.DataFrame]) -> str:
    """The settings in which configurations differ; if there are many, those with another value than the most common."""
    values = {column: [str(other[column].iloc[0]) for other in others] for column in _settings(group)}
    differing = [column for column, found in values.items() if len(set(found)) > 1]
    if len(differing) > _SETTINGS_SHOWN:
        usual = {column: max(values[column], key=values[column].count) for column in differing}
        differing = [column for column in differing if str(group[column].iloc[0]) != usual[column]]
    if not 0 < len(differing) <= _SETTINGS_SHOWN:
        return str(group["run_id"].iloc[0])[:8]
    return ", ".join(f"{column.removeprefix('params.')}={group[column].iloc[0] or 'unset'}" for column in differing)


def fetch_predictions(configurations: Sequence[Configuration], split: str) -> tuple[Sentences, dict[str, np.ndarray]]:
    """Fetch what runs predicted.

    Args:
        configurations: the runs.
        split: of the dataset.

    Returns:
        The sentences of the split, and by configuration the probabilities, (seeds, n, 3).

    Raises:
        ClaimkindError: a run has no predictions for the split, or was tested on other sentences.
    """
    tables = {
        run_id: tracking.fetch_table(run_id, _PREDICTIONS.format(split))
        for configuration in configurations
        for run_id in configuration.runs["run_id"]
    }
    first = next(iter(tables.values()))
    for run_id, table in tables.items():
        if not table[["id", "label"]].equals(first[["id", "label"]]):
            raise ClaimkindError(f"run {run_id} was measured on other sentences than the others: train it again")
    predicted = {
        name: np.stack([tables[run_id][list(PROBABILITY_COLUMNS)].to_numpy() for run_id in runs["run_id"]])
        for name, runs in configurations
    }
    return Sentences(label_indices(first["label"].tolist()), first["group"].to_numpy()), predicted
