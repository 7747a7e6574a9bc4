"""Saved models in the MLflow store: registering them, finding them and fetching their files."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from mlflow.exceptions import MlflowException

from claimkind import models
from claimkind.errors import ClaimkindError, first_line
from claimkind.models.base import Predictor
from claimkind.tracking.artifacts import model_folder, model_info, run_artifact
from claimkind.tracking.store import check_store, get_run

REFERENCE = "reference.json"
"""Artifact of a training run: what scoring compares the shares of labels with."""


def register(run_id: str, name: str, alias: str) -> int:
    """Register the model that a run logged, and set an alias to it.

    Args:
        run_id: of the run.
        name: of the registered model.
        alias: such as `champion`.

    Returns:
        The version.

    Raises:
        ClaimkindError: the run has no model, or it was deleted.
    """
    try:
        model_uri = mlflow.get_run(run_id).data.tags["model_uri"]
        version = mlflow.register_model(model_uri, name, tags={"run_id": run_id}).version
        mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    except (MlflowException, KeyError) as error:
        raise ClaimkindError(
            f"the model of run {run_id} cannot be registered as {name} ({first_line(error)}): if it was "
            "deleted, train it again"
        ) from None
    return int(version)


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


class Origin(NamedTuple):
    """Where a saved model comes from."""

    model_uri: str
    """A URI that always names this model; an alias can be moved to another."""
    params: dict[str, str]
    """Parameters of the run that trained it; empty if the run is unknown."""


def origin_of(model_uri: str, key: str = "model_uri") -> Origin:
    """Find out where a model comes from without fetching it; for arguments and errors see `fetch_model`."""
    if Path(model_uri).is_dir():
        return Origin(model_uri, {})
    with _model_errors_explained(model_uri, key):
        info = model_info(model_uri)
    run = get_run(info.run_id) if info.run_id else None
    permanent_uri = f"models:/{info.model_id}" if info.model_id else model_uri
    return Origin(permanent_uri, dict(run.data.params) if run else {})


def fetch_model(model_uri: str, key: str = "model_uri") -> Predictor:
    """Load a saved model from MLflow or from a local folder; no code that came with it is run.

    Args:
        model_uri: `models:/name@alias`, `models:/name/version`, `models:/m-…`, `runs:/…`, or a folder.
        key: the setting that holds the URI, for error texts.

    Raises:
        ClaimkindError: there is no such model, or it is no model of this package.
    """
    return models.load(fetch_folder(model_uri, key))


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
