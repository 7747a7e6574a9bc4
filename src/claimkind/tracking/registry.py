"""Saved models in the MLflow store: registering them, finding them and fetching their files."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from filelock import FileLock
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from claimkind import models
from claimkind.errors import ClaimkindError, first_line
from claimkind.manifest import lock
from claimkind.models.base import Predictor
from claimkind.models.inference import Inference
from claimkind.tracking.artifacts import model_folder, model_info, run_artifact
from claimkind.tracking.links import DESCRIPTION_TAG, run_page
from claimkind.tracking.store import check_store, get_run

_SCORE = "macro_f1"
_ABOUT = """\
Labels each sentence of an English text as factual, speculative or opinion, with calibrated probabilities. The version \
with the alias `{alias}` is the one that the scripts use.

`python scripts/score.py input=FILE output=scored.parquet model_uri=models:/{name}@{alias}`"""
HUB_CARD = "huggingface/README.md"
"""Artifact of a training run: the card of its model for the Hugging Face hub."""
REFERENCE = "reference.json"
"""Artifact of a training run: what scoring compares the shares of labels with."""


def alias_lock(name: str, alias: str) -> FileLock:
    """A lock of the alias of a registered model, between the processes of this user on this machine."""
    return lock(f"{mlflow.get_registry_uri()} {name}@{alias}")


def register(run_id: str, name: str, alias: str, reason: str = "") -> int:
    """Register the model that a run logged, describe it, and set an alias to it.

    Args:
        run_id: of the run.
        name: of the registered model.
        alias: such as `champion`.
        reason: why the alias moves to it, in one sentence.

    Returns:
        The version.

    Raises:
        ClaimkindError: the run has no model, or it was deleted.
    """
    try:
        run = mlflow.get_run(run_id)
        tags = _version_tags(run, reason)
        with contextlib.redirect_stderr(io.StringIO()):  # MLflow prints what `promote` says
            version = mlflow.register_model(run.data.tags["model_uri"], name, tags=tags).version
        client = mlflow.MlflowClient()
        client.update_model_version(name, version, _description(run, reason))
        client.set_registered_model_alias(name, alias, version)
        if not client.get_registered_model(name).description:
            client.update_registered_model(name, _ABOUT.format(name=name, alias=alias))
    except (MlflowException, KeyError) as error:
        raise ClaimkindError(
            f"the model of run {run_id} cannot be registered as {name} ({first_line(error)}): if it was "
            "deleted, train it again"
        ) from None
    return int(version)


def _version_tags(run: Run, reason: str) -> dict[str, str]:
    """What the list of versions shows of a model."""
    tags, metrics = run.data.tags, run.data.metrics
    found: dict[str, str] = {
        name: tags[name] for name in ("family", "model", "dataset", "dataset_fingerprint") if name in tags
    }
    score = metrics.get(f"test/{_SCORE}", metrics.get(f"test_{_SCORE}"))
    shown = {} if score is None else {f"test_{_SCORE}": f"{score:.3f}"}
    return {"run_id": run.info.run_id, **found, **shown, **({"promoted_because": reason} if reason else {})}


def _description(run: Run, reason: str) -> str:
    """The description of a version in Markdown: why it was promoted, then that of its run."""
    page = run_page(run.info.experiment_id, run.info.run_id)
    first = [f"{reason}.", ""] if reason else []
    note = run.data.tags.get(DESCRIPTION_TAG, "")
    return "\n".join([*first, f"Trained in [{run.info.run_name}]({page}).", "", note])


def run_of_alias(name: str, alias: str) -> str | None:
    """The id of the run that trained the model with an alias; None if there is no such alias.

    Raises:
        ClaimkindError: the store does not answer, or no run logged the model.
    """
    try:
        version = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no such model; no such alias
            return None
        reason = first_line(error)
        raise ClaimkindError(f"MLflow does not say which model has the alias {alias} ({reason}): try again") from None
    run_id = version.tags.get("run_id") or version.run_id
    if not run_id:
        raise ClaimkindError(
            f"the model {name}@{alias} is of no run, so nothing compares with it: remove the alias in MLflow"
        )
    return str(run_id)


class TrainingRun(NamedTuple):
    """The run that trained a model."""

    run_id: str
    name: str
    page: str
    """Its address within the MLflow UI."""


class Origin(NamedTuple):
    """Where a saved model comes from."""

    model_uri: str
    """A URI that always names this model; an alias can be moved to another."""
    params: dict[str, str]
    """Parameters of the run that trained it; empty if the run is unknown."""
    run: TrainingRun | None = None
    """The run, where it is known."""


def origin_of(model_uri: str, key: str = "model_uri") -> Origin:
    """Find out where a model comes from without fetching it; for arguments and errors see `fetch_model`."""
    if Path(model_uri).is_dir():
        return Origin(model_uri, {})
    with _model_errors_explained(model_uri, key):
        info = model_info(model_uri)
    run = get_run(info.run_id) if info.run_id else None
    permanent_uri = f"models:/{info.model_id}" if info.model_id else model_uri
    if run is None:
        return Origin(permanent_uri, {})
    page = run_page(run.info.experiment_id, run.info.run_id)
    return Origin(permanent_uri, dict(run.data.params), TrainingRun(run.info.run_id, run.info.run_name, page))


def fetch_model(
    model_uri: str,
    key: str = "model_uri",
    inference: Inference = Inference(),  # noqa: B008 - it is immutable
) -> Predictor:
    """Load a saved model from MLflow or from a local folder; no code that came with it is run.

    Args:
        model_uri: `models:/name@alias`, `models:/name/version`, `models:/m-…`, `runs:/…`, or a folder.
        key: the setting that holds the URI, for error texts.
        inference: how it computes its predictions.

    Raises:
        ClaimkindError: there is no such model, it is no model of this package, or it cannot be computed as `inference`
            says.
    """
    return models.load(fetch_folder(model_uri, key), inference)


def fetch_folder(model_uri: str, key: str = "model_uri") -> Path:
    """The local folder of a saved model, downloaded if need be; for arguments and errors see `fetch_model`."""
    if Path(model_uri).is_dir():
        return models.saved_folder(Path(model_uri))
    with _model_errors_explained(model_uri, key):
        return models.saved_folder(model_folder(model_uri))


def fetch_reference(model_uri: str) -> Any:
    """The content of `REFERENCE` that the training run of a model logged; None if there is none."""
    if Path(model_uri).is_dir():
        return None
    try:
        with run_artifact(str(model_info(model_uri).run_id), REFERENCE) as path:
            return json.loads(path.read_text(encoding="utf-8"))
    except (MlflowException, OSError, ValueError):
        return None


@contextlib.contextmanager
def _model_errors_explained(model_uri: str, key: str) -> Iterator[None]:
    """Turn the errors of MLflow about a model that it does not find into one sentence."""
    check_store()
    try:
        yield
    # OSError, ValueError and ImportError: a server that does not answer, or an object store without its library.
    except (MlflowException, OSError, ValueError, ImportError) as error:
        reason = first_line(error).rstrip(".")
        raise ClaimkindError(
            f"{key}={model_uri} names no model in {mlflow.get_tracking_uri()} ({reason}): train one with "
            "scripts/train.py and give its models:/<id>, an alias after scripts/compare.py promote=true, or a folder"
        ) from None
