"""Optuna studies: opening them, the MLflow run of a search, and the result."""

import contextlib
import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from claimkind import tracking
from claimkind.errors import ClaimkindError, first_line
from claimkind.evaluation import plots
from claimkind.manifest import lock

try:
    import optuna
except ModuleNotFoundError:  # the extra `tune`
    optuna = None  # type: ignore[assignment]

METRIC = "validation_macro_f1"
"""What a search maximises: the name under which a training reports it."""
_RUN_ID, _SHARED = "mlflow_run_id", "shared_settings"
_SHOWN = 10


class Storage(NamedTuple):
    """The database of studies."""

    address: str
    """As SQLAlchemy takes it."""
    heartbeat_seconds: int
    """A trial whose process gave no sign of life for twice as long is started again."""


@dataclass(frozen=True)
class SearchResult:
    """The result of a search."""

    study: str
    best: dict[str, Any]
    """The best settings, by dotted key."""
    score: float
    """Their macro F1 on validation."""
    trials: pd.DataFrame
    """`trial`, `state`, `validation macro F1` and the settings of each finished trial, the best first."""

    command: str = ""
    """The command that trains a model with the best settings."""
    links: tuple[str, ...] = ()
    """Addresses in the MLflow UI: of the run of the search, and of the view of all searches."""

    def settings(self) -> str:
        """The best settings, as they are given on the command line."""
        return shlex.join(f"{key}={_as_argument(value)}" for key, value in self.best.items())

    def text(self) -> str:
        """The best trials and settings, and how to train a model with them."""
        best = f"best of {len(self.trials)} trials of {self.study}: validation macro F1 {self.score:.3f} with "
        command = [f"train it: {self.command}"] if self.command else []
        table = self.trials.head(_SHOWN).to_string(index=False)
        return "\n".join([table, f"{best}{self.settings()}", *command, *self.links])


def _as_argument(value: Any) -> str:
    """A value as it is given on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def trial_name(trial: "optuna.Trial | optuna.trial.FrozenTrial") -> str:
    """The name of a trial's MLflow run."""
    return f"trial {trial.number}"


def open_study(name: str, storage: Storage, *, prune: bool) -> "optuna.Study":
    """Open a study, and create it if it does not exist.

    Args:
        name: of the study.
        storage: where it is.
        prune: whether to stop trials that are worse than the median of the earlier ones.

    Raises:
        ClaimkindError: the storage does not open.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage.address.startswith("sqlite:///"):
        Path(storage.address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Under a lock, since several workers may find no tables and create them.
    with lock(storage.address), without_experimental_warnings():
        return optuna.create_study(
            storage=_open_storage(storage),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner(),
        )


@contextlib.contextmanager
def without_experimental_warnings() -> Iterator[None]:
    """Silence Optuna's warnings of experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def run_of_study(
    study: "optuna.Study", shared: str, experiment_name: str, config: Mapping[str, Any], params: Mapping[str, Any]
) -> str:
    """The id of the MLflow run of a search, under which its trials are shown; the first call creates the run.

    Args:
        study: the study of the search.
        shared: fingerprint of the data and the settings that all trials of the study must have in common.
        experiment_name: of MLflow.
        config: logged as the configuration of the run.
        params: logged as its parameters.

    Raises:
        ClaimkindError: the earlier trials of the study have other data or settings.
    """
    name = study.study_name
    with lock(name):
        if study.user_attrs.get(_SHARED, shared) != shared:
            raise ClaimkindError(
                f"the study {name} was of another dataset, model or setting, so its trials cannot be compared with "
                "these: give another study_name"
            )
        study.set_user_attr(_SHARED, shared)
        if not tracking.run_exists(study.user_attrs.get(_RUN_ID, "")):  # not created yet, or deleted since
            tags = {"kind": "search", "search": name, "dataset": params["dataset"]}
            with tracking.start_run(experiment_name, f"search {name}", tags) as tracked:
                tracked.log_config(config, params)
            study.set_user_attr(_RUN_ID, tracked.run_id)
        return run_id_of(study)


def run_id_of(study: "optuna.Study") -> str:
    """The id of the MLflow run that `run_of_study` made."""
    return str(study.user_attrs[_RUN_ID])


def record_heartbeats(study: "optuna.Study", trials: Iterable[int]) -> None:
    """Record a sign of life of running trials, by number.

    Optuna never starts a trial again whose process was killed before its first sign of life.
    """
    storage: Any = study._storage  # Optuna records them by the public objective only
    for number in trials:
        storage.record_heartbeat(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def summarise(study: "optuna.Study") -> SearchResult:
    """The result of a study.

    Raises:
        ClaimkindError: no trial is complete.
    """
    rows = [
        {"trial": trial.number, "state": trial.state.name.lower(), "validation macro F1": trial.value, **trial.params}
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished()
    ]
    trials = pd.DataFrame(rows).sort_values("validation macro F1", ascending=False, na_position="last")
    if not (trials["state"] == "complete").any():
        raise ClaimkindError("no trial is complete, expected at least one: see the messages of the trials above")
    return SearchResult(study.study_name, dict(study.best_params), float(study.best_value), trials)


def log_result(result: SearchResult, run_id: str, experiment_name: str) -> SearchResult:
    """Log the result of a search into its MLflow run; returns it with the links to that run and to all searches."""
    numbers, scores = result.trials["trial"].tolist(), result.trials["validation macro F1"].tolist()
    with tracking.start_run(experiment_name, "", {}, run_id) as tracked:
        tracked.log_table(result.trials, "search/trials.csv")
        tracked.log_figure(plots.plot_search(numbers, scores), "search.png")
        tracked.log_metrics({"validation/macro_f1": result.score})
        best = (
            f"**Macro F1 {result.score:.3f} on validation**, the best of {len(numbers)} trials: `{result.settings()}`"
        )
        tracked.describe("\n".join([best, "", "- All trials: `search/trials.csv`", *tracked.origin()]))
        pages = tracked.page, tracking.view_page(tracked.experiment_id, "search")
    return replace(result, links=tuple(map(tracking.hint, pages)))


def _open_storage(storage: Storage) -> "optuna.storages.RDBStorage":
    try:
        return optuna.storages.RDBStorage(
            storage.address,
            engine_kwargs={"connect_args": {"timeout": 60}} if storage.address.startswith("sqlite") else None,
            heartbeat_interval=storage.heartbeat_seconds,
            heartbeat_stale_trial_callback=_start_again,
        )
    except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
        reason = first_line(error).rstrip(".")
        raise ClaimkindError(f"storage={storage.address} does not open ({reason}): correct the address") from None


def _start_again(study: "optuna.Study", trial: "optuna.trial.FrozenTrial") -> None:
    """End the MLflow run of a trial whose process was killed, and queue its settings again."""
    tracking.end_killed_children(study.user_attrs.get(_RUN_ID, ""), trial_name(trial))
    optuna.storages.RetryHeartbeatStaleTrialCallback()(study, trial)
