"""The only package that imports MLflow, `scoring.pyfunc` and `scoring.spark` aside: runs and registered models."""

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
from claimkind.tracking.runs import (
    Run,
    end_as_killed,
    end_left_running,
    fetch_table,
    find_runs,
    is_there,
    locked,
    prepare_store,
    run_tags,
    signals_raise,
    start_run,
)

__all__ = [
    "REFERENCE",
    "Origin",
    "Run",
    "end_as_killed",
    "end_left_running",
    "fetch_folder",
    "fetch_model",
    "fetch_reference",
    "fetch_table",
    "find_runs",
    "is_there",
    "locked",
    "origin_of",
    "prepare_store",
    "register",
    "run_of_alias",
    "run_tags",
    "signals_raise",
    "start_run",
]
