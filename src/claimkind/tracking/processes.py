"""Runs whose process was killed: each run has its process as tags, by which it is ended later."""

import os
import re
import socket
from pathlib import Path

import mlflow
import psutil
from mlflow.entities import Run as MlflowRun

from claimkind.tracking.links import DESCRIPTION_TAG

_HOST, _ID, _STARTED = "process_host", "process_id", "process_started"
_KILLED = "Its process {process} on {host} was killed; the next script that used the store has ended the run."
_CLOCK_SECONDS = 2
"""By which the start of a process may seem to move when the clock is set."""


def process_tags() -> dict[str, str]:
    """Tags that identify the process of a run."""
    return {_HOST: _host(), _ID: str(os.getpid()), _STARTED: f"{psutil.Process().create_time():.2f}"}


def end_runs_of_killed_processes() -> None:
    """Set runs to KILLED that are RUNNING although their process on this machine has ended.

    Raises:
        MlflowException: the store does not answer, or cannot be written.
    """
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments()]
    if not experiments:
        return
    query = f"attributes.status = 'RUNNING' and tags.{_HOST} = '{_host()}'"
    for run in client.search_runs(experiments, query):
        # A process that ended its run itself in the meantime was not killed.
        if not _is_alive(run.data.tags) and client.get_run(run.info.run_id).info.status == "RUNNING":
            client.set_tag(run.info.run_id, DESCRIPTION_TAG, "\n\n".join(filter(None, [without_note(run), _note(run)])))
            client.set_terminated(run.info.run_id, "KILLED")


def without_note(run: MlflowRun) -> str:
    """The description of a run without the note that it was killed."""
    pattern = re.escape(_KILLED).replace(r"\{process\}", r"\d+").replace(r"\{host\}", r"\S+")
    return re.sub(pattern, "", str(run.data.tags.get(DESCRIPTION_TAG, ""))).strip()


def _note(run: MlflowRun) -> str:
    tags = run.data.tags
    return _KILLED.format(process=tags.get(_ID), host=str(tags.get(_HOST)).partition(" ")[0])


def _host() -> str:
    """The name of this machine; on Linux with its process namespace, since the ids in a container are others."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()} {namespace}"


def _is_alive(tags: dict[str, str]) -> bool:
    """Whether the process of a run is running; another one may have got its id since."""
    try:
        process = psutil.Process(int(tags[_ID]))
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and abs(process.create_time() - float(tags[_STARTED])) < _CLOCK_SECONDS
        )
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False
    except psutil.AccessDenied:
        return True
