"""Which runs are compared: their selection, their grouping into configurations, and their predictions."""

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from claimkind import tracking
from claimkind.errors import ClaimkindError
from claimkind.evaluation.run_tables import PREDICTIONS
from claimkind.labels import PROBABILITY_COLUMNS, label_indices
from claimkind.metrics.significance import Sentences
from claimkind.tracking import SEPARATOR

_SEED_PARAMS = {"params.seed", "params.model.seed"}
VALIDATION = "metrics.validation/macro_f1"
"""Column of the macro F1 on validation, by which models are chosen."""
_SETTINGS_SHOWN = 3
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
    def validation(self) -> float | None:
        """Mean macro F1 on validation over the seeds; None for evaluations, which have none."""
        if VALIDATION not in self.runs:
            return None
        score = float(self.runs[VALIDATION].mean())
        return None if np.isnan(score) else score


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
        runs = runs[_is_training(runs)]
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
        tracking.fetch_table(run_id, PREDICTIONS.format("test"))
    except ClaimkindError as error:
        _LOGGER.info("%s; it is left out", error)
        return False
    return True


def _named(runs: pd.DataFrame, query: Query, names: Sequence[str]) -> pd.DataFrame:
    """The runs with these ids, and of those with these names the ones on the newest build."""
    chosen: set[str] = set()
    for name in names:
        found = runs[_is_called(runs, name)]
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


def _is_called(runs: pd.DataFrame, name: str) -> pd.Series:
    """Whether each run has this id, or one that begins with these eight characters or more, or this name."""
    begins = runs["run_id"].str.startswith(name) if re.fullmatch("[0-9a-f]{8,}", name) else False
    return (runs["run_id"] == name) | (runs["tags.mlflow.runName"] == name) | begins


def _without_repetitions(runs: pd.DataFrame) -> pd.DataFrame:
    """One run of each configuration and seed: the newest, and a training rather than the evaluation of its model."""
    if "tags.kind" in runs:
        runs = pd.concat([runs[_is_training(runs)], runs[~_is_training(runs)]])
    distinct = runs.drop_duplicates(_params(runs))
    for run_id in runs["run_id"][~runs["run_id"].isin(distinct["run_id"])]:
        _LOGGER.info("run %s has the settings and the seed of another run and is left out", run_id)
    return distinct


def _is_training(runs: pd.DataFrame) -> pd.Series:
    """Whether each run is a training; trainings of earlier versions have no kind."""
    return runs["tags.kind"].fillna("training") == "training"


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
    return sorted(found, key=lambda configuration: (configuration.validation is None, -(configuration.validation or 0)))


def _names(groups: list[pd.DataFrame]) -> list[str]:
    """The names of the runs without the seed at their end; where several are equal, with the settings that differ."""
    names = [_without_seed(group.iloc[0]) for group in groups]
    alike = {name: [group for group, own in zip(groups, names, strict=True) if own == name] for name in names}
    return [
        name if len(alike[name]) == 1 else f"{name} ({_distinction(group, alike[name])})"
        for group, name in zip(groups, names, strict=True)
    ]


def _without_seed(run: pd.Series) -> str:
    """The name of a run without its seed and its dataset, which all compared runs share."""
    name = re.sub(r"( · |[-_])?seed ?\d+$", "", str(run["tags.mlflow.runName"]))
    return without_dataset(name, str(run["tags.dataset"]))


def without_dataset(name: str, dataset: str) -> str:
    """The name of a run without that of its dataset, as in `minilm · seed 0` for `minilm · bundled · seed 0`."""
    return SEPARATOR.join(part for part in name.split(SEPARATOR) if part != dataset) or name


def _distinction(group: pd.DataFrame, others: list[pd.DataFrame]) -> str:
    """The settings in which configurations differ; if there are many, those with another value than the most common."""
    values = {column: [_value(other, column) for other in others] for column in _settings(group)}
    differing = [column for column, found in values.items() if len(set(found)) > 1]
    if len(differing) > _SETTINGS_SHOWN:
        usual = {column: max(values[column], key=values[column].count) for column in differing}
        differing = [column for column in differing if _value(group, column) != usual[column]]
    if not 0 < len(differing) <= _SETTINGS_SHOWN:
        return str(group["run_id"].iloc[0])[:8]
    return ", ".join(f"{column.removeprefix('params.')}={_value(group, column)}" for column in differing)


def _value(group: pd.DataFrame, column: str) -> str:
    """The value of a parameter; one that earlier versions did not log is `None`, as one that is not set."""
    return str(group[column].iloc[0]) or "None"


class Fetched(NamedTuple):
    """What runs predicted for the same sentences."""

    sentences: Sentences
    probabilities: dict[str, np.ndarray]
    """By configuration, (seeds, n, 3)."""
    rows: pd.DataFrame
    """The n sentences, with `id` and `label`, and further columns of the tables of predictions."""


def fetch_predictions(configurations: Sequence[Configuration], split: str) -> Fetched:
    """Fetch what runs predicted.

    Args:
        configurations: the runs.
        split: of the dataset.

    Raises:
        ClaimkindError: a run has no predictions for the split, or was tested on other sentences.
    """
    tables = {
        run_id: tracking.fetch_table(run_id, PREDICTIONS.format(split))
        for configuration in configurations
        for run_id in configuration.runs["run_id"]
    }
    first = max(tables.values(), key=lambda table: len(table.columns))  # earlier versions logged no texts
    for run_id, table in tables.items():
        if not table[["id", "label"]].equals(first[["id", "label"]]):
            raise ClaimkindError(f"run {run_id} was measured on other sentences than the others: train it again")
    predicted = {
        name: _stack_seeds(name, [tables[run_id][list(PROBABILITY_COLUMNS)].to_numpy() for run_id in runs["run_id"]])
        for name, runs in configurations
    }
    sentences = Sentences(label_indices(first["label"].tolist()), first["group"].to_numpy())
    return Fetched(sentences, predicted, first)


def _stack_seeds(name: str, probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the probabilities of the runs of a configuration, (seeds, n, 3); runs that predict the same count once.

    A deterministic family predicts the same with every seed, so its runs are no independent samples.
    """
    distinct: list[np.ndarray] = []
    for own in probabilities:
        if not any(np.array_equal(own, other) for other in distinct):
            distinct.append(own)
    if len(distinct) < len(probabilities):
        repeated = len(probabilities) - len(distinct)
        runs = "1 run predicts" if repeated == 1 else f"{repeated} runs predict"
        _LOGGER.info("%s: %s the same as another seed, not counted again", name, runs)
    return np.stack(distinct)
