"""Artifacts of runs and models: read where they are if that is on this machine, downloaded otherwise.

MLflow writes a file into the folder of a registered model when it is fetched, which fails in a store that is read only.
"""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.models import Model
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

from claimkind.tracking.database import located


def model_folder(model_uri: str) -> Path:
    """The folder of a logged model; if it is not on this machine, a copy that is deleted when this process ends.

    Raises:
        MlflowException: there is no such model, or the store does not answer.
    """
    uri = _artifact_uri(model_uri)
    folder = _local(uri)
    return folder if folder and folder.is_dir() else _downloaded(uri)


def model_info(model_uri: str) -> Model:
    """What MLflow knows about a logged model, such as its run; for errors see `model_folder`."""
    return Model.load(str(model_folder(model_uri)))


@functools.cache
def _downloaded(uri: str) -> Path:
    """A copy of a model's folder, made once for each process."""
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=tempfile.mkdtemp(dir=_downloads().name)))


@functools.cache
def _downloads() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="claimkind-")


@contextlib.contextmanager
def run_artifact(run_id: str, name: str) -> Iterator[Path]:
    """Give the file of an artifact of a run, for the time of the block.

    Raises:
        MlflowException: there is no such run or artifact, or the store does not answer.
    """
    folder = _local(mlflow.get_run(run_id).info.artifact_uri)
    if folder:
        yield folder / name
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=scratch))


def _artifact_uri(model_uri: str) -> str:
    """Where the files of a logged model are."""
    uri = model_uri
    while ModelsArtifactRepository.is_models_uri(uri):  # a version of a registered model names the logged one
        uri = ModelsArtifactRepository.get_underlying_uri(uri)
    if RunsArtifactRepository.is_runs_uri(uri):
        uri = RunsArtifactRepository.get_underlying_uri(uri)
    return uri


def _local(uri: str) -> Path | None:
    """The path of an artifact's URI; None if it is not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return located(Path(unquote(parts.path)))
    return None if parts.scheme else located(Path(uri))
