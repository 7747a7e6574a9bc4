"""Recording one run: parameters, metrics, artifacts and the model."""

import contextlib
import functools
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import mlflow
import pandas as pd
import yaml
from matplotlib.figure import Figure
from mlflow.data.dataset import Dataset
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

import claimkind
from claimkind import models
from claimkind.errors import ClaimkindError, TrainingPruned
from claimkind.labels import PROBABILITY_COLUMNS
from claimkind.manifest import MANIFEST
from claimkind.models.base import Predictor
from claimkind.tracking.artifacts import model_folder
from claimkind.tracking.links import DESCRIPTION_TAG, model_page, run_page
from claimkind.tracking.metric_log import MetricLog
from claimkind.tracking.processes import process_tags, without_note
from claimkind.tracking.signals import act_on_signal, exit_on_signals, signal_received, signals_deferred
from claimkind.tracking.store import prepare_store, run_exists, store_errors_explained
from claimkind.tracking.views import view_page

_LOGGER = logging.getLogger(__name__)
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
# What serving any saved model needs, besides the `requirements` of the model.
_SERVING_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scipy")


_CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}
"""By split, the context under which MLflow shows it."""
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _store_call(method: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Wrap a method that writes to the store: signals wait until it has ended, and its errors are one sentence."""

    @functools.wraps(method)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        act_on_signal()
        with signals_deferred(), store_errors_explained():
            return method(*args, **kwargs)

    return call


class Split(NamedTuple):
    """A split of a built dataset, as MLflow identifies it."""

    dataset: str
    name: str
    """`train`, `validation` or `test`."""
    source: str
    """Path of the file."""
    digest: str
    """The fingerprint of the dataset."""


class Run:
    """One open MLflow run."""

    def __init__(self, run: MlflowRun) -> None:
        self.run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self.name: str = run.info.run_name
        self.model_id: str | None = None
        self.datasets: dict[str, Dataset] = {}
        """The logged splits by name."""
        self.metric_log = MetricLog(self.run_id)
        self.earlier_model: str | None = None
        """URI of the model that the run logged before it was resumed."""

    @property
    def page(self) -> str:
        """The address of the run within the MLflow UI."""
        return run_page(self.experiment_id, self.run_id)

    def resume(self, run: MlflowRun) -> None:
        """Go on with what the run has logged before."""
        self.metric_log.skip_logged()
        self.earlier_model = run.data.tags.get("model_uri")
        mlflow.set_tag(DESCRIPTION_TAG, without_note(run))

    @_store_call
    def log_config(self, config: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        """Log a configuration.

        Args:
            config: the resolved configuration, logged as `config.yaml`.
            params: the values that tell runs apart, logged as parameters.
        """
        mlflow.log_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), "config.yaml")
        mlflow.log_params(dict(params))

    @_store_call
    def log_environment(self) -> None:
        """Log the versions of Python and of the installed packages as `environment.txt`."""
        installed = sorted(
            {f"{package.metadata['Name']}=={package.version}" for package in metadata.distributions()}, key=str.lower
        )
        mlflow.log_text("\n".join([f"# Python {sys.version.split()[0]}", *installed]) + "\n", "environment.txt")

    @_store_call
    def log_dataset(self, rows: pd.DataFrame, split: Split) -> None:
        """Log the split of a dataset as an input of the run; MLflow keeps its schema and size, not the rows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about resolving a plain path: it is known to be a local file
            inputs = mlflow.data.from_pandas(  # type: ignore[attr-defined]
                rows, source=split.source, targets="label", name=f"{split.dataset}-{split.name}", digest=split.digest
            )
        mlflow.log_input(inputs, context=_CONTEXTS[split.name])
        self.datasets[split.name] = inputs

    @_store_call
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, split: str | None = None) -> None:
        """Log metrics, rounded to four significant digits and linked with the model if it was logged before.

        While the store does not answer they are kept in a file. Those that a run has when it is resumed are not logged
        again.

        Args:
            metrics: by name.
            step: of the training.
            split: name of the split that they were measured on, if it was logged.
        """
        shown = {name: float(f"{value:.4g}") for name, value in metrics.items()}  # the UI shows all digits
        links = {"model_id": self.model_id} if self.model_id else {}
        if split in self.datasets:
            links |= {"dataset_name": self.datasets[split].name, "dataset_digest": self.datasets[split].digest}
        self.metric_log.log(shown, step or 0, links)

    @_store_call
    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a figure as an image file."""
        mlflow.log_figure(figure, name, save_kwargs={"dpi": 120})

    @_store_call
    def log_table(self, rows: pd.DataFrame, name: str) -> None:
        """Log rows in the format that the ending of the name says.

        `.json` is shown as a table, and compared across runs under *Artifact evaluation*; `.csv` is shown as a table;
        `.parquet` keeps exact values for scripts, and is not shown.
        """
        if name.endswith(".json"):
            mlflow.log_table(rows.head(1), name)  # marks the file as a table; in a resumed run it would append rows
            mlflow.log_text(rows.to_json(orient="split", index=False), name)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            rows.to_csv(path, index=False) if path.suffix == ".csv" else rows.to_parquet(path, index=False)
            mlflow.log_artifact(str(path), str(Path(name).parent))

    @_store_call
    def log_text(self, text: str, name: str) -> None:
        """Log a text file."""
        mlflow.log_text(text, name)

    @_store_call
    def describe(self, text: str) -> None:
        """Set the description of the run, and of the model that it logged, as Markdown."""
        mlflow.set_tag(DESCRIPTION_TAG, text)
        if self.model_id:
            mlflow.set_logged_model_tags(self.model_id, {DESCRIPTION_TAG: text})

    def link(self, run_id: str) -> str:
        """Address of another run of this experiment within the MLflow UI."""
        return run_page(self.experiment_id, run_id)

    def origin(self) -> list[str]:
        """Where the run comes from, as items of a list in Markdown: its model, the command, and the leaderboard."""
        found = [f"- Command: `{_command_line()}`"]
        if self.model_id:
            page = model_page(self.experiment_id, self.model_id)
            found.insert(0, f"- Model: [`models:/{self.model_id}`]({page})")
        return [*found, f"- Other trainings: [leaderboard]({view_page(self.experiment_id, 'leaderboard')})"]

    @_store_call
    def log_model(self, classifier: Predictor) -> str:
        """Log a fitted classifier as a pyfunc that carries our package; later metrics are linked with it.

        Returns:
            The URI of the model, `models:/m-…`.
        """
        family = models.family_of(classifier)
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder) / "model"
            models.save(classifier, saved)
            model_uri = self.earlier_model if self._is_logged(saved) else _log_pyfunc(classifier, saved, self.name)
        self.model_id = str(model_uri).removeprefix("models:/")
        mlflow.set_tags({"family": family, "model_uri": model_uri, "compute_dtype": classifier.compute_dtype})
        return str(model_uri)

    def _is_logged(self, saved: Path) -> bool:
        """Whether the run logged this very model before it was resumed."""
        if self.earlier_model is None:
            return False
        try:
            earlier = models.saved_folder(model_folder(self.earlier_model))
            return (earlier / MANIFEST).read_bytes() == (saved / MANIFEST).read_bytes()
        except (MlflowException, OSError, ClaimkindError):  # it was deleted, or only half of it was stored
            return False


def _log_pyfunc(classifier: Predictor, saved: Path, name: str) -> str:
    packages = dict.fromkeys((*_SERVING_REQUIREMENTS, *classifier.requirements))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
        info = mlflow.pyfunc.log_model(
            name=re.sub(r"[/:.%\"']", "_", name),  # the characters that MLflow refuses
            python_model=str(_PACKAGE / "scoring" / "pyfunc.py"),
            artifacts={"model": str(saved)},
            code_paths=[str(_PACKAGE)],
            signature=_SIGNATURE,
            input_example=_EXAMPLE,
            pip_requirements=[f"{package}=={metadata.version(package)}" for package in packages],
            metadata={"family": models.family_of(classifier)},
        )
    return str(info.model_uri)


def _ignore_outside_run_id() -> None:
    """Drop `MLFLOW_RUN_ID`, by which MLflow would write into an earlier run instead of starting a new one."""
    outside = os.environ.pop("MLFLOW_RUN_ID", None)
    if outside:
        _LOGGER.warning("MLFLOW_RUN_ID=%s is ignored: each script starts a run of its own", outside)


@contextlib.contextmanager
def start_run(
    experiment_name: str,
    run_name: str,
    tags: Mapping[str, str],
    run_id: str | None = None,
    *,
    system_metrics: bool = False,
) -> Iterator[Run]:
    """Open a new run, or an earlier one again, and end it whatever happens in the block.

    A run ends FINISHED; FAILED by an exception; or KILLED by Ctrl-C, SIGTERM, the end of its terminal or
    `TrainingPruned`.

    Args:
        experiment_name: of the experiment, which is created if it does not exist.
        run_name: of a new run.
        tags: further tags of the run, besides the command and the commit.
        run_id: of the earlier run.
        system_metrics: whether to log the load of the machine, each minute.

    Raises:
        ClaimkindError: there is no run of this id.
    """
    prepare_store(experiment_name)
    if run_id and not run_exists(run_id):
        raise ClaimkindError(
            f"run {run_id}, which is to be resumed, is not in {mlflow.get_tracking_uri()} or was deleted there: "
            "restore it in MLflow, or start over (without resume=true)"
        )
    _ignore_outside_run_id()
    tags = {**tags, **process_tags(), "git_commit": git_commit(), "command": _command_line()}
    if system_metrics:
        _log_system_metrics_each_minute()
    tracked: Run | None = None
    with exit_on_signals():
        try:
            with signals_deferred(), store_errors_explained():
                run = mlflow.start_run(
                    run_id, run_name=None if run_id else run_name, tags=tags, log_system_metrics=system_metrics
                )
                tracked = Run(run)
                if run_id:
                    tracked.resume(run)
            yield tracked
            act_on_signal()
            _end(tracked, "FINISHED")
        except BaseException as error:
            killed = isinstance(error, SystemExit | KeyboardInterrupt | TrainingPruned) or signal_received()
            _end(tracked, "KILLED" if killed else "FAILED")
            raise


def _end(tracked: Run | None, status: str) -> None:
    """End a run, unless it has ended before."""
    if tracked and mlflow.active_run():
        with signals_deferred():
            tracked.metric_log.end(status)


def _log_system_metrics_each_minute() -> None:
    """Let MLflow log the load of the machine each minute, from the first minute on: short runs have none."""
    mlflow.set_system_metrics_sampling_interval(10)
    mlflow.set_system_metrics_samples_before_logging(6)
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)


def _command_line() -> str:
    """The command of this process, for a shell in the folder of the project."""
    program = Path(sys.argv[0])
    script = f"python scripts/{program.name}" if program.parent.name == "scripts" else program.name
    return " ".join([script, shlex.join(sys.argv[1:])]).rstrip()


def git_commit() -> str:
    """The commit of the working folder, with `-dirty` if files differ from it; `unknown` without a git repository."""
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
