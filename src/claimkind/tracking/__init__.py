"""Runs and registered models in MLflow. Only this package, `scoring.pyfunc` and `scoring.spark` import mlflow."""

from claimkind.tracking.links import SEPARATOR, hint, model_page, run_page
from claimkind.tracking.registry import (
    HUB_CARD,
    REFERENCE,
    Origin,
    alias_lock,
    fetch_folder,
    fetch_model,
    fetch_reference,
    origin_of,
    register,
    run_of_alias,
)
from claimkind.tracking.runs import Run, Split, start_run
from claimkind.tracking.signals import exit_on_signals
from claimkind.tracking.store import (
    end_killed_children,
    end_killed_run,
    fetch_table,
    fetch_text,
    find_runs,
    link_to_comparison,
    prepare_store,
    run_exists,
    run_tags,
)
from claimkind.tracking.versions import Version, list_versions, set_alias
from claimkind.tracking.views import view_page

__all__ = [
    "HUB_CARD",
    "REFERENCE",
    "SEPARATOR",
    "Origin",
    "Run",
    "Split",
    "Version",
    "alias_lock",
    "end_killed_children",
    "end_killed_run",
    "exit_on_signals",
    "fetch_folder",
    "fetch_model",
    "fetch_reference",
    "fetch_table",
    "fetch_text",
    "find_runs",
    "hint",
    "link_to_comparison",
    "list_versions",
    "model_page",
    "origin_of",
    "prepare_store",
    "register",
    "run_exists",
    "run_of_alias",
    "run_page",
    "run_tags",
    "set_alias",
    "start_run",
    "view_page",
]
