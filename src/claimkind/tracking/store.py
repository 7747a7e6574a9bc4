"""The MLflow tracking store: connecting to it, and reading and ending runs in it."""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from claimkind.errors import ClaimkindError, first_line, is_disk_full
from claimkind.manifest import lock
from claimkind.tracking.artifacts import run_artifact
from claimkind.tracking.database import database_path, follow_move, is_read_only, make_database
from claimkind.tracking.links import DESCRIPTION_TAG, SEPARATOR
from claimkind.tracking.metric_log import is_refusal, send_unsent
from claimkind.tracking.processes import end_runs_of_killed_processes
from claimkind.tracking.views import write_views

# It logs each error of the database with a traceback, besides raising it.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
_COMPARED = "- Last comparison:"
_CHECKED: set[str] = set()
"""The stores in which the runs of killed processes were ended."""


def prepare_store(experiment_name: str) -> str:
    """Select an experiment, and create it and the store if they do not exist; returns the id of the experiment.

    Under a lock, since MLflow creates the tables of a new database without one: of several processes that start
    together, all but one would crash.

    Raises:
        ClaimkindError: the store does not answer, or the experiment was deleted.
    """
    with lock(mlflow.get_tracking_uri()), store_errors_explained():
        database = database_path()
        if database and not database.exists():
            make_database(database)
        if database:
            follow_move(database)
        try:
            experiment = mlflow.set_experiment(experiment_name)
        except MlflowException as error:
            if "deleted experiment" not in first_line(error):
                raise
            raise ClaimkindError(
                f"the experiment {experiment_name!r} was deleted, expected another or this one restored: "
                f"`mlflow experiments restore --experiment-id …`, or give experiment_name"
            ) from None
        if not is_read_only():
            write_views(experiment)
        _finish_earlier_runs()
        return str(experiment.experiment_id)


def check_store() -> None:
    """Check that a local store exists before it is read, since MLflow would create it.

    Raises:
        ClaimkindError: it does not exist.
    """
    database = database_path()
    if database and not database.is_file():
        raise ClaimkindError(
            f"there is no MLflow store {database}, expected runs and models in it: work in the folder of the "
            "project, set MLFLOW_TRACKING_URI, or train first with scripts/train.py"
        )
    with lock(mlflow.get_tracking_uri()), store_errors_explained():
        if database:
            follow_move(database)
        _finish_earlier_runs()


def _finish_earlier_runs() -> None:
    """Do what earlier scripts could not: end the runs of killed processes, and send metrics that were kept."""
    uri = mlflow.get_tracking_uri()
    if is_read_only():
        return
    send_unsent()
    if uri not in _CHECKED:  # once in each process, since it takes a request
        end_runs_of_killed_processes()
        _CHECKED.add(uri)


@contextlib.contextmanager
def store_errors_explained() -> Iterator[None]:
    """Turn the errors of a store that does not answer into one sentence."""
    uri = mlflow.get_tracking_uri()
    try:
        yield
    except (MlflowException, OSError) as error:
        if is_disk_full(error):
            raise
        reason = first_line(error).strip().partition(". ")[0]
        if is_refusal(error):
            raise ClaimkindError(
                f"the MLflow store {uri} does not take the results ({reason}): if the run was deleted, start over"
            ) from None
        raise ClaimkindError(f"the MLflow store {uri} does not answer ({reason}): check MLFLOW_TRACKING_URI") from None
    except SQLAlchemyError as error:
        raise ClaimkindError(
            f"the MLflow store {uri} is no database of MLflow, or was left half made ({first_line(error)}): move it "
            "away if it holds nothing, or set MLFLOW_TRACKING_URI"
        ) from None


def find_runs(experiment_name: str, filter_string: str) -> pd.DataFrame:
    """Finished runs of an experiment, the newest first, as MLflow's table of runs.

    Raises:
        ClaimkindError: there is no store, no such experiment, or MLflow does not accept the filter.
    """
    check_store()
    with store_errors_explained():
        if mlflow.get_experiment_by_name(experiment_name) is None:
            known = sorted(experiment.name for experiment in mlflow.search_experiments())
            raise ClaimkindError(
                f"{mlflow.get_tracking_uri()} has no experiment {experiment_name!r}, expected one of "
                f"{', '.join(known)}: train with scripts/train.py first, or give experiment_name"
            )
    try:
        runs = mlflow.search_runs(
            experiment_names=[experiment_name],
            filter_string=f"attributes.status = 'FINISHED' and {filter_string}",
            order_by=["attributes.start_time DESC"],
        )
    except MlflowException as error:  # a quotation mark in a name, for example
        raise ClaimkindError(
            f"MLflow finds no runs by {filter_string} ({first_line(error)}): correct the name"
        ) from None
    return _with_current_names(pd.DataFrame(runs))


def _with_current_names(runs: pd.DataFrame) -> pd.DataFrame:
    """Name the metrics of earlier versions, such as `validation_macro_f1`, as they are named now."""
    for column in [str(column) for column in runs.columns]:
        current = re.sub(r"^metrics\.(validation|test)_", r"metrics.\1/", column)
        if current != column:
            earlier = runs.pop(column)
            runs[current] = runs[current].fillna(earlier) if current in runs else earlier
    return runs


def get_run(run_id: str) -> MlflowRun | None:
    """A run as MLflow returns it; None if there is none of this id or it was deleted."""
    database = database_path()
    if database and not database.is_file():  # MLflow would create it
        return None
    try:
        run = mlflow.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def run_exists(run_id: str) -> bool:
    """Whether the store has a run of this id that was not deleted."""
    return get_run(run_id) is not None


def run_tags(run_id: str) -> dict[str, str]:
    """The tags of a run; empty if the run does not exist."""
    run = get_run(run_id)
    return dict(run.data.tags) if run else {}


def fetch_table(run_id: str, name: str) -> pd.DataFrame:
    """Read a parquet table that a run logged.

    Raises:
        ClaimkindError: the run has no such table.
    """
    expected = "its predictions: train it again, or if it is an evaluation, evaluate on that split"
    with _logged_file(run_id, name, expected) as path:
        return pd.read_parquet(path)


def fetch_text(run_id: str, name: str) -> str:
    """Read a text that a run logged.

    Raises:
        ClaimkindError: the run has no such text.
    """
    with _logged_file(run_id, name, "it from a training of this version: train it again") as path:
        return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def _logged_file(run_id: str, name: str, expected: str) -> Iterator[Path]:
    """Give the file of an artifact, and turn errors of fetching and reading it into one sentence."""
    try:
        with run_artifact(run_id, name) as path:
            yield path
    except (MlflowException, OSError, ValueError) as error:  # ValueError: damaged
        reason = first_line(error).rstrip(".")
        raise ClaimkindError(f"run {run_id} holds no {name} ({reason}), expected {expected}") from None


def link_to_comparison(run_id: str, name: str, page: str) -> None:
    """Put a link to a comparison at the end of a run's description, in place of that to an earlier one.

    Args:
        run_id: of the run that was compared.
        name: of the comparison's run.
        page: of the same, within the MLflow UI.
    """
    note = run_tags(run_id).get(DESCRIPTION_TAG, "")
    kept = [line for line in note.splitlines() if not line.startswith(_COMPARED)]
    line = f"{_COMPARED} [{name}]({page})"
    with store_errors_explained():
        mlflow.MlflowClient().set_tag(run_id, DESCRIPTION_TAG, "\n".join([*kept, line]))


def end_killed_run(run_id: str) -> None:
    """Set a run that a killed process left RUNNING to KILLED; any other run stays as it is."""
    run = get_run(run_id) if run_id else None
    if run and run.info.status == "RUNNING":
        mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def end_killed_children(parent_run_id: str, run_name: str) -> None:
    """Set child runs that a killed process left RUNNING to KILLED.

    Args:
        parent_run_id: of the run whose children they are.
        run_name: the name of the child runs, or its first part.
    """
    parent = get_run(parent_run_id)
    if parent is None:
        return
    found = mlflow.MlflowClient().search_runs(
        [parent.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent_run_id}' and tags.`mlflow.runName` LIKE '{run_name}%'",
    )
    for run in found:
        if run.info.run_name.split(SEPARATOR)[0] == run_name:
            end_killed_run(run.info.run_id)
