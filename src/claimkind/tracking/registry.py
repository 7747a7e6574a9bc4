"""Saved models of the MLflow store: registering, finding and fetching them."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from mlflow.exceptions import MlflowException

from claimkind import models
from claimkind.errors import ClaimkindError
from claimkind.models.base import Predictor
from claimkind.tracking.runs import _run_of, prepare_store

REFERENCE = "reference.json"


def register(run_id: str, name: str, alias: str) -> int:
    """Register the model that a run logged under a name, and let an alias point at it.

    Returns:
        The version.

    Raises:
        ClaimkindError: the run has no such model, or not any more.
    """
    try:
        model_uri = mlflow.get_run(run_id).data.tags["model_uri"]
        version = mlflow.register_model(model_uri, name, tags={"run_id": run_id}).version
        mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    except (MlflowException, KeyError) as error:
        raise ClaimkindError(
            f"the model of run {run_id} cannot be registered as {name} ({str(error).splitlines()[0]}): if it was "
            "deleted, train it anew"
        ) from None
    return int(version)


def run_of_alias(name: str, alias: str) -> str | None:
    """The run that trained the model which an alias points at; None where there is no such alias.

    Raises:
        ClaimkindError: the store does not say, or the model is of no run.
    """
    try:
        version = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no such model; no such alias
            return None
        reason = str(error).splitlines()[0]
        raise ClaimkindError(f"MLflow does not say which model has the alias {alias} ({reason}): try again") from None
    run_id = version.tags.get("run_id") or version.run_id
    if not run_id:
        raise ClaimkindError(
            f"the model {name}@{alias} is of no run, so nothing compares with it: take the alias from it in MLflow"
        )
    return str(run_id)


class Origin(NamedTuple):
    """Where a saved model comes from."""

    model_uri: str
    """One that means this model for ever, as an alias does not."""
    params: dict[str, str]
    """Of the run that trained it; none where no run is known."""


def origin_of(model_uri: str, key: str = "model_uri") -> Origin:
    """Where a model comes from, without fetching it; for the arguments and errors see `fetch_model`."""
    if Path(model_uri).is_dir():
        return Origin(model_uri, {})
    with _naming_a_model(model_uri, key):
        info = mlflow.models.get_model_info(model_uri)
    run = _run_of(info.run_id) if info.run_id else None
    lasting = f"models:/{info.model_id}" if info.model_id else model_uri
    return Origin(lasting, dict(run.data.params) if run else {})


def fetch_model(model_uri: str, key: str = "model_uri") -> Predictor:
    """Load a model of ours from MLflow or from a local folder, without running any code that came with it.

    Args:
        model_uri: `models:/name@alias`, `models:/name/version`, `models:/m-…`, `runs:/…`, or a folder.
        key: the setting that names it, for error texts.

    Raises:
        ClaimkindError: there is no such model, or it is none of ours.
    """
    return models.load(fetch_folder(model_uri, key))


def fetch_folder(model_uri: str, key: str = "model_uri") -> Path:
    """The local folder of a saved model, fetched where it is not local; for the arguments see `fetch_model`."""
    folder = Path(model_uri) if Path(model_uri).is_dir() else _download(model_uri, key)
    inner = folder / "artifacts" / "model"
    return inner if inner.is_dir() else folder


def fetch_reference(model_uri: str) -> Any:
    """What the run that trained a model logged of its test sentences; None for a model that no run of ours logged."""
    if Path(model_uri).is_dir():
        return None
    try:
        run_id = mlflow.models.get_model_info(model_uri).run_id
        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=REFERENCE, dst_path=folder)
            return json.loads(Path(path).read_text(encoding="utf-8"))
    except (MlflowException, OSError, ValueError):
        return None


def _download(model_uri: str, key: str) -> Path:
    with _naming_a_model(model_uri, key):
        return Path(mlflow.artifacts.download_artifacts(model_uri))


@contextlib.contextmanager
def _naming_a_model(model_uri: str, key: str) -> Iterator[None]:
    """Asks the store for a model, and says in a sentence that there is none."""
    prepare_store("claimkind")
    try:
        yield
    # Addresses of object stores without their library, or of servers that are none, are told in errors of their own.
    except (MlflowException, OSError, ValueError, ImportError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ClaimkindError(
            f"{key}={model_uri} names no model in {mlflow.get_tracking_uri()} ({reason}): train one with "
            "scripts/train.py and give its models:/<id>, an alias after scripts/compare.py promote=true, or a folder"
        ) from None
