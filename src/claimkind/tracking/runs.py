"""Runs of the MLflow tracking store."""

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import yaml
from filelock import FileLock
from matplotlib.figure import Figure
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

import claimkind
from claimkind import models
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.labels import PROBABILITY_COLUMNS
from claimkind.manifest import fingerprint
from claimkind.models.base import Predictor

_PACKAGE = Path(claimkind.__file__).parent
_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "text")]),
    outputs=Schema(
        [
            ColSpec("string", "label"),
            *(ColSpec("double", column) for column in ("confidence", *PROBABILITY_COLUMNS)),
        ]
    ),
)
_EXAMPLE = pd.DataFrame({"text": ["The vote is on Tuesday.", "The move may widen the war."]})
# What a server or a Spark worker needs to run a saved model of any family.
_REQUIREMENTS = (
    "accelerate", "datasets", "mlflow", "numpy", "pandas", "safetensors", "scikit-learn", "torch", "transformers",
)  # fmt: skip


class Run:
    """One MLflow run while it is open."""

    def __init__(self, run: MlflowRun) -> None:
        self.run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self.model_id: str | None = None

    def log_config(self, config: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        """Log the resolved configuration as a file, and the parameters by which runs are told apart as params."""
        mlflow.log_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), "config.yaml")
        mlflow.log_params(dict(params))

    def log_environment(self) -> None:
        """Log the installed versions."""
        installed = sorted(
            {f"{package.metadata['Name']}=={package.version}" for package in metadata.distributions()}, key=str.lower
        )
        mlflow.log_text("\n".join([f"# Python {sys.version.split()[0]}", *installed]) + "\n", "environment.txt")

    def log_dataset(self, rows: pd.DataFrame, name: str, source: Path, context: str) -> None:
        """Log rows as an input of the run; MLflow keeps their schema, size and digest, not the rows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about resolving a plain path: we know that it is a local file
            inputs = mlflow.data.from_pandas(rows, source=str(source), targets="label", name=name)  # type: ignore[attr-defined]
        mlflow.log_input(inputs, context=context)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics; those of a finished model are linked with it once it is logged."""
        mlflow.log_metrics(dict(metrics), step=step, model_id=self.model_id)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a picture."""
        mlflow.log_figure(figure, name, save_kwargs={"dpi": 120})

    def log_table(self, rows: pd.DataFrame, name: str) -> None:
        """Log rows as a parquet file at `name`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            rows.to_parquet(path, index=False)
            mlflow.log_artifact(str(path), str(Path(name).parent))

    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file."""
        mlflow.log_text(text, name)

    def describe(self, text: str) -> None:
        """Set the Markdown text at the head of the run's page."""
        mlflow.set_tag("mlflow.note.content", text)

    def link(self, run_id: str) -> str:
        """Address of another run of this experiment within MLflow's UI."""
        return f"#/experiments/{self.experiment_id}/runs/{run_id}"

    def log_model(self, classifier: Predictor) -> str:
        """Log a fitted classifier as a pyfunc with our package shipped along; later metrics are linked with it.

        Returns:
            Its URI, `models:/m-…`.
        """
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
            models.save(classifier, Path(folder) / "model")
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_PACKAGE / "scoring" / "pyfunc.py"),
                artifacts={"model": str(Path(folder) / "model")},
                code_paths=[str(_PACKAGE)],
                signature=_SIGNATURE,
                input_example=_EXAMPLE,
                pip_requirements=[f"{name}=={metadata.version(name)}" for name in _REQUIREMENTS],
                metadata={"family": models.family_of(classifier)},
            )
        self.model_id = info.model_id
        tags = {"family": models.family_of(classifier), "model_uri": info.model_uri}
        mlflow.set_tags(tags | {"compute_dtype": getattr(classifier, "compute_dtype", "") or "fp64, CPU"})
        return str(info.model_uri)


@contextlib.contextmanager
def start_run(experiment_name: str, run_name: str, tags: Mapping[str, str], run_id: str | None = None) -> Iterator[Run]:
    """Open a run, or an earlier one again by its id; however the block is left, the run is not left RUNNING.

    A run ends FINISHED, FAILED by an exception, or KILLED by Ctrl-C, SIGTERM, the end of its terminal or `TrainingPruned`.

    Raises:
        ClaimkindError: there is no run of this id.
    """
    prepare_store(experiment_name)
    if run_id and not is_there(run_id):
        raise ClaimkindError(
            f"run {run_id}, which is to go on, is not in {mlflow.get_tracking_uri()} or was deleted there: restore it "
            "in MLflow, or begin anew (without resume=true)"
        )
    run = mlflow.start_run(
        run_id=run_id,
        run_name=None if run_id else run_name,
        tags={**tags, "git_commit": git_commit(), "command": shlex.join(sys.argv)},
        log_system_metrics=False,
    )
    with signals_raise():
        try:
            yield Run(run)
            mlflow.end_run("FINISHED")
        except (SystemExit, KeyboardInterrupt, TrainingPruned):
            mlflow.end_run("KILLED")
            raise
        except BaseException:
            mlflow.end_run("FAILED")
            raise


def is_there(run_id: str) -> bool:
    """Whether the store has a run of this id that was not deleted."""
    return _run_of(run_id) is not None


def _run_of(run_id: str) -> MlflowRun | None:
    try:
        run = mlflow.get_run(run_id)
    except MlflowException:
        return None
    return run if run.info.lifecycle_stage == "active" else None


def end_as_killed(run_id: str) -> None:
    """End a run that a killed process left RUNNING; one that has ended or is not there stays as it is."""
    run = _run_of(run_id) if run_id else None
    if run and run.info.status == "RUNNING":
        mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def end_left_running(parent_run_id: str, run_name: str) -> None:
    """The same for the runs of a name under another run."""
    parent = _run_of(parent_run_id)
    if parent is None:
        return
    found = mlflow.MlflowClient().search_runs(
        [parent.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent_run_id}' and tags.`mlflow.runName` = '{run_name}'",
    )
    for run in found:
        end_as_killed(run.info.run_id)


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """SIGTERM, and SIGHUP where nohup does not keep it off, end the block by `SystemExit`, so that it can clean up."""

    def stop(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare_store(experiment_name: str) -> None:
    """Make the tracking store and the experiment where they do not exist.

    Under a lock: MLflow creates the tables of a fresh database without one, and of several processes that start
    together all but one would crash.

    Raises:
        ClaimkindError: the store does not answer.
    """
    with locked(mlflow.get_tracking_uri()):
        try:
            mlflow.set_experiment(experiment_name)
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            if "deleted experiment" in reason:
                raise ClaimkindError(
                    f"the experiment {experiment_name!r} was deleted, expected another or this one restored: "
                    f"`mlflow experiments restore --experiment-id …`, or give experiment_name"
                ) from None
            raise ClaimkindError(
                f"the MLflow store {mlflow.get_tracking_uri()} does not answer ({reason}): check MLFLOW_TRACKING_URI"
            ) from None


def locked(what: str) -> FileLock:
    """A lock between this user's processes on this machine, by the name of what they must not do at once."""
    return FileLock(Path(tempfile.gettempdir()) / f"claimkind-{os.getuid()}-{fingerprint({'locked': what})}.lock")


def git_commit() -> str:
    """The commit of the working folder, marked where files differ from it; `unknown` without a repository or git."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"


def find_runs(experiment_name: str, filter_string: str) -> pd.DataFrame:
    """Finished runs of an experiment, newest first, as MLflow's table of runs.

    Raises:
        ClaimkindError: there is no such experiment.
    """
    with locked(mlflow.get_tracking_uri()):  # as in `prepare_store`, which would make the experiment
        if mlflow.get_experiment_by_name(experiment_name) is None:
            known = sorted(experiment.name for experiment in mlflow.search_experiments())
            raise ClaimkindError(
                f"{mlflow.get_tracking_uri()} has no experiment {experiment_name!r}, expected one of "
                f"{', '.join(known)}: train with scripts/train.py first, or correct it"
            )
    try:
        runs = mlflow.search_runs(
            experiment_names=[experiment_name],
            filter_string=f"attributes.status = 'FINISHED' and {filter_string}",
            order_by=["attributes.start_time DESC"],
        )
    except MlflowException as error:  # a quotation mark in a name, say
        raise ClaimkindError(
            f"MLflow finds no runs by {filter_string} ({str(error).splitlines()[0]}): correct the name"
        ) from None
    return pd.DataFrame(runs)


def run_tags(run_id: str) -> dict[str, str]:
    """The tags of a run; none of one that is not there any more."""
    run = _run_of(run_id)
    return dict(run.data.tags) if run else {}


def fetch_table(run_id: str, name: str) -> pd.DataFrame:
    """Read a table that a run logged.

    Raises:
        ClaimkindError: the run has no such table.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            return pd.read_parquet(
                mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=folder)
            )
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ClaimkindError(
            f"run {run_id} holds no {name} ({reason}), expected its predictions: train it anew, or if it is an "
            "evaluation, evaluate on that split"
        ) from None
