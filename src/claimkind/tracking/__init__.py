"""Runs and registered models in MLflow. Only this package, `scoring.pyfunc` and `scoring.spark` import mlflow."""

from claimkind.tracking.registry import (
    REFERENCE,
    Origin,
    fetch_folder,
    fetch_model,
    fetch_reference,
    origin_of,
    register,
    run_of_alias,
)
from claimkind.tracking.runs import Run, start_run
from claimkind.tracking.signals import exit_on_signals
from claimkind.tracking.store import (
    end_killed_children,
    end_killed_run,
    fetch_table,
    find_runs,
    prepare_store,
    run_exists,
    run_tags,
)

__all__ = [
    "REFERENCE",
    "Origin",
    "Run",
    "end_killed_children",
    "end_killed_run",
    "exit_on_signals",
    "fetch_folder",
    "fetch_model",
    "fetch_reference",
    "fetch_table",
    "find_runs",
    "origin_of",
    "prepare_store",
    "register",
    "run_exists",
    "run_of_alias",
    "run_tags",
    "start_run",
]
